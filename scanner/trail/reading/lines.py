"""The lines of a log, each of a bounded length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

MOST_LINE = 1 << 26
"""Bytes of the longest line that is read: a file of CloudTrail is one line."""
_PIECE = 1 << 18
"""Bytes that are read at a time: few enough to stay in the processor's cache."""


class Source(Protocol):
    """Bytes from the front to the back."""

    def read(self, most: int) -> bytes: ...


class Lines:
    """Lines without their ends, in batches. `offset` counts the bytes of complete lines, the last
    one's end included, `number` the lines; both are of the end of the batch that was given last.
    `too_long` counts lines that were passed over.

    The last line of a log may have no end: it is kept as `rest`, and not given.
    """

    def __init__(self, source: Source, offset: int, number: int) -> None:
        self._source = source
        self.offset = offset
        self.too_long = 0
        self.number = number
        self.rest = b""
        self._passing = 0

    def batches(self) -> Iterator[tuple[int, list[bytes]]]:
        """All complete lines that there are now, each batch with the number of its first line.

        More may follow when the log has grown.
        """
        while piece := self._source.read(_PIECE):
            if self._passing:
                piece = self._pass_over(piece)
                if not piece:
                    continue
            whole = piece.split(b"\n")
            last = whole.pop()
            if whole:
                self.offset += len(self.rest) + len(piece) - len(last)
                whole[0] = self.rest + whole[0]
                self.rest = last
                first = self.number + 1
                self.number += len(whole)
                yield first, whole
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
