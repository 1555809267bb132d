"""Show how far a run is: a line that changes on a terminal, a line every minute in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from scanner.report import text

_EVERY_LINE = 60.0  # seconds between two lines of a log
_EVERY_PAINT = 0.2


class Progress:
    """Counts what is done: repositories or stores. `clock` is a monotonic clock in seconds."""

    def __init__(
        self,
        err: TextIO,
        what: str = "repositories",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._err = err
        self._what = what
        self._clock = clock
        self._live = err.isatty()
        self._start = clock()
        self._next = self._start + (0 if self._live else _EVERY_LINE)
        self.found = 0
        self.done = 0
        self.unchanged = 0
        self.gaps = 0
        self.commits = 0
        self.all_found = False

    def show(self, *, now: bool = False) -> None:
        """Show the numbers, if it is time to."""
        clock = self._clock()
        if clock < self._next and not now:
            return
        self._next = clock + (_EVERY_PAINT if self._live else _EVERY_LINE)
        self._write(f"\r\x1b[K{self.line(clock)}" if self._live else f"{self.line(clock)}\n")

    def line(self, clock: float) -> str:
        """`keywatch: 120 of 10,000 repositories · 3.4 each second · 48m left · 2 gaps`."""
        total = f"{self.found:,}" if self.all_found else f"at least {self.found:,}"
        parts = [f"keywatch: {self.done:,} of {total} {self._what}"]
        if self.unchanged:
            parts.append(f"{self.unchanged:,} unchanged")
        if self.commits:
            parts.append(text.count(self.commits, "commit"))
        seconds = clock - self._start
        if self.done and seconds > 1:
            rate = self.done / seconds
            parts.append(f"{rate:.1f} each second" if rate >= 1 else f"{rate * 60:.1f} each minute")
            if self.all_found and self.done < self.found:
                left = (self.found - self.done) / rate
                parts.append(f"{text.duration(int(left) + 1)} left")
        parts.append(text.count(self.gaps, "gap"))
        return " · ".join(parts)

    def say(self, words: str) -> None:
        """Print a line about the run."""
        self._write(f"\r\x1b[K{words}\n" if self._live else f"{words}\n")

    def end(self) -> None:
        """Leave the last numbers in a log, and nothing on a terminal."""
        if self._live:
            self._write("\r\x1b[K")
        else:
            self.show(now=True)

    def _write(self, words: str) -> None:
        try:
            self._err.write(words)
            self._err.flush()
        except OSError:
            pass  # nobody looks at it any more
