"""Read the members of a tar from front to back, in constant memory.

`tarfile` only parses single blocks here. As a reader it keeps every member, reads headers of any
size into memory, recurses for each of them, and takes a damaged header for the end of the file.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from scanner.inputs.archives.compression import PIECE, Member, Reader

_BLOCK = 512
_LONGEST_HEADER = 1 << 20  # bytes of a header that extends the header of the next member
_LEFT_OUT = {
    **dict.fromkeys((tarfile.SYMTYPE, tarfile.LNKTYPE), "symlink"),
    **dict.fromkeys((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE), "special"),
    tarfile.DIRTYPE: "folder",
}
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENDING = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_SPARSE_MORE, _SPARSE_NEXT = 482, 504  # offsets of the flag that another block of the map follows


class _Body:
    """Reads one member. EOFError if the tar ends within it."""

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
        """Read the rest."""
        while self._left:
            self.read(PIECE)


class _Extended(NamedTuple):
    """Values from extension headers, which replace those of the next member's own header."""

    name: bytes | None = None
    size: int | None = None
    has_map: bool = False


def members(file: Reader) -> Iterator[Member]:
    """Each member, whose body must be read before the next member is taken.

    EOFError, ValueError, IndexError or tarfile.TarError if the tar is damaged. Blocks of zeros end
    a tar, but another one may follow in the same file.
    """
    extended = _Extended()
    while block := file.read(_BLOCK):
        if block.count(0) == len(block):
            continue
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if info.size < 0:
            raise ValueError("a size below zero")
        if info.type in _EXTENDING:
            data = _header(file, info.size)
            if info.type in _PAX:
                extended = _records(data, extended)
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                extended = extended._replace(name=data.partition(b"\0")[0])
            continue
        left_out = _LEFT_OUT.get(info.type, "")
        size = 0 if left_out else info.size if extended.size is None else extended.size
        if info.type == tarfile.GNUTYPE_SPARSE:
            _pass_map(file, more=block[_SPARSE_MORE])
        name = info.name
        if extended.name is not None:
            name = extended.name.decode("utf-8", "surrogateescape")
        body, padding = _Body(file, size), -size % _BLOCK
        if extended.has_map and not left_out:
            _pass_map_within(body)
        yield Member(name, size, left_out, body.opened)
        body.skip()
        file.read(padding)
        extended = _Extended()


def _header(file: Reader, size: int) -> bytes:
    if size > _LONGEST_HEADER:
        raise ValueError("a header that is too long")
    data = file.read(size)
    file.read(-size % _BLOCK)  # if the file ends here, the next read notices it
    return data


def _records(data: bytes, extended: _Extended) -> _Extended:
    """Parse pax records like `27 path=some/long/name`, which begin with their whole length."""
    at = 0
    while at < len(data) and data[at]:
        digits = data[at : at + 20].partition(b" ")[0]
        length = int(digits)
        if not len(digits) < length <= len(data) - at:
            raise ValueError("a record of a wrong length")
        key, _, value = data[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if key == (b"GNU.sparse.name" if extended.has_map else b"path"):
            extended = extended._replace(name=value)
        elif key == b"size":
            extended = extended._replace(size=_natural(value))
        elif key == b"GNU.sparse.major":
            extended = extended._replace(has_map=value == b"1")
        at += length
    return extended


def _natural(text: bytes) -> int:
    number = int(text)
    if number < 0:
        raise ValueError("a number below zero")
    return number


def _pass_map(file: Reader, more: int) -> None:
    """Skip the rest of the map of a sparse file in GNU's old format, which precedes the member."""
    while more:
        more = file.read(_BLOCK)[_SPARSE_NEXT]


def _pass_map_within(body: _Body) -> None:
    """Skip the map of a sparse file in pax format: lines of numbers at the start of the member."""
    block = body.read(_BLOCK)
    lines = 1 + 2 * _natural(block.partition(b"\n")[0])
    seen = block.count(b"\n")
    while seen < lines and block:
        block = body.read(_BLOCK)
        seen += block.count(b"\n")
