"""Inputs: the members of a tar as it passes, front to back, in constant memory.

`tarfile` reads a block here, and no more: it keeps every member, reads headers of any size into
memory, calls itself for each of them, and takes a damaged header in the middle for the end.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from scanner.inputs.archives.compression import PIECE, Member, Reader

_BLOCK = 512
_HEADER = 1 << 20  # bytes of a header that says something of the next member
_LEFT_OUT = {
    **dict.fromkeys((tarfile.SYMTYPE, tarfile.LNKTYPE), "symlink"),
    **dict.fromkeys((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE), "special"),
    tarfile.DIRTYPE: "folder",
}
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENDING = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_SPARSE_MORE, _SPARSE_NEXT = 482, 504  # offsets: does a block with more of the map follow?


class _Body:
    """The bytes of one member. EOFError where the tar ends within it."""

    def __init__(self, file: Reader, size: int) -> None:
        self._file = file
        self._left = size

    def opened(self) -> Reader:
        return self

    def read(self, most: int, /) -> bytes:
        data = self._file.read(min(most, self._left))
        if most and self._left and not data:
            raise EOFError("it ends too early")
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Go to its end."""
        while self._left:
            self.read(PIECE)


class _Said(NamedTuple):
    """What headers before a member say of it."""

    name: bytes | None = None
    size: int | None = None
    has_map: bool = False


def members(file: Reader) -> Iterator[Member]:
    """Each member; its body is good until the next one is asked for. EOFError, ValueError,
    IndexError or tarfile.TarError where it is damaged.

    Blocks of zeros end a tar, but another one may follow in the same file.
    """
    said = _Said()
    while block := file.read(_BLOCK):
        if block.count(0) == len(block):
            continue
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if info.size < 0:
            raise ValueError("a size below zero")
        if info.type in _EXTENDING:
            data = _header(file, info.size)
            if info.type in _PAX:
                said = _records(data, said)
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                said = said._replace(name=data.partition(b"\0")[0])
            continue
        left_out = _LEFT_OUT.get(info.type, "")
        size = 0 if left_out else info.size if said.size is None else said.size
        if info.type == tarfile.GNUTYPE_SPARSE:
            _pass_map(file, more=block[_SPARSE_MORE])
        name = info.name if said.name is None else said.name.decode("utf-8", "surrogateescape")
        body, padding = _Body(file, size), -size % _BLOCK
        if said.has_map and not left_out:
            _pass_map_within(body)
        yield Member(name, size, left_out, body.opened)
        body.skip()
        file.read(padding)
        said = _Said()


def _header(file: Reader, size: int) -> bytes:
    if size > _HEADER:
        raise ValueError("a header that is too long")
    data = file.read(size)
    file.read(-size % _BLOCK)  # less than it says: reading on tells
    return data


def _records(data: bytes, said: _Said) -> _Said:
    """Lines of pax, as `27 path=some/long/name`: the number is the length of the whole line."""
    at = 0
    while at < len(data) and data[at]:
        digits = data[at : at + 20].partition(b" ")[0]
        length = int(digits)
        if not len(digits) < length <= len(data) - at:
            raise ValueError("a record of a wrong length")
        key, _, value = data[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if key == (b"GNU.sparse.name" if said.has_map else b"path"):
            said = said._replace(name=value)
        elif key == b"size":
            said = said._replace(size=_natural(value))
        elif key == b"GNU.sparse.major":
            said = said._replace(has_map=value == b"1")
        at += length
    return said


def _natural(text: bytes) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("a number below zero")
    return number


def _pass_map(file: Reader, more: int) -> None:
    """Of a file with holes, as GNU's tar stored it at first: the rest of the map stands before the
    member."""
    while more:
        more = file.read(_BLOCK)[_SPARSE_NEXT]


def _pass_map_within(body: _Body) -> None:
    """Of a file with holes, as pax stores it: the map, a number on each line, begins the member."""
    block = body.read(_BLOCK)
    lines = 1 + 2 * _natural(block.partition(b"\n")[0])
    seen = block.count(b"\n")
    while seen < lines and block:
        block = body.read(_BLOCK)
        seen += block.count(b"\n")
