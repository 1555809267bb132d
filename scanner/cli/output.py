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
from scanner.model import Confidence, Detail, FailOn, Outcome, Severity
from scanner.report import formats

if TYPE_CHECKING:
    from scanner.configuration.repository import Config
    from scanner.report.interface import ReportContext

STDOUT = "-"


class OutputRequest(NamedTuple):
    """Which reports a command writes, as pairs of format and file, and what makes it fail.

    `detail` is that of the terminal report; None if there is none. `fail_on` and `confidence` are
    None if keywatch.yaml decides.
    """

    reports: tuple[tuple[str, str], ...] = ()
    detail: Detail | None = Detail.NORMAL
    fail_on: Severity | None = None
    confidence: Confidence | None = None
    require_complete: bool = False

    @property
    def writes_nothing(self) -> bool:
        return self.detail is None and not self.reports

    def failing(self, config: Config) -> FailOn:
        """What fails the run, by the options and by keywatch.yaml."""
        kept = config.failing
        return FailOn(self.fail_on or kept.severity, self.confidence or kept.confidence)

    def shown(self, context: ReportContext) -> ReportContext:
        """The context with the detail that was asked for."""
        return context if self.detail is None else context._replace(detail=self.detail)


def add_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FMT=FILE",
        help=f"write {', '.join(formats.FORMATS)} to a file, or - for standard output;"
        " can be repeated",
    )
    group.add_argument(
        "-f",
        "--format",
        choices=tuple(formats.FORMATS),
        metavar="FMT",
        help="print this format: the same as --report FMT=-",
    )
    amount = group.add_mutually_exclusive_group()
    amount.add_argument("-q", "--quiet", action="store_true", help="print only the summary line")
    amount.add_argument(
        "-v",
        "--explain",
        "--verbose",
        dest="verbose",
        action="store_true",
        help="explain each rule: why it matters, how to fix, revoke, rotate and purge",
    )
    arguments.add_color(group)


def output_request(args: argparse.Namespace) -> OutputRequest:
    """The reports that the options ask for. UsageError for one that cannot be written."""
    return OutputRequest(
        reports=_targets([*args.report, *([f"{args.format}={STDOUT}"] if args.format else ())]),
        detail=_detail(args),
        fail_on=arguments.severity(getattr(args, "fail_on", None)),
        confidence=Confidence.LOW if getattr(args, "strict", False) else None,
        require_complete=getattr(args, "require_complete", False),
    )


def _detail(args: argparse.Namespace) -> Detail:
    if args.quiet:
        return Detail.SUMMARY
    return Detail.FULL if args.verbose else Detail.NORMAL


def _targets(reports: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for given in reports:
        name, equals, path = given.partition("=")
        if name not in formats.FORMATS or not equals or not path:
            raise UsageError(
                f"--report {given} is not FMT=FILE",
                todo=f"FMT is one of {', '.join(formats.FORMATS)}; FILE is a path, or - for stdout",
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
    if request.detail is not None and not any(_is_stdout(path) for _, path in pairs):
        pairs.insert(0, ("terminal", STDOUT))
    complete = True
    for name, path in pairs:
        try:
            shown = request.shown(context if path == STDOUT else context._replace(links=""))
            _write(path, formats.reporter(name)(outcome, shown), console)
        except OutputError as error:
            show_error(error, console)
            complete = False
    return complete


def _is_stdout(path: str) -> bool:
    return path in (STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def exit_code(
    outcome: Outcome, fail_on: FailOn, *, written: bool, require_complete: bool
) -> ExitCode:
    """The exit code of a judged run. `written`: every requested report was written."""
    failing = any(map(fail_on.fails, outcome.findings))
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
