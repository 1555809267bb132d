"""The command line: where reports go. Text from report/ is written beside and renamed."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from scanner.cli.terminal import Io, show_error
from scanner.errors import ExitCode, OutputError, UsageError
from scanner.model import Outcome, Severity
from scanner.report import table

if TYPE_CHECKING:
    from scanner.report.interface import ReportContext

STDOUT = "-"
_DEVICES = ("/dev", "/dev/fd", "/proc/self/fd")  # full of links which are no one's to replace


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
        write_pieces(os.path.join(io.cwd, path), data)


def write_file(path: str, data: bytes, *, private: bool = False) -> None:
    """Replace a file by this one, as `write_pieces` does."""
    write_pieces(path, [data], private=private)


def write_pieces(path: str, pieces: Iterable[bytes], *, private: bool = False) -> None:
    """Replace a file as a whole, never half of it. A device or a pipe is written to directly.

    A link is replaced, not followed. A private file only its owner can read. OutputError says why
    it could not be done.
    """
    beside = f"{path}.{os.urandom(6).hex()}.tmp"
    opener = _private if private else None
    try:
        if _is_device(path):
            with open(path, "wb") as file:
                file.writelines(pieces)
            return
        with open(beside, "xb", opener=opener) as file:
            file.writelines(pieces)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be written",
            why=error.strerror or str(error),
            todo="make room or name another place; what was there before is untouched",
        ) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_device(path: str) -> bool:
    """A terminal, a pipe, /dev/full: anything that a rename would replace by a file."""
    if os.path.dirname(os.path.abspath(path)) in _DEVICES:
        return True
    if not os.path.lexists(path):
        return False
    mode = os.lstat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))
