"""The process's streams, environment, folder and arguments, as one value that is handed down."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, MutableMapping
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TextIO

from scanner.errors import KeywatchError, OutputError, UsageError, unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from scanner.model import FailOn, RuleInfo
    from scanner.report.interface import ReportContext

_LINKING_PROGRAMS = {"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper"}
_LINKING_TERMINALS = {"xterm-kitty", "xterm-ghostty", "foot", "alacritty"}
_VTE_WITH_LINKS = 5000  # GNOME Terminal and others with libvte 0.50


class Console(NamedTuple):
    """Where a command reads and writes."""

    stdin: IO[bytes]
    out: TextIO
    err: TextIO
    environ: MutableMapping[str, str]
    arguments: tuple[str, ...] = ()
    color_choice: str = "auto"

    @classmethod
    def of_process(cls) -> Console:
        stdin, out, err = _stream(sys.stdin, 0), _stream(sys.stdout, 1), _stream(sys.stderr, 2)
        for stream in (out, err):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return cls(stdin.buffer, out, err, os.environ, tuple(sys.argv[1:]))

    @property
    def cwd(self) -> str:
        try:
            return os.getcwd()
        except FileNotFoundError:
            raise UsageError("the current folder was deleted", todo="cd to another one") from None

    @property
    def command_line(self) -> str:
        import shlex

        return shlex.join(["keywatch", *self.arguments])

    def report_context(
        self,
        rules: Mapping[str, RuleInfo],
        now: datetime,
        root: str,
        fail_on: FailOn,
        analysis: str,
    ) -> ReportContext:
        """The context of a run's reports. `root` is the folder that the run is about."""
        import scanner
        from scanner.masking import masked
        from scanner.report.interface import ReportContext

        return ReportContext(
            rules=rules,
            now=now,
            version=scanner.__version__,
            root=os.path.basename(root),
            command=masked(self.command_line),
            fail_on=fail_on,
            color=self.color,
            links=self.links,
            width=self.width,
            analysis=analysis,
            program=self.program,
        )

    def file(self, name: str, shown: str = "") -> bytes:
        """Read a file that the user named, relative to the current folder.

        UsageError, with the name `shown`, if it cannot be read.
        """
        try:
            with open(os.path.join(self.cwd, name), "rb") as file:
                return file.read()
        except OSError as error:
            raise unreadable(shown or name, error) from None

    def write(self, text: str) -> None:
        self.write_all([text])

    def write_all(self, pieces: Iterable[str]) -> None:
        """Write to standard output. OutputError if that fails, unless the reader has gone away."""
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
        """Discard later output, which Python would try to flush once more when it exits."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())

    @property
    def color(self) -> bool:
        """Whether to use colours: --color decides, then NO_COLOR, FORCE_COLOR and the terminal."""
        if self.color_choice != "auto":
            return self.color_choice == "always"
        if self.environ.get("NO_COLOR"):  # no-color.org
            return False
        if forced := self.environ.get("FORCE_COLOR"):  # force-color.org
            return forced != "0"
        return self.environ.get("TERM") != "dumb" and self.out.isatty()

    @property
    def program(self) -> str:
        """How the user can run keywatch: by its name if it is on PATH, or else by its full path.

        The pre-commit framework changes PATH, but only for its hooks.
        """
        path = self.environ.get("PATH", "")
        folders = () if self.environ.get("PRE_COMMIT") else path.split(os.pathsep)
        if any(os.access(os.path.join(each, "keywatch"), os.X_OK) for each in folders if each):
            return "keywatch"
        import shlex

        beside = os.path.join(os.path.dirname(sys.executable), "keywatch")
        if os.access(beside, os.X_OK):
            return shlex.quote(beside)
        return f"{shlex.quote(sys.executable)} -m scanner"

    @property
    def links(self) -> str:
        """The start of links to files of the current folder, or "" if the terminal shows none.

        FORCE_HYPERLINK decides, or else what the terminal says about itself.
        """
        forced = self.environ.get("FORCE_HYPERLINK")
        if forced == "0" or not (forced or (self.color and self._knows_links)):
            return ""
        import socket
        from urllib.parse import quote

        return f"file://{socket.gethostname()}{quote(self.cwd)}/"

    @property
    def _knows_links(self) -> bool:
        """Whether the terminal is one that shows links by OSC 8; others may print garbage."""
        environ = self.environ
        if environ.get("TERM_PROGRAM") in _LINKING_PROGRAMS or "WT_SESSION" in environ:
            return True
        if environ.get("TERM") in _LINKING_TERMINALS or "KONSOLE_VERSION" in environ:
            return True
        version = environ.get("VTE_VERSION", "")
        return version.isdigit() and int(version) >= _VTE_WITH_LINKS

    def progress(self, total: int = 0, what: str = "files") -> Progress:
        return Progress(self.err, total, what)

    @property
    def width(self) -> int:
        if not self.out.isatty():
            return 100
        return max(60, min(os.get_terminal_size(self.out.fileno()).columns, 160))


class Progress:
    """One line on a terminal that counts work, shown only for work that takes over a second.

    `total` is 0 if nobody knows it.
    """

    def __init__(self, err: TextIO, total: int, what: str) -> None:
        self._err = err
        self._total = total
        self._what = what
        self._begun = time.monotonic()
        self._next = self._begun + 1 if err.isatty() else float("inf")
        self._shown = False

    def at(self, done: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._err.write(f"\r\x1b[Kkeywatch: {self._line(done, now - self._begun)}")
            self._err.flush()
            self._next = now + 0.1
            self._shown = True

    def _line(self, done: int, seconds: float) -> str:
        rate = done / seconds
        if not self._total:
            return f"{done:,} {self._what}, {rate:,.0f}/s"
        total = max(self._total, done)  # files in archives were not counted before
        left = f", {(total - done) / rate:,.0f} s left" if done else ""
        return f"{done:,} of {total:,} {self._what}, {rate:,.0f}/s{left}"

    def clear(self) -> None:
        if self._shown:
            self._err.write("\r\x1b[K")


def _stream(stream: Any, number: int) -> Any:
    """A standard stream, replaced by the null device if it is closed.

    Otherwise the first file that is opened would get the stream's number and its output.
    """
    if stream is None:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
        stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115 - it stays open
    return stream


def show_error(error: KeywatchError, console: Console) -> None:
    """Print what happened, why, and what to do next, with secrets in names masked."""
    where = f"{error.where}: " if error.where else ""
    console.error_line(f"keywatch: {plain(where + error.what)}")
    if error.why:
        console.error_line(f"  why: {plain(error.why)}")
    if error.todo:
        console.error_line(f"  do:  {plain(error.todo)}")


def plain(text: str) -> str:
    """Text with secrets masked, and without commands for a terminal or a CI system."""
    from scanner.masking import masked
    from scanner.report.text import for_log, visible

    return for_log(visible(masked(text)))
