"""The lines of a log, each of a bounded length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

MOST_LINE = 1 << 26
"""Bytes of the longest line that is read: a file of CloudTrail is one line."""
_PIECE = 1 << 18


class Source(Protocol):
    def read(self, most: int) -> bytes: ...


class Lines:
    """Lines without their ends. `offset` counts the bytes of complete lines, the last one's end
    included. `too_long` counts lines that were passed over.

    The last line of a log may have no end: it is given as `rest`, not as a line.
    """

    def __init__(self, source: Source, offset: int) -> None:
        self._source = source
        self.offset = offset
        self.too_long = 0
        self.number = 0
        """Lines that were given or passed over."""
        self.rest = b""
        self._passing = 0

    def __iter__(self) -> Iterator[bytes]:
        """All complete lines that there are now; more may follow when the log has grown."""
        while piece := self._source.read(_PIECE):
            if self._passing:
                piece = self._pass_over(piece)
                if not piece:
                    continue
            *whole, last = piece.split(b"\n")
            if whole:
                whole[0] = self.rest + whole[0]
                self.rest = last
                for line in whole:
                    self.offset += len(line) + 1
                    self.number += 1
                    yield line
            else:
                self.rest += last
                if len(self.rest) > MOST_LINE:
                    self._passing, self.rest = len(self.rest), b""

    def _pass_over(self, piece: bytes) -> bytes:
        """What follows the end of a line that is too long."""
        before, end, after = piece.partition(b"\n")
        self._passing += len(before)
        if end:
            self.offset += self._passing + 1
            self.number += 1
            self.too_long += 1
            self._passing = 0
        return after

    @property
    def is_cut(self) -> bool:
        """The log ends inside a line that is too long."""
        return self._passing > 0
