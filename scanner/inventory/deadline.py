"""Inventory: the time that a whole backend may take."""

from __future__ import annotations

import time


class LateError(Exception):
    """The time is used up. No SDK knows this error, so none tries again because of it."""


class Deadline:
    """Counts down from the moment when it is made."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def allows(self, seconds: float = 0) -> bool:
        """Is there more time left than this?"""
        return time.monotonic() + seconds < self._end

    def demand(self) -> None:
        """LateError where there is no time left."""
        if not self.allows():
            raise LateError(f"not read within {self._seconds:g} s")
