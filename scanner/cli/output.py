"""The command line: write reports to files and standard output."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from scanner import files
from scanner.console import Io, show_error
from scanner.errors import ExitCode, OutputError, UsageError
from scanner.model import Outcome, Severity
from scanner.report import table

if TYPE_CHECKING:
    from scanner.report.interface import ReportContext

STDOUT = "-"


def add_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FMT=FILE",
        help=f"write {', '.join(table.FORMATS)} to a file, or - for standard output; repeatable",
    )
    group.add_argument("--quiet", action="store_true", help="no terminal report")


def targets(reports: Sequence[str]) -> list[tuple[str, str]]:
    """(format, file) of each --report. UsageError for one that cannot be written."""
    pairs = []
    for given in reports:
        name, equals, path = given.partition("=")
        if name not in table.FORMATS or not equals or not path:
            raise UsageError(
                f"--report {given} is not FMT=FILE",
                todo=f"FMT is one of {', '.join(table.FORMATS)}; FILE a path, or - for stdout",
            )
        pairs.append((name, path))
    if sum(path == STDOUT for _, path in pairs) > 1:
        raise UsageError("two reports cannot share standard output", todo="give one a file")
    return pairs


def deliver(args: argparse.Namespace, io: Io, outcome: Outcome, context: ReportContext) -> bool:
    """Print and write every report that was asked for; False where one could not be written.

    What fails does not stop the others: nothing that was found is lost to one full disk.
    """
    pairs = targets(args.report)
    if not args.quiet and STDOUT not in [path for _, path in pairs]:
        pairs.insert(0, ("terminal", STDOUT))
    whole = True
    for name, path in pairs:
        try:
            _write(path, table.reporter(name)(outcome, context), io)
        except OutputError as error:
            show_error(error, io)
            whole = False
    return whole


def exit_code(
    outcome: Outcome, fail_on: Severity, *, written: bool, require_complete: bool
) -> ExitCode:
    """What a run comes to. `written`: all that was asked for could be."""
    failing = any(finding.severity >= fail_on for finding in outcome.findings)
    complete = outcome.complete and written
    if failing and (complete or not require_complete):
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if complete else ExitCode.INCOMPLETE


def _write(path: str, pieces: Iterable[str], io: Io) -> None:
    if path == STDOUT:
        io.write_all(pieces)
    else:
        data = (piece.encode(errors="backslashreplace") for piece in pieces)
        files.write_pieces(os.path.join(io.cwd, path), data)
