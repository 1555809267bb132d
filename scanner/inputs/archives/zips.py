"""Read the members of a zip with the standard library, in limited memory."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedIOBase, BytesIO
from typing import IO, cast
from zipfile import ZipFile, ZipInfo, is_zipfile

from scanner.inputs.archives.compression import PIECE, Member, Reader, Refused

LISTED = 6
"""Bytes of memory that zipfile takes for each byte of a zip's list of members."""

_LARGEST_READ = 1 << 20  # bytes that zipfile reads at once, except for that list
_ENCRYPTED = 0x1
_UNIX = 3
_METHODS = (0, 8, 12, 14)  # supported by zipfile: stored, deflate, bzip2, LZMA


def members(file: BufferedIOBase, most: int, spend: Callable[[int], None]) -> Iterator[Member]:
    """Each member. `spend` is called with the number of unpacked bytes.

    Refused if the list of members has more than `most` bytes.
    """
    with ZipFile(_as_file(_LimitedFile(file, most))) as archive:
        for info in archive.infolist():
            yield Member(
                name=info.filename.replace("\\", "/"),  # some write the separator of Windows
                size=info.file_size,
                left_out=_left_out(info),
                open=partial(_opened, archive, info, spend),
                ratio=partial(_ratio, info),
            )


def is_zip(file: Reader) -> bool:
    """Is it a zip, even if other data precedes it? False for a file without `seek`."""
    if not isinstance(file, BufferedIOBase):
        return False
    found = is_zipfile(_as_file(file))
    file.seek(0)
    return found


def held(file: Reader, memory: int) -> tuple[BufferedIOBase, int]:
    """A zip as a file with `seek`, and the rest of `memory`.

    A zip within another archive is read into memory, because its list of members is at its end.
    Refused if that takes more than half of `memory`.
    """
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
    """zipfile only needs `read`, `seek`, `tell` and `seekable`."""
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
    """Reads a member in small pieces and reports their sizes to `spend`."""

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


class _LimitedFile:
    """A zip file that refuses to read a list of members of more than `most` bytes.

    zipfile reads nothing else of that size at once.
    """

    def __init__(self, file: BufferedIOBase, most: int) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read
        self._most = max(most, _LARGEST_READ)

    def read(self, size: int = -1) -> bytes:
        if size > self._most:
            reason = f"its list of members takes more than {self._most:,} bytes"
            raise Refused("archive-too-large", reason)
        return self._read(size)
