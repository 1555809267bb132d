"""Detect: a file in pieces, so that memory does not grow with it, and places in its text."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_OVERLAP = 65536


class Buffer(NamedTuple):
    """A piece of a file. Only what starts in [first, last) belongs to it: the rest is there for the
    context of its neighbours. The next piece begins at `following`."""

    data: bytes
    first: int
    last: int
    following: int


class Cursor:
    """A line and a column that move forward through a buffer."""

    def __init__(self) -> None:
        self.line = 1
        self.column = 1
        self._at = 0

    def copy(self) -> Cursor:
        other = Cursor()
        other.line, other.column = self.line, self.column
        return other

    def ahead(self, data: bytes, to: int) -> tuple[int, int]:
        """The line and the column of a later offset, without going there."""
        kept = self.line, self.column, self._at
        ahead = self.move(data, to)
        self.line, self.column, self._at = kept
        return ahead

    def move(self, data: bytes, to: int) -> tuple[int, int]:
        """Go to the offset `to`, which may not lie before the last one."""
        if (self._at, self.line, self.column) == (0, 1, 1) and data.startswith(BOM_UTF8):
            self._at = min(len(BOM_UTF8), to)  # no text: it takes no column
        newlines = data.count(b"\n", self._at, to)
        if newlines:
            self.line += newlines
            self.column = 1
            self._at = data.rfind(b"\n", self._at, to) + 1
        # A byte that is no UTF-8 is one character: so the count does not depend on its neighbours.
        self.column += len(data[self._at : to].decode(errors="surrogateescape"))
        self._at = to
        return self.line, self.column


def buffers(chunks: Iterable[bytes]) -> Iterator[Buffer]:
    tail, first = b"", 0
    iterator = iter(chunks)
    chunk = next(iterator, b"")
    for following in iterator:
        data = tail + chunk
        last, keep = max(len(data) - _OVERLAP // 2, first), _cut(data, len(data) - _OVERLAP)
        yield Buffer(data, first, last, keep)
        tail, first, chunk = data[keep:], last - keep, following
    data = tail + chunk
    yield Buffer(data, first, len(data) + 1, len(data))


def _cut(data: bytes, at: int) -> int:
    """`at`, or the beginning of the character that it would cut in two."""
    for start in range(max(at, 0), max(at - 3, 0), -1):
        if data[start] & 0xC0 != 0x80:
            return start
    return max(at - 3, 0)
