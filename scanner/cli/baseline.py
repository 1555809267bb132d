"""Record today's findings as debt, and keep that record.

  keywatch baseline create   write .keywatch.baseline from what a scan finds now;
                             with --detect-secrets exact the file of detect-secrets too
  keywatch baseline update   add what is new and drop what is gone, in the files scanned
  keywatch baseline prune    drop what is gone, and add nothing
  keywatch baseline show     list the debt
  keywatch baseline merge    a merge driver for git

For git to merge both kinds of baseline by itself:

  .gitattributes   .keywatch.baseline merge=union
                   .secrets.baseline  merge=keywatch
  git config merge.keywatch.driver "keywatch baseline merge %O %A %B %P"

Only two different labels or settings of one thing are a conflict: the merge stops, the file is
valid, and an entry with two labels has none, so that the next audit asks.
"""

from __future__ import annotations

import argparse
import json
import os

from scanner import cache, files
from scanner.console import Io
from scanner.detect import detect_secrets
from scanner.errors import ExitCode
from scanner.exceptions import baseline_files, full_scan
from scanner.policy.baselines import (
    detect_secrets_baseline,
    detect_secrets_merge,
    detect_secrets_update,
    keywatch_baseline,
)
from scanner.report import columns
from scanner.report.text import count, storable, visible
from scanner.scan import baselines, sources
from scanner.scan.sources import Selection

_COLUMNS = ("baseline", "path", "rule", "name")
_LABELS = {True: "labelled real", False: "labelled false", None: "not audited"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, text in (
        ("create", "write .keywatch.baseline from what a scan finds now"),
        ("update", "add what is new and drop what is gone, in the files scanned"),
        ("prune", "drop what is gone, and add nothing"),
    ):
        recording = actions.add_parser(action, help=text, description=text)
        full_scan.add_arguments(recording)
        if action == "create":
            recording.add_argument(
                "--output",
                type=sources.given_path,
                metavar="FILE",
                help=f"where --detect-secrets exact writes its own; default:"
                f" {baselines.SECRETS_BASELINE}",
            )
    show = actions.add_parser("show", help="list the debt", description="list the debt")
    show.add_argument("--json", action="store_true", help="for a program")
    merge = actions.add_parser("merge", help="a merge driver for git")
    for side, text in (
        ("base", "the common ancestor: %%O"),
        ("ours", "this side, where the result goes: %%A"),
        ("theirs", "the other side: %%B"),
    ):
        merge.add_argument(side, metavar=side.upper(), help=text)
    merge.add_argument("path", metavar="PATH", nargs="?", help="the file's name, for messages: %%P")


def run(args: argparse.Namespace, io: Io) -> int:
    if args.action == "show":
        return _show(args, io)
    if args.action == "merge":
        return _merge(args, io)
    return baseline_files.record(args, io)


def _show(args: argparse.Namespace, io: Io) -> int:
    defaults = argparse.ArgumentParser()
    sources.add_arguments(defaults)
    selection = sources.select(defaults.parse_args([]), io, cache.folder())
    data = selection.source.control(keywatch_baseline.FILE)
    entries = (
        keywatch_baseline.parse(data, keywatch_baseline.FILE).entries if data is not None else ()
    )
    rows = [(keywatch_baseline.FILE, each.path, each.rule, each.name) for each in entries]
    rows += _detect_secrets_rows(selection)
    if args.json:
        named = [dict(zip(_COLUMNS, map(storable, row), strict=True)) for row in rows]
        io.write(json.dumps({"version": 1, "debt": named}, indent=1) + "\n")
    else:
        io.write(columns.table([_COLUMNS, *rows]) if rows else "")
        io.write(f"{count(len(rows), 'finding')} in the baseline\n")
    return ExitCode.CLEAN


def _detect_secrets_rows(selection: Selection) -> list[tuple[str, str, str, str]]:
    """What `.secrets.baseline` holds, with the label of its audit for a name; never a hash."""
    data = selection.source.control(baselines.SECRETS_BASELINE)
    if data is None:
        return []
    document = baselines.detect_secrets_document(data, baselines.SECRETS_BASELINE)
    detect_secrets.settings_from_baseline(
        document, baselines.SECRETS_BASELINE
    )  # what a scan refuses is not shown
    results = detect_secrets_baseline.results(document, baselines.SECRETS_BASELINE)
    return [
        (
            baselines.SECRETS_BASELINE,
            detect_secrets_baseline.normal(path),
            row["type"],
            _LABELS[row.get("is_secret")],
        )
        for path, found in results.items()
        for row in found
    ]


def _merge(args: argparse.Namespace, io: Io) -> int:
    """What git asks of a merge driver: the result in place of our side; 1 is a conflict."""
    name = args.path or args.ours
    sides = [*map(io.file, (args.base, args.ours, args.theirs))]
    conflicts: tuple[str, ...] = ()
    if any(map(keywatch_baseline.is_one, sides)):
        entries = [keywatch_baseline.parse(side, name).entries if side else () for side in sides]
        data = keywatch_baseline.render(keywatch_baseline.merge(*entries))
    else:
        documents = [
            baselines.detect_secrets_document(side, name) if side else {} for side in sides
        ]
        merged, conflicts = detect_secrets_merge.merge(*documents)
        detect_secrets.settings_from_baseline(merged, name)  # what a scan refuses is not written
        data = detect_secrets_update.render(merged, sides[1])
    files.write_file(os.path.join(io.cwd, args.ours), data)
    for conflict in conflicts:
        io.error_line(f"keywatch: {visible(name)}: {visible(conflict)}")
    return ExitCode.FINDINGS if conflicts else ExitCode.CLEAN
