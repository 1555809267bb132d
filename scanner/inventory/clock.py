"""Inventory: the clock of a cloud, compared with this machine's.

The clouds' own clocks are right, so a difference means that this machine's clock is wrong. Dates
are moved to this machine's clock, so that ages are right.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from scanner.inventory.http import clock_ahead, server_time
from scanner.inventory.interface import Settings
from scanner.model import Gap, Note, NoteKind
from scanner.records import Record, on_our_clock

_MAX_SKEW = timedelta(minutes=1)


class CloudClock:
    """`now` is the time of the run, unless the settings have the machine's time."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._began = settings.clock or now
        self._monotonic = time.monotonic()
        self._ahead: timedelta | None = None

    @property
    def ahead(self) -> timedelta:
        """How far the store's clock is ahead of this machine's; zero if they agree."""
        return self._ahead or timedelta()

    def saw(self, headers: Mapping[str, str]) -> None:
        """Take the time from the first answer that has one."""
        when = server_time(headers)
        if self._ahead is None and when:
            here = self._began + timedelta(seconds=time.monotonic() - self._monotonic)
            ahead = clock_ahead(when, here)
            self._ahead = ahead if abs(ahead) > _MAX_SKEW else timedelta()

    def corrected(
        self, items: Iterable[Record | Gap | Note], path: str
    ) -> Iterator[Record | Gap | Note]:
        """The items with corrected dates, and a note about the store `path` if there are any."""
        for item in items:
            yield on_our_clock(item, self.ahead) if isinstance(item, Record) else item
        if self.ahead:
            direction = "behind" if self.ahead > timedelta() else "ahead of"
            seconds = f"{abs(self.ahead).total_seconds():.0f} s"
            text = f"this machine's clock is {seconds} {direction} the store's; ages are corrected"
            yield Note(kind=NoteKind.CLOCK_SKEW, path=path, text=text)
