"""Replace literal secrets in configuration files with references.

  keywatch fix --templates [PATH ...]            show what would change, with masked values
  keywatch fix --templates --write [PATH ...]    change the files

Each value becomes a reference in its file's own syntax. The names of the variables are added to
.env.example at the top of the repository. Nothing else changes. Revoke the old values: they are
still in the history.

Examples:
  keywatch fix --templates
  keywatch fix --templates --write deploy/values.yaml

"""

from __future__ import annotations

import argparse

from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.console import Console
from scanner.errors import ExitCode, UsageError
from scanner.exceptions import full_scan
from scanner.fix import text
from scanner.fix.run import fix


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_full_scan(parser, "paths", "--exclude", "--config", "--no-git")
    group = parser.add_argument_group("what to fix")
    group.add_argument(
        "--templates",
        action="store_true",
        help="literals in configuration files (required; there is nothing else to fix)",
    )
    group.add_argument("--write", action="store_true", help="change the files")
    group.add_argument(
        "--covered",
        action="store_true",
        help="also fix findings that an exception or a baseline covers",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    if not args.templates:
        raise UsageError("there is nothing to fix without --templates", todo="add --templates")
    if args.staged or args.stdin or args.archives:
        raise UsageError(
            "fix only changes files on disk",
            why="it cannot change the index, standard input or files in archives",
            todo="name files",
        )
    now = moment(args.now)
    request = arguments.scan_request(args)
    fixed = fix(request, console, now, write=args.write, covered=args.covered)
    if fixed.files or fixed.left:
        console.write(
            text.text(
                fixed.files, fixed.left, fixed.revokes, written=args.write, color=console.color
            )
        )
    else:
        console.write(text.nothing(0 if args.covered else len(fixed.outcome.suppressed)))
    if fixed.left or (fixed.files and not args.write):
        return ExitCode.FINDINGS
    return full_scan.completeness(fixed.outcome, console)
