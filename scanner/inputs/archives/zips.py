"""Inputs: the members of a zip, by the standard library, which is kept from taking much memory."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedIOBase, BytesIO
from typing import IO, cast
from zipfile import ZipFile, ZipInfo, is_zipfile

from scanner.inputs.archives.compression import PIECE, Member, Reader, Refused

LISTED = 6
"""Bytes of memory for each byte of a zip's list of members."""

_LARGEST_READ = 1 << 20  # bytes of a zip that are read at once, beside that list
_ENCRYPTED = 0x1
_UNIX = 3
_METHODS = (0, 8, 12, 14)  # what the standard library unpacks: stored, deflate, bzip2, LZMA


def members(file: BufferedIOBase, most: int, spend: Callable[[int], None]) -> Iterator[Member]:
    """Each member, where their list has `most` bytes at most; `spend` is told what comes out."""
    with ZipFile(_as_file(_Listed(file, most))) as archive:
        for info in archive.infolist():
            yield Member(
                name=info.filename.replace("\\", "/"),  # some write the separator of Windows
                size=info.file_size,
                left_out=_left_out(info),
                open=partial(_opened, archive, info, spend),
                ratio=partial(_ratio, info),
            )


def is_one(file: Reader) -> bool:
    """Is it a zip, whatever stands before it? Only a file to move about in tells."""
    if not isinstance(file, BufferedIOBase):
        return False
    found = is_zipfile(_as_file(file))
    file.seek(0)
    return found


def held(file: Reader, memory: int) -> tuple[BufferedIOBase, int]:
    """A zip as a file to move about in, and what is left of the memory: its list of members stands
    at its end, so one that comes out of another archive is held. Refused where that takes more
    than half."""
    if isinstance(file, BufferedIOBase):
        return file, memory
    data, most = BytesIO(), memory // 2
    while piece := file.read(PIECE):
        data.write(piece)
        if data.tell() > most:
            reason = f"a zip in another archive is held in memory, here up to {most:,} bytes"
            raise Refused("archive-too-large", reason)
    data.seek(0)
    return data, memory - len(data.getbuffer())


def _as_file(file: object) -> IO[bytes]:
    """zipfile asks for no more than `read`, `seek`, `tell` and `seekable`."""
    return cast("IO[bytes]", file)


def _ratio(info: ZipInfo) -> float:
    return info.file_size / max(info.compress_size, 1)


def _left_out(info: ZipInfo) -> str:
    if info.is_dir() and not info.file_size:
        return "folder"
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    if stat.S_ISLNK(mode):
        return "symlink"
    return "" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "special"


def _opened(archive: ZipFile, info: ZipInfo, spend: Callable[[int], None]) -> Reader:
    if info.flag_bits & _ENCRYPTED:
        raise Refused("archive-encrypted", "it is encrypted, and keywatch has no password")
    if info.compress_type not in _METHODS:
        reason = f"its compression (method {info.compress_type}) is not known here"
        raise Refused("archive-unsupported", reason)
    return _Spending(archive.open(info), spend)


class _Spending:
    """A reader of what comes out of a zip, a little at once."""

    def __init__(self, file: Reader, spend: Callable[[int], None]) -> None:
        self._file = file
        self._spend = spend

    def read(self, most: int, /) -> bytes:
        pieces: list[bytes] = []
        while most and (piece := self._file.read(min(most, PIECE))):
            self._spend(len(piece))
            pieces.append(piece)
            most -= len(piece)
        return b"".join(pieces)


class _Listed:
    """A zip that refuses to read a list of members of more than `most` bytes. Nothing else of it is
    read at once in such a length."""

    def __init__(self, file: BufferedIOBase, most: int) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read
        self._most = max(most, _LARGEST_READ)

    def read(self, size: int = -1) -> bytes:
        if size > self._most:
            reason = f"its list of members takes more than {self._most:,} bytes"
            raise Refused("archive-too-large", reason)
        return self._read(size)
