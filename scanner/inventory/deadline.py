"""Inventory: the time limit for one whole backend."""

from __future__ import annotations

import time

from scanner.inventory.errors import ReadError


class Deadline:
    """Starts when it is created and ends after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def allows(self, seconds: float = 0) -> bool:
        """Is there more time left than this?"""
        return time.monotonic() + seconds < self._end

    def left(self) -> float:
        """The seconds that are left. ReadError if there are none.

        No SDK knows ReadError, so no SDK retries because of it.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise ReadError("timeout", f"not read within {self._seconds:g} s")
        return left
