"""Accept the current findings, and keep the list of accepted findings up to date.

  keywatch baseline create   write .keywatch.baseline from the current findings;
                             with --detect-secrets exact also the baseline of detect-secrets
  keywatch baseline update   add new findings and remove those that are gone
  keywatch baseline prune    only remove those that are gone
  keywatch baseline show     list the accepted findings
  keywatch baseline merge    a merge driver for git

To let git merge both kinds of baseline:

  .gitattributes   .keywatch.baseline merge=union
                   .secrets.baseline  merge=keywatch
  git config merge.keywatch.driver "keywatch baseline merge %O %A %B %P"

A conflict is reported only if both sides changed one label or setting differently. The file is then
still valid, and an entry with two labels has none, so that the next audit asks again.

Examples:
  keywatch baseline create
  keywatch baseline update
  keywatch baseline show

"""

from __future__ import annotations

import argparse
import json

from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.configuration.repository import SECRETS_BASELINE
from scanner.console import Console
from scanner.errors import ExitCode
from scanner.exceptions import baseline_files, baseline_merge
from scanner.exceptions.baseline_files import RecordRequest
from scanner.exceptions.baseline_merge import AcceptedFinding
from scanner.report import text_table
from scanner.report.text import count, storable, visible


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, text in (
        ("create", "write .keywatch.baseline from the current findings"),
        ("update", "add new findings and remove those that are gone, in the scanned files"),
        ("prune", "only remove the findings that are gone"),
    ):
        recording = actions.add_parser(action, help=text, description=text)
        arguments.add_full_scan(
            recording,
            *("paths", "--exclude", "--config", "--no-git", "--archives", "--rules"),
            *("--baseline", "--detect-secrets"),
        )
        if action == "create":
            recording.add_argument(
                "--output",
                type=arguments.path,
                metavar="FILE",
                help="where --detect-secrets exact writes its baseline;"
                f" default: {SECRETS_BASELINE}",
            )
    text = "list the accepted findings"
    show = actions.add_parser("show", help=text, description=text)
    show.add_argument("--json", action="store_true", help="print JSON for programs")
    merge = actions.add_parser("merge", help="a merge driver for git")
    for side, text in (
        ("base", "the common ancestor: %%O"),
        ("ours", "this side, which receives the result: %%A"),
        ("theirs", "the other side: %%B"),
    ):
        merge.add_argument(side, metavar=side.upper(), help=text)
    merge.add_argument("path", metavar="PATH", nargs="?", help="the file's name, for messages: %%P")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "show":
        return _show(console, as_json=args.json)
    if args.action == "merge":
        return _merge(args, console)
    request = RecordRequest(
        action=args.action,
        scan=arguments.scan_request(args),
        output=getattr(args, "output", None),
    )
    return baseline_files.record(request, console, moment(args.now))


def _show(console: Console, *, as_json: bool) -> int:
    rows = baseline_merge.accepted(console)
    if as_json:
        named = [{key: storable(text) for key, text in row._asdict().items()} for row in rows]
        console.write(json.dumps({"version": 1, "baseline": named}, indent=1) + "\n")
    else:
        console.write(text_table.table([AcceptedFinding._fields, *rows]) if rows else "")
        console.write(f"{count(len(rows), 'accepted finding')}\n")
    return ExitCode.CLEAN


def _merge(args: argparse.Namespace, console: Console) -> int:
    """Exit code 1 tells git that there is a conflict."""
    name = args.path or args.ours
    conflicts = baseline_merge.merge(args.base, args.ours, args.theirs, name, console)
    for conflict in conflicts:
        console.error_line(f"keywatch: {visible(name)}: {visible(conflict)}")
    return ExitCode.FINDINGS if conflicts else ExitCode.CLEAN
