"""Record today's findings as debt, and keep that record.

  keywatch baseline create   write .keywatch.baseline from what a scan finds now
  keywatch baseline update   add what is new and drop what is gone, in the files scanned
  keywatch baseline prune    drop what is gone, and add nothing
  keywatch baseline show     list the debt
  keywatch baseline merge    a merge driver for git

For git to merge both kinds of baseline by itself:

  .gitattributes   .keywatch.baseline merge=union
                   .secrets.baseline  merge=keywatch
  git config merge.keywatch.driver "keywatch baseline merge %O %A %B %P"
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Collection
from typing import Any

from scanner import cache
from scanner.cli import classic_record, columns, debt, inputs, output, survey
from scanner.cli.inputs import Selection
from scanner.cli.survey import Survey
from scanner.cli.sweep import Swept
from scanner.cli.terminal import Io, moment
from scanner.errors import ConfigError, ExitCode, UsageError
from scanner.inputs.folder import Folder
from scanner.model import Outcome
from scanner.policy import baseline, classic_baseline, classic_merge, classic_update
from scanner.policy.baseline import Baseline, BaselineEntry
from scanner.report.text import count, storable, visible

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
        survey.add_arguments(recording)
        if action == "create":
            recording.add_argument(
                "--output",
                metavar="FILE",
                default=debt.CLASSIC,
                help="where --detect-secrets exact writes its own; default: %(default)s",
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
    return _record(args, io)


def _record(args: argparse.Namespace, io: Io) -> int:
    """Scan, and make the records say what the scan found."""
    selection = survey.select(args, io)
    own = Folder(selection.source.root, (), use_git=False).control(baseline.FILE)
    _refuse(args, selection, own)
    seen = survey.survey(args, io, selection, moment(args.now))
    if own is not None or args.action == "create":
        _record_own(args, io, selection, seen, own)
    classic_record.record(args, io, selection, seen, _scanned(selection, seen.swept))
    return survey.completeness(seen.outcome, io)


def _record_own(
    args: argparse.Namespace, io: Io, selection: Selection, seen: Survey, data: bytes | None
) -> None:
    old = baseline.parse(data, baseline.FILE) if data is not None else Baseline(baseline.FILE)
    if args.action == "prune":
        new = _still_there(old, seen.outcome)
    else:
        new = _renewed(old, seen, _scanned(selection, seen.swept))
    if classic_record.file_of(args, io, selection, seen.owed):
        new = tuple(entry for entry in new if not entry.rule.startswith("ds-"))
    if baseline.render(new) != data:
        path = os.path.join(selection.source.root, baseline.FILE)
        output.write_file(path, baseline.render(new))
    io.write(_said(baseline.FILE, old.entries, new))
    if args.action == "create":
        io.write(f"commit it, with `{baseline.FILE} merge=union` in .gitattributes\n")


def _refuse(args: argparse.Namespace, selection: Selection, own: bytes | None) -> None:
    if args.action == "create" and own is not None:
        raise UsageError(
            f"{baseline.FILE} exists already",
            todo="keywatch baseline update, or delete it first to start anew",
        )
    theirs_too = args.action == "create" and args.detect_secrets == "exact"
    if theirs_too and os.path.lexists(os.path.join(selection.source.root, args.output)):
        raise UsageError(
            f"{args.output} exists already",
            todo="keywatch baseline update keeps it; delete it first to start anew",
        )
    if args.action != "create" and own is None:
        theirs = args.baseline or selection.source.control(debt.CLASSIC)
        if not theirs:
            raise UsageError("there is no baseline here", todo="keywatch baseline create")
    if args.action == "prune":
        survey.demand_whole_tree(selection, "prune")


def _renewed(
    old: Baseline, seen: Survey, scanned: Callable[[str], bool]
) -> tuple[BaselineEntry, ...]:
    """What is owed now: all that stands, all that was debt before and is still there, and the old
    entries of which this run says nothing.
    """
    covered = seen.outcome.suppressed
    known = [each.finding for each in covered if each.suppression.by == "baseline"]
    unknown = (e for e in old.entries if e.rule not in seen.rules or not scanned(e.path))
    return tuple(sorted({*unknown, *baseline.entries_of([*seen.outcome.findings, *known])}))


def _still_there(old: Baseline, outcome: Outcome) -> tuple[BaselineEntry, ...]:
    used = {said.where for said in outcome.register if said.by == "baseline" and said.used}
    return tuple(
        entry
        for entry, line in zip(old.entries, old.lines, strict=True)
        if f"{old.where}:{line}" in used
    )


def _scanned(selection: Selection, swept: Swept) -> Callable[[str], bool]:
    """Whether this run knows all of a file, so that what it did not find there is gone."""
    unread = {gap.path for gap in swept.gaps}
    unread |= {gap.path for each in swept.observations for gap in each.gaps}
    if selection.whole_tree:
        return lambda path: path not in unread
    read = {*selection.source.paths()} - unread - {skip.path for skip in swept.skips}
    return read.__contains__


def _said(name: str, old: Collection[object], new: Collection[object]) -> str:
    """`.keywatch.baseline: 12 findings (3 new, 1 gone)`."""
    added, gone = len({*new} - {*old}), len({*old} - {*new})
    return f"{name}: {count(len(new), 'finding')} ({added} new, {gone} gone)\n"


def _show(args: argparse.Namespace, io: Io) -> int:
    defaults = argparse.ArgumentParser()
    inputs.add_arguments(defaults)
    selection = inputs.select(defaults.parse_args([]), io, cache.folder())
    data = selection.source.control(baseline.FILE)
    entries = baseline.parse(data, baseline.FILE).entries if data is not None else ()
    rows = [(baseline.FILE, each.path, each.rule, each.name) for each in entries]
    rows += _classic_rows(selection)
    if args.json:
        named = [dict(zip(_COLUMNS, map(storable, row), strict=True)) for row in rows]
        io.write(json.dumps({"version": 1, "debt": named}, indent=1) + "\n")
    else:
        io.write(columns.table([_COLUMNS, *rows]) if rows else "")
        io.write(f"{count(len(rows), 'finding')} in the baseline\n")
    return ExitCode.CLEAN


def _classic_rows(selection: Selection) -> list[tuple[str, str, str, str]]:
    """What `.secrets.baseline` holds, with the label of its audit for a name; never a hash."""
    data = selection.source.control(debt.CLASSIC)
    if data is None:
        return []
    results = classic_baseline.results(debt.classic_document(data, debt.CLASSIC), debt.CLASSIC)
    return [
        (debt.CLASSIC, classic_baseline.normal(path), row["type"], _LABELS[row.get("is_secret")])
        for path, found in results.items()
        for row in found
    ]


def _merge(args: argparse.Namespace, io: Io) -> int:
    """What git asks of a merge driver: the result in place of our side; 1 is a conflict."""
    name = args.path or args.ours
    sides = [_read(path) for path in (args.base, args.ours, args.theirs)]
    conflicts: tuple[str, ...] = ()
    if any(map(baseline.is_one, sides)):
        entries = [baseline.parse(side, name).entries if side else () for side in sides]
        data = baseline.render(baseline.merge(*entries))
    else:
        documents = [_document(side, name) if side else {} for side in sides]
        merged, conflicts = classic_merge.merge(*documents)
        data = classic_update.render(merged, sides[1])
    output.write_file(os.path.join(io.cwd, args.ours), data)
    for conflict in conflicts:
        io.error_line(f"keywatch: {visible(name)}: {visible(conflict)}")
    return ExitCode.FINDINGS if conflicts else ExitCode.CLEAN


def _document(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ConfigError(f"{name} is not a baseline", why="it is no JSON object", where=name)
    return document


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or "") from None
