"""Read blobs by their ids, in large requests and with a small cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from scanner.inputs import text_encoding
from scanner.inputs.git import commands
from scanner.inputs.git.packs import Packs

Content = bytes | int | None
"""The bytes of a blob, its size if that is over the limit, or None if there is no such blob."""

_AHEAD = 250  # blobs of one request
_ROOM = 8 << 20  # bytes of the cache


class Contents:
    """Reads the blobs of a repository. `packs` is used first, if it is given."""

    def __init__(self, root: str, packs: Packs | None) -> None:
        self._packs = packs
        self._stream = commands.Objects(root)
        self._single = commands.objects(root)
        self._kept: dict[str, Content] = {}
        self._size = 0

    def close(self) -> None:
        self._stream.close()

    def each(self, oids: Sequence[str], most: int) -> Iterator[Content]:
        """Read these blobs in order. Take all of them before the next call."""
        for first in range(0, len(oids), _AHEAD):
            some, packs = oids[first : first + _AHEAD], self._packs
            packed = {oid for oid in some if packs.has(oid, most)} if packs else set()
            asked = [oid for oid, _ in groupby(some) if oid not in packed]
            others = self._stream.read_all(asked, most)
            for oid, copies in groupby(some):
                data = packs.read(oid) if packs and oid in packed else next(others)
                if data is None and oid in packed:
                    data = self._single.read(oid, most)
                yield from (data for _ in copies)

    def read(self, oid: str, most: int, _kind: object = b"blob", /) -> Content:
        """Read one blob."""
        if oid not in self._kept:
            packs = self._packs
            data = packs.read(oid) if packs and packs.has(oid, most) else None
            self.keep(oid, self._single.read(oid, most) if data is None else data)
        return self._kept[oid]

    def text(self, oid: str, most: int) -> bytes | None:
        """A blob as text; None if it is binary or not there."""
        data = self.read(oid, most)
        return text_encoding.text(data) if isinstance(data, bytes) else None

    def keep(self, oid: str, data: Content) -> None:
        """Cache a blob that will be read again soon."""
        if self._size > _ROOM:
            self._kept.clear()
            self._size = 0
        if oid not in self._kept:
            self._kept[oid] = data
            self._size += 100 + (len(data) if isinstance(data, bytes) else 0)
