"""The command line: the process's streams, environment, clock and folder, as one value."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, NamedTuple, TextIO

from scanner.errors import KeywatchError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]"


class Io(NamedTuple):
    """Where a verb reads and writes."""

    stdin: IO[bytes]
    out: TextIO
    err: TextIO
    environ: Mapping[str, str]
    cwd: str

    @classmethod
    def of_process(cls) -> Io:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return cls(
            stdin=sys.stdin.buffer,
            out=sys.stdout,
            err=sys.stderr,
            environ=os.environ,
            cwd=os.getcwd(),
        )

    def write(self, text: str) -> None:
        """Standard output. A reader who has gone away is no failure of the run."""
        try:
            self.out.write(text)
            self.out.flush()
        except BrokenPipeError:
            self._out_is_closed()

    def flush(self) -> None:
        try:
            self.out.flush()
        except BrokenPipeError:
            self._out_is_closed()

    def error_line(self, text: str) -> None:
        try:
            self.err.write(text + "\n")
            self.err.flush()
        except OSError:
            pass

    def _out_is_closed(self) -> None:
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
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def show_error(error: KeywatchError, io: Io) -> None:
    """What happened, why, and what to do next, in plain lines on standard error."""
    where = f"{error.where}: " if error.where else ""
    io.error_line(f"keywatch: {_plain(where + error.what)}")
    if error.why:
        io.error_line(f"  why: {_plain(error.why)}")
    if error.todo:
        io.error_line(f"  do:  {_plain(error.todo)}")


def _plain(text: str) -> str:
    """Without control characters: a file's name may hold terminal commands."""
    return re.sub(_CONTROL, lambda m: f"\\x{ord(m[0]):02x}", text)
