"""Inputs: the members of archives, as if they lay in a folder named after the archive.

Nothing is unpacked to disk, and a member's name is never used but as a label. What comes out of one
file, whatever is nested in it, is bounded in bytes, members, depth and memory.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator
from functools import partial
from io import SEEK_END, BufferedIOBase, BytesIO
from typing import IO, NamedTuple, cast
from zipfile import ZipFile, ZipInfo, is_zipfile

from scanner.inputs import decoding, packed, tar
from scanner.inputs.interface import CHUNK, Blob, Source
from scanner.inputs.packed import Reader, Refused
from scanner.model import MEMBER, Gap, Skip

DEPTH = 5
"""Archives within archives."""
MEMBERS = 200_000
"""Members of one file, those of nested archives included."""
RATIO, FLOOR, CEILING = 100, 32 << 20, 4 << 30
"""One file may grow to RATIO times its size, to FLOOR bytes in any case, to CEILING in none."""
MEMORY = 144 << 20
"""Bytes that one file may take. A nested zip is held, a decompressor has a window: each gets half
of what those around it leave; a zip's list of members gets a third."""
HELD = MEMORY // 2
"""Bytes of the largest archive that is held in memory: one in git's index, for example."""

_LISTED = 6  # bytes of memory for each byte of a zip's list of members
_PIECE = 1 << 16
_LARGEST_READ = 1 << 20  # bytes of a zip that are read at once, beside that list
_ENCRYPTED = 0x1
_UNIX = 3
_METHODS = (0, 8, 12, 14)  # what the standard library unpacks: stored, deflate, bzip2, LZMA

Found = Blob | Skip | Gap


class Archives(NamedTuple):
    """The files of a Source, and what is in those that are archives.

    `most`: bytes of the largest member that is read; `excluded` is asked about each.
    """

    source: Source
    most: int
    excluded: Callable[[str], bool]

    def read(self, path: str) -> Iterator[Found]:
        """One of the source's paths: its members where it is an archive, else itself."""
        file = self.source.open(path, HELD)
        if isinstance(file, Gap):
            yield file if packed.by_name(path) else self.source.read(path, self.most)
            return
        if file is None:
            yield self.source.read(path, self.most)
            return
        with file:
            head = file.read(decoding.HEAD)
            kind = _kind(path, head, file)
            if kind:
                size = file.seek(0, SEEK_END)
                file.seek(0)
                yield from _Walk(self, _Budget(size)).opened(path, kind, file)
        if not kind or _is_text(head):  # both, where text is before a zip or looks like a mark
            yield self.source.read(path, self.most)


class _Member(NamedTuple):
    """Something in an archive. `size` is None where only reading it tells, `ratio` what it grows
    by when it is unpacked; `left_out` is empty or a Skip's kind, or `folder`."""

    name: str
    size: int | None
    ratio: Callable[[], float]
    left_out: str
    open: Callable[[], Reader]


class _Bomb(Exception):  # noqa: N818 - it becomes a Gap
    """A file is not read on: more comes out of it than it is allowed."""


class _Budget:
    """What may still come out of a file of so many bytes."""

    def __init__(self, size: int) -> None:
        self._allowed = self._left = min(CEILING, max(FLOOR, RATIO * size))
        self._members = MEMBERS

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _Bomb(f"more than {self._allowed:,} bytes come out of it")

    def count(self, name: str) -> None:
        """One member more. Its name may be repeated in a report."""
        self._members -= 1
        if self._members < 0:
            raise _Bomb(f"it has more than {MEMBERS:,} members")
        self.spend(len(name))


class _Walk:
    """The way through one file and what is nested in it."""

    def __init__(self, archives: Archives, budget: _Budget) -> None:
        self._most = archives.most
        self._excluded = archives.excluded
        self._budget = budget

    def opened(self, path: str, kind: str, file: BufferedIOBase) -> Iterator[Found]:
        """The members of the outermost archive; what cannot be read is a Gap."""
        try:
            yield from _guarded(path, self._archive(path, kind, file, 1, MEMORY))
        except _Bomb as bomb:
            reason = f"{bomb}; the rest of it was not read"
            yield Gap(kind="archive-bomb", path=path, reason=reason)

    def _archive(
        self, path: str, kind: str, file: Reader, depth: int, memory: int
    ) -> Iterator[Found]:
        if depth > DEPTH:
            raise Refused("archive-too-deep", f"it lies in {DEPTH} other archives")
        if kind == "sevenzip":
            reason = "keywatch does not open 7z: unpack it, and scan the folder"
            raise Refused("archive-unsupported", reason)
        if kind == "tar":
            members = _of_tar(file)
        elif kind == "zip":
            held, memory = _held(file, memory)
            listed = memory // 3
            memory -= listed
            members = _of_zip(held, listed // _LISTED, self._budget.spend)
        else:
            window = memory // 2 if kind in packed.WINDOWED else 0
            memory -= window
            make = packed.engine(kind, window)
            members = _of_one(path, packed.Unpacked(file, make, self._budget.spend))
        for member in members:
            where = _label(path, member.name)
            self._budget.count(where)
            yield from _guarded(where, self._member(where, member, depth, memory))

    def _member(self, path: str, member: _Member, depth: int, memory: int) -> Iterator[Found]:
        if member.left_out == "folder":
            return
        if self._excluded(path):
            yield Skip(kind="excluded", path=path)
        elif member.left_out:
            yield Skip(kind=member.left_out, path=path)
        else:
            yield from self._content(path, member, depth, memory)

    def _content(self, path: str, member: _Member, depth: int, memory: int) -> Iterator[Found]:
        reader = member.open()
        head = reader.read(decoding.HEAD)
        body: Reader = _Again(head, reader)
        if packed.by_name(path) == "zip":
            body, memory = _held(body, memory)
        kind = _kind(path, head, body)
        if kind:
            yield from _guarded(path, self._archive(path, kind, body, depth + 1, memory))
            if isinstance(body, BytesIO) and _is_text(head):
                yield from self._text(path, member, BytesIO(body.getbuffer()))
        elif member.size is not None and member.size > self._most:
            yield _too_large(path, member)
        elif member.size is not None and not _is_text(head):
            yield Skip(kind="binary", path=path)  # the rest need not be unpacked
        else:
            yield from self._text(path, member, body)

    def _text(self, path: str, member: _Member, body: Reader) -> Iterator[Found]:
        most = min(self._most, CHUNK)
        data, error = _as_much(body, most + 1)
        if len(data) > self._most:
            yield _too_large(path, member)
        elif len(data) > most:
            yield decoding.blob(path, member.size or len(data), data, self._pieces(data, body))
        else:
            yield decoding.blob(path, len(data), data, (data,))
            if error:
                yield _gap(path, error)

    def _pieces(self, data: bytes, body: Reader) -> Iterator[bytes]:
        """A member that is read while it is looked at. OSError where that goes wrong."""
        size = 0
        while data:
            size += len(data)
            if size > self._most:
                raise OSError(errno.EFBIG, "it is over max_file_size")
            yield data
            try:
                data = body.read(CHUNK)
            except Exception as error:  # noqa: BLE001 - as above
                raise OSError(errno.EIO, _gap("", error).reason) from None


class _Again:
    """A reader of which the beginning has been read."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = head
        self._rest = rest

    def read(self, most: int, /) -> bytes:
        head, self._head = self._head[:most], self._head[most:]
        return head + self._rest.read(most - len(head)) if len(head) < most else head


def _kind(path: str, head: bytes, file: Reader) -> str:
    """The format of a file, "" for none. Its mark says it; of one without, its name, but only where
    it is no text: a pointer of git-lfs is called like what it stands for."""
    kind = packed.mark(head)
    if kind and not (kind == "tar" and _is_text(head)):  # that mark may stand in any text
        return kind
    promised = packed.by_name(path)
    if not _is_text(head):
        return promised
    # Text may stand before a zip: a script that runs it.
    return promised if promised == "zip" and _is_zip(file) else ""


def _is_zip(file: Reader) -> bool:
    if not isinstance(file, BufferedIOBase):
        return False
    found = is_zipfile(cast("IO[bytes]", file))
    file.seek(0)
    return found


def _is_text(head: bytes) -> bool:
    return decoding.encoding(head) is not None


def _label(holder: str, name: str) -> str:
    """Where a member stands. Its name leads nowhere: neither up, nor to the root."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return f"{holder}{MEMBER}{'/'.join(parts) or 'unnamed'}"


def _gap(path: str, error: Exception) -> Gap:
    """A library's own words may quote the file, so they are not repeated."""
    if isinstance(error, Refused):
        return Gap(kind=error.kind, path=path, reason=error.reason)
    reason = f"it is damaged, or takes too much memory ({type(error).__name__})"
    return Gap(kind="archive-damaged", path=path, reason=reason)


def _too_large(path: str, member: _Member) -> Skip | Gap:
    if member.ratio() <= RATIO:
        return Skip(kind="too-large", path=path)
    reason = f"it is over max_file_size, and over {RATIO} times what is stored of it"
    return Gap(kind="archive-bomb", path=path, reason=reason)


def _guarded(path: str, found: Iterator[Found]) -> Iterator[Found]:
    """What is found, and a Gap where an error ends it."""
    try:
        yield from found
    except _Bomb:
        raise
    except Exception as error:  # noqa: BLE001 - what libraries raise on hostile bytes has no end
        yield _gap(path, error)


def _as_much(body: Reader, most: int) -> tuple[bytes, Exception | None]:
    """`most` bytes, or those before the end or the damage."""
    pieces: list[bytes] = []
    try:
        while most and (piece := body.read(min(most, _PIECE))):
            pieces.append(piece)
            most -= len(piece)
    except _Bomb:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return b"".join(pieces), error
    return b"".join(pieces), None


def _of_one(path: str, file: packed.Unpacked) -> Iterator[_Member]:
    """The file that was compressed; the members of a tar that was, as if it were none."""
    name = packed.inner_name(path)
    head = file.read(decoding.HEAD)
    body = _Again(head, file)
    if _kind(name, head, body) == "tar":
        yield from _of_tar(body)
    else:
        yield _Member(name, None, lambda: file.given / max(file.taken, 1), "", lambda: body)


def _of_tar(file: Reader) -> Iterator[_Member]:
    for name, size, left_out, body in tar.entries(file):
        yield _Member(name, size, lambda: 1, left_out, partial(_as_it_is, body))


def _as_it_is(body: Reader) -> Reader:
    return body


def _of_zip(file: BufferedIOBase, most: int, spend: Callable[[int], None]) -> Iterator[_Member]:
    with ZipFile(cast("IO[bytes]", _Listed(file, most))) as archive:
        for info in archive.infolist():
            yield _Member(
                # Some write the separator of Windows.
                info.filename.replace("\\", "/"),
                info.file_size,
                partial(_ratio, info),
                _left_out(info),
                partial(_opened, archive, info, spend),
            )


def _ratio(info: ZipInfo) -> float:
    return info.file_size / max(info.compress_size, 1)


def _left_out(info: ZipInfo) -> str:
    if info.is_dir():
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
        while most and (piece := self._file.read(min(most, _PIECE))):
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


def _held(file: Reader, memory: int) -> tuple[BufferedIOBase, int]:
    """A zip as a file to move about in, and what is left of the memory. Its list of members stands
    at its end: one within another archive is held."""
    if isinstance(file, BufferedIOBase):
        return file, memory
    data = file.read(memory // 2 + 1)
    if len(data) > memory // 2:
        reason = f"a zip in another archive is held in memory, here up to {memory // 2:,} bytes"
        raise Refused("archive-too-large", reason)
    return BytesIO(data), memory - len(data)
