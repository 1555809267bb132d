"""The command line: the process's streams, environment, clock and folder, as one value."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, MutableMapping
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TextIO

from scanner.errors import KeywatchError, OutputError, UsageError, unreadable

if TYPE_CHECKING:
    from datetime import datetime


class Io(NamedTuple):
    """Where a verb reads and writes."""

    stdin: IO[bytes]
    out: TextIO
    err: TextIO
    environ: MutableMapping[str, str]

    @classmethod
    def of_process(cls) -> Io:
        stdin, out, err = _stream(sys.stdin, 0), _stream(sys.stdout, 1), _stream(sys.stderr, 2)
        for stream in (out, err):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return cls(stdin=stdin.buffer, out=out, err=err, environ=os.environ)

    @property
    def cwd(self) -> str:
        try:
            return os.getcwd()
        except FileNotFoundError:
            raise UsageError("the current folder is gone", todo="cd to one that exists") from None

    def file(self, name: str, said: str = "") -> bytes:
        """A file that somebody names, from the current folder on. UsageError where it cannot be
        read, which calls it what is `said`."""
        try:
            with open(os.path.join(self.cwd, name), "rb") as file:
                return file.read()
        except OSError as error:
            raise unreadable(said or name, error) from None

    def write(self, text: str) -> None:
        self.write_all([text])

    def write_all(self, pieces: Iterable[str]) -> None:
        """Standard output. A reader who has gone away is no failure of the run; OutputError for
        any other."""
        try:
            self.out.writelines(pieces)
            self.out.flush()
        except OSError as error:
            self._out_is_closed()
            if not isinstance(error, BrokenPipeError):
                raise OutputError(
                    "standard output could not be written",
                    why=error.strerror or str(error),
                    todo="make room, or write the report to another place with --report FMT=FILE",
                ) from None

    def flush(self) -> None:
        self.write("")

    def error_line(self, text: str) -> None:
        try:
            self.err.write(text + "\n")
            self.err.flush()
        except OSError:
            pass

    def _out_is_closed(self) -> None:
        """What is still to be written goes nowhere: at its end Python tries once more."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())

    @property
    def color(self) -> bool:
        """Colours are for a terminal whose user did not refuse them (no-color.org)."""
        if self.environ.get("NO_COLOR") or self.environ.get("TERM") == "dumb":
            return False
        return self.out.isatty()

    @property
    def width(self) -> int:
        if not self.out.isatty():
            return 100
        return max(60, min(os.get_terminal_size(self.out.fileno()).columns, 160))


def _stream(stream: Any, number: int) -> Any:
    """A standard stream, or nothing for one that is closed: else the first file that is opened gets
    its number, and what is meant for the stream."""
    if stream is None:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
        stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115 - for good
    return stream


def moment(text: str | None) -> datetime:
    """`--now`, or the clock's time: made once, passed down. UsageError for what is no time."""
    from datetime import UTC, datetime

    if text is None:
        return datetime.now(UTC)
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "--now is not a time", why="it takes ISO 8601", todo="--now 2027-01-31T12:00:00Z"
        ) from None
    if not 1970 < value.year < 9000:
        raise UsageError("--now is not in our time", todo="name a year from 1971 to 8999")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def show_error(error: KeywatchError, io: Io) -> None:
    """What happened, why, and what to do next, in plain lines on standard error.

    Masked: a message may name a key, a rule or a path that somebody else chose.
    """
    where = f"{error.where}: " if error.where else ""
    io.error_line(f"keywatch: {plain(where + error.what)}")
    if error.why:
        io.error_line(f"  why: {plain(error.why)}")
    if error.todo:
        io.error_line(f"  do:  {plain(error.todo)}")


def plain(text: str) -> str:
    """A file's name may hold terminal commands, and commands that a CI system would run."""
    from scanner.masking import masked
    from scanner.report.text import for_log, visible

    return for_log(visible(masked(text)))
