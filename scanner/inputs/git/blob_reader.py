"""Inputs: the bytes of blobs by their ids, read ahead and kept for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from scanner.inputs import text_encoding
from scanner.inputs.git import commands
from scanner.inputs.git.packs import Packs

Content = bytes | int | None
"""The bytes of a blob; its size where that is over what is asked for; None where there is none."""

_AHEAD = 250  # contents that are asked for at once
_ROOM = 8 << 20  # bytes of contents that are kept


class Contents:
    """Those that are wanted one after the other are asked for ahead. `packs`: where most of them
    are likely to be, None where they are not worth the time."""

    def __init__(self, root: str, packs: Packs | None) -> None:
        self._packs = packs
        self._stream = commands.Objects(root)
        self._single = commands.objects(root)
        self._kept: dict[str, Content] = {}
        self._size = 0

    def close(self) -> None:
        self._stream.close()

    def each(self, oids: Sequence[str], most: int) -> Iterator[Content]:
        """What there is of each of these. All are to be taken before it is asked again."""
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
        """What there is of a blob."""
        if oid not in self._kept:
            packs = self._packs
            data = packs.read(oid) if packs and packs.has(oid, most) else None
            self.keep(oid, self._single.read(oid, most) if data is None else data)
        return self._kept[oid]

    def text(self, oid: str, most: int) -> bytes | None:
        """The bytes of one that is a text; None where it is none."""
        data = self.read(oid, most)
        return text_encoding.text(data) if isinstance(data, bytes) else None

    def keep(self, oid: str, data: Content) -> None:
        """It is read next."""
        if self._size > _ROOM:
            self._kept.clear()
            self._size = 0
        if oid not in self._kept:
            self._kept[oid] = data
            self._size += 100 + (len(data) if isinstance(data, bytes) else 0)
