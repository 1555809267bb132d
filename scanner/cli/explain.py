"""Explain one line: which rules looked at it, and why each value was reported or ignored.

  keywatch explain FILE:LINE           explain the whole line
  keywatch explain FILE:LINE:COLUMN    explain the value at this place, as scan prints it

Rules, policy and baselines are those of `keywatch scan FILE`. Values are masked. Findings that need
the whole repository, such as a variable that is not declared anywhere, are not explained.
Exit codes: 0 explained, 2 no such file or line, 3 the file could not be read.

Examples:
  keywatch explain src/app.py:12
  keywatch explain src/app.py:12:9
  keywatch explain --staged deploy/values.yaml:30

"""

from __future__ import annotations

import argparse
import os
import re

from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.console import Console
from scanner.errors import ExitCode, UsageError
from scanner.explain import text
from scanner.explain.run import Line, explain
from scanner.scan.request import ScanRequest

_PLACE = re.compile(r"(?s)(?P<file>.+?):(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "place", metavar="FILE:LINE", help="as scan prints it, with or without :COLUMN"
    )
    group = parser.add_argument_group("what to read")
    group.add_argument("--staged", action="store_true", help="the file as it is in git's index")
    arguments.add_config(group)
    arguments.add_detection(parser)
    arguments.add_baselines(parser)
    arguments.add_now(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    line = line_of(args.place, console.cwd)
    request = ScanRequest(
        staged=args.staged,
        config=args.config,
        rules=tuple(args.rules),
        matcher=args.matcher,
        baseline=args.baseline,
        detect_secrets=args.detect_secrets,
    )
    return show(line, request, console, args.now)


def show(line: Line, request: ScanRequest, console: Console, now: str | None) -> int:
    """Explain a line, under the options of a scan. `now` is the text of --now."""
    answer = explain(line, request, console, moment(now))
    console.write(text.text(answer, color=console.color, width=console.width))
    return ExitCode.INCOMPLETE if answer.incomplete else ExitCode.CLEAN


def line_of(given: str, cwd: str) -> Line:
    """Parse FILE:LINE[:COLUMN]. UsageError if it names no line.

    A colon may be a part of the file's name.
    """
    write = "write FILE:LINE, as in src/app.py:12"
    found = _PLACE.fullmatch(given)
    if not found:
        raise UsageError(f"{given} does not name a line of a file", todo=write)
    file, line, column = found["file"], int(found["line"]), int(found["column"] or 0)
    longer = f"{file}:{found['line']}"
    if found["column"] and os.path.lexists(os.path.join(cwd, longer)):
        file, line, column = longer, column, 0
    if not line or found["column"] == "0":
        raise UsageError(
            f"{given} does not name a line of a file",
            why="lines and columns count from 1",
            todo=write,
        )
    return Line(file, line, column)
