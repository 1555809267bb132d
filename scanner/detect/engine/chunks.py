"""Detect: read a file in overlapping pieces, and count lines and columns in them.

Memory use does not grow with the size of the file.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import DecodedText
    from scanner.detect.detect_secrets.found import FoundSecret
    from scanner.detect.prefilter.matcher import Hit

_OVERLAP = 65536


class Buffer(NamedTuple):
    """A piece of a file. Neighbouring pieces overlap.

    A match belongs to this piece if it starts in [first, last). The rest of `data` is context.
    The next piece begins at the offset `following`.
    """

    data: bytes
    first: int
    last: int
    following: int


class PieceHits(NamedTuple):
    """Where to look in a piece of a file.

    rules: the hits of rules and allow comments.
    decoded: the texts that are encoded in the piece, with their own hits.
    detect_secrets: what detect-secrets found, if the piece is the whole file.
    """

    rules: Sequence[Hit]
    decoded: Sequence[DecodedText] = ()
    detect_secrets: Sequence[FoundSecret] = ()


class Cursor:
    """The line and column of an offset that moves forward through a buffer. Both count from 1."""

    def __init__(self) -> None:
        self.line = 1
        self.column = 1
        self._at = 0

    def copy(self) -> Cursor:
        other = Cursor()
        other.line, other.column = self.line, self.column
        return other

    def ahead(self, data: bytes, to: int) -> tuple[int, int]:
        """Return the line and column of a later offset without moving the cursor."""
        kept = self.line, self.column, self._at
        ahead = self.move(data, to)
        self.line, self.column, self._at = kept
        return ahead

    def move(self, data: bytes, to: int) -> tuple[int, int]:
        """Move to the offset `to` and return its line and column. `to` must not go backwards."""
        if (self._at, self.line, self.column) == (0, 1, 1) and data.startswith(BOM_UTF8):
            self._at = min(len(BOM_UTF8), to)  # the byte order mark has no column
        newlines = data.count(b"\n", self._at, to)
        if newlines:
            self.line += newlines
            self.column = 1
            self._at = data.rfind(b"\n", self._at, to) + 1
        # Each byte of invalid UTF-8 counts as one character.
        self.column += len(data[self._at : to].decode(errors="surrogateescape"))
        self._at = to
        return self.line, self.column


def buffers(chunks: Iterable[bytes]) -> Iterator[Buffer]:
    """Join the chunks of a file to pieces that overlap, so that a match is never cut in two."""
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
    """Return `at`, or the start of the UTF-8 character that a cut at `at` would split."""
    for start in range(max(at, 0), max(at - 3, 0), -1):
        if data[start] & 0xC0 != 0x80:
            return start
    return max(at - 3, 0)
