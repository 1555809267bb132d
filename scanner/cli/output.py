"""Write reports to files and standard output, and turn an outcome into an exit code."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scanner import files
from scanner.cli import arguments
from scanner.console import Console, show_error
from scanner.errors import ExitCode, OutputError, UsageError
from scanner.model import Outcome, Severity
from scanner.report import table

if TYPE_CHECKING:
    from scanner.report.interface import ReportContext

STDOUT = "-"


class OutputRequest(NamedTuple):
    """Which reports a command writes, as pairs of format and file, and what makes it fail.

    `quiet`: no terminal report. `fail_on` is None if keywatch.yaml decides.
    """

    reports: tuple[tuple[str, str], ...] = ()
    quiet: bool = False
    fail_on: Severity | None = None
    require_complete: bool = False

    @property
    def writes_nothing(self) -> bool:
        return self.quiet and not self.reports


def add_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FMT=FILE",
        help=f"write {', '.join(table.FORMATS)} to a file, or - for standard output; repeatable",
    )
    group.add_argument("--quiet", action="store_true", help="no terminal report")


def output_request(args: argparse.Namespace) -> OutputRequest:
    """The reports that the options ask for. UsageError for one that cannot be written."""
    return OutputRequest(
        reports=_targets(args.report),
        quiet=args.quiet,
        fail_on=arguments.severity(getattr(args, "fail_on", None)),
        require_complete=getattr(args, "require_complete", False),
    )


def _targets(reports: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for given in reports:
        name, equals, path = given.partition("=")
        if name not in table.FORMATS or not equals or not path:
            raise UsageError(
                f"--report {given} is not FMT=FILE",
                todo=f"FMT is one of {', '.join(table.FORMATS)}; FILE is a path, or - for stdout",
            )
        pairs.append((name, path))
    if sum(path == STDOUT for _, path in pairs) > 1:
        raise UsageError("two reports cannot share standard output", todo="write one to a file")
    return tuple(pairs)


def deliver(
    request: OutputRequest, console: Console, outcome: Outcome, context: ReportContext
) -> bool:
    """Write every requested report. False if one of them could not be written.

    The others are still written, so a full disk never hides a finding.
    """
    pairs = [*request.reports]
    if not request.quiet and STDOUT not in [path for _, path in pairs]:
        pairs.insert(0, ("terminal", STDOUT))
    complete = True
    for name, path in pairs:
        try:
            _write(path, table.reporter(name)(outcome, context), console)
        except OutputError as error:
            show_error(error, console)
            complete = False
    return complete


def exit_code(
    outcome: Outcome, fail_on: Severity, *, written: bool, require_complete: bool
) -> ExitCode:
    """The exit code of a judged run. `written`: every requested report was written."""
    failing = any(finding.severity >= fail_on for finding in outcome.findings)
    complete = outcome.complete and written
    if failing and (complete or not require_complete):
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if complete else ExitCode.INCOMPLETE


def _write(path: str, pieces: Iterable[str], console: Console) -> None:
    if path == STDOUT:
        console.write_all(pieces)
    else:
        data = (piece.encode(errors="backslashreplace") for piece in pieces)
        files.write_pieces(os.path.join(console.cwd, path), data)
