"""Read the members of archives, as if they were in a folder named after the archive.

Nothing is unpacked to disk, and a member's name is only used as a label. Bytes, members, depth and
memory are limited for each file, including all archives nested in it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from io import SEEK_END, BufferedIOBase, BytesIO
from typing import NamedTuple

from scanner.inputs import text_encoding
from scanner.inputs.archives import compression, tar, zips
from scanner.inputs.archives.compression import PIECE, Member, Reader, Refused
from scanner.inputs.interface import CHUNK, Blob, Source
from scanner.model import MEMBER, Gap, GapKind, Skip, SkipKind

DEPTH = 5
"""Most archives within each other."""
MEMBERS = 200_000
"""Most members of one file, including those of nested archives."""
RATIO, FLOOR, CEILING = 100, 32 << 20, 4 << 30
"""One file may unpack to RATIO times its size, but at least FLOOR and at most CEILING bytes."""
MEMORY = 144 << 20
"""Bytes of memory for one file. A nested zip and a decompressor's window each get half of what the
archives around them leave; a zip's list of members gets a third."""
HELD = MEMORY // 2
"""Bytes of the largest archive that is kept in memory, such as one from git's index."""


Found = Blob | Skip | Gap


class Archives(NamedTuple):
    """Reads the files of a Source, and the members of those that are archives.

    `most` is the size of the largest member that is read; `excluded` tells which paths are not.
    """

    source: Source
    most: int
    excluded: Callable[[str], bool]

    def read(self, path: str) -> Iterator[Found]:
        """Read a path of the source: its members if it is an archive, or else the file itself."""
        file = self.source.open(path, HELD)
        if isinstance(file, Gap):
            yield file if compression.by_name(path) else self.source.read(path, self.most)
            return
        if file is None:
            yield self.source.read(path, self.most)
            return
        with file:
            head = file.read(text_encoding.HEAD)
            kind = _kind(path, head, file)
            if kind:
                size = file.seek(0, SEEK_END)
                file.seek(0)
                yield from _ArchiveReader(self, _Budget(size)).members_of(path, kind, file)
        if not kind or _is_text(head):  # a script with a zip behind it is scanned as both
            yield self.source.read(path, self.most)


class _Bomb(Exception):  # noqa: N818 - it becomes a Gap
    """More comes out of a file than its limits allow, so the rest is not read."""


class _Budget:
    """The bytes and members that may still come out of one file."""

    def __init__(self, size: int) -> None:
        self._allowed = self._left = min(CEILING, max(FLOOR, RATIO * size))
        self._members = MEMBERS

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _Bomb(f"more than {self._allowed:,} bytes come out of it")

    def count(self, name: str) -> None:
        """Count one member. Its name counts as well, because a report may repeat it."""
        self._members -= 1
        if self._members < 0:
            raise _Bomb(f"it has more than {MEMBERS:,} members")
        self.spend(len(name))


class _ArchiveReader:
    """Reads one file and all archives nested in it."""

    def __init__(self, archives: Archives, budget: _Budget) -> None:
        self._most = archives.most
        self._excluded = archives.excluded
        self._budget = budget

    def members_of(self, path: str, kind: str, file: BufferedIOBase) -> Iterator[Found]:
        """The members of the outermost archive. What cannot be read becomes a Gap."""
        try:
            yield from _guarded(path, self._archive(path, kind, file, 1, MEMORY))
        except _Bomb as bomb:
            reason = f"{bomb}; the rest of it was not read"
            yield Gap(kind=GapKind.ARCHIVE_BOMB, path=path, reason=reason)

    def _archive(
        self, path: str, kind: str, file: Reader, depth: int, memory: int
    ) -> Iterator[Found]:
        if depth > DEPTH:
            raise Refused("archive-too-deep", f"it is nested in {DEPTH} other archives")
        if kind == "sevenzip":
            reason = "keywatch does not open 7z: unpack it, and scan the folder"
            raise Refused("archive-unsupported", reason)
        if kind == "tar":
            members = tar.members(file)
        elif kind == "zip":
            held, memory = zips.held(file, memory)
            listed = memory // 3
            memory -= listed
            members = zips.members(held, listed // zips.LISTED, self._budget.spend)
        else:
            window = memory // 2 if kind in compression.WINDOWED else 0
            memory -= window
            make = compression.engine(kind, window)
            members = _of_one(path, compression.Unpacked(file, make, self._budget.spend))
        for member in members:
            where = _label(path, member.name)
            self._budget.count(where)
            yield from _guarded(where, self._member(where, member, depth, memory))

    def _member(self, path: str, member: Member, depth: int, memory: int) -> Iterator[Found]:
        if member.left_out == "folder":
            return
        if self._excluded(path):
            yield Skip(kind=SkipKind.EXCLUDED, path=path)
        elif member.left_out:
            yield Skip(kind=member.left_out, path=path)
        else:
            yield from self._content(path, member, depth, memory)

    def _content(self, path: str, member: Member, depth: int, memory: int) -> Iterator[Found]:
        reader = member.open()
        head = reader.read(text_encoding.HEAD)
        body: Reader = _Rewound(head, reader)
        if compression.by_name(path) == "zip":
            body, memory = zips.held(body, memory)
        kind = _kind(path, head, body)
        if kind:
            yield from _guarded(path, self._archive(path, kind, body, depth + 1, memory))
            if isinstance(body, BytesIO) and _is_text(head):
                body.seek(0)
                yield from self._text(path, member, body)
        elif member.size is not None and member.size > self._most:
            yield _too_large(path, member)
        elif member.size is not None and not _is_text(head):
            yield Skip(kind=SkipKind.BINARY, path=path)  # the rest need not be unpacked
        else:
            yield from self._text(path, member, body)

    def _text(self, path: str, member: Member, body: Reader) -> Iterator[Found]:
        most = min(self._most, CHUNK)
        data, error = _as_much(body, most + 1)
        if len(data) > self._most:
            yield _too_large(path, member)
        elif len(data) > most:
            yield text_encoding.blob(path, member.size or len(data), data, self._pieces(data, body))
        else:
            yield text_encoding.blob(path, len(data), data, (data,))
            if error:
                yield _gap(path, error)

    def _pieces(self, data: bytes, body: Reader) -> Iterator[bytes]:
        """The rest of a member, read while it is scanned. OSError if it cannot be read."""
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


class _Rewound:
    """A reader whose first bytes were read and are given again."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = head
        self._rest = rest

    def read(self, most: int, /) -> bytes:
        head, self._head = self._head[:most], self._head[most:]
        return head + self._rest.read(most - len(head)) if len(head) < most else head


def _kind(path: str, head: bytes, file: Reader) -> str:
    """The archive format of a file, or "".

    Its first bytes tell, or else its name, unless it is text: a pointer of Git LFS has the name of
    the archive that it stands for.
    """
    kind = compression.mark(head)
    if kind and not (kind == "tar" and _is_text(head)):  # the mark of tar may occur in a text
        return kind
    promised = compression.by_name(path)
    if not _is_text(head):
        return promised
    # A zip may begin with text: the script that runs it.
    return promised if promised == "zip" and zips.is_zip(file) else ""


def _is_text(head: bytes) -> bool:
    return text_encoding.encoding(head) is not None


def _label(holder: str, name: str) -> str:
    """The path of a member in reports, without `..` and leading slashes."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return f"{holder}{MEMBER}{'/'.join(parts) or 'unnamed'}"


def _gap(path: str, error: Exception) -> Gap:
    """The Gap for an error. A library's message may quote the file, so it is not repeated."""
    if isinstance(error, Refused):
        return Gap(kind=error.kind, path=path, reason=error.reason)
    reason = f"it is damaged, or takes too much memory ({type(error).__name__})"
    return Gap(kind=GapKind.ARCHIVE_DAMAGED, path=path, reason=reason)


def _too_large(path: str, member: Member) -> Skip | Gap:
    if member.ratio() <= RATIO:
        return Skip(kind=SkipKind.TOO_LARGE, path=path)
    reason = f"it is over max_file_size, and over {RATIO} times its stored size"
    return Gap(kind=GapKind.ARCHIVE_BOMB, path=path, reason=reason)


def _guarded(path: str, found: Iterator[Found]) -> Iterator[Found]:
    """What is found, and a Gap if an error ends it."""
    try:
        yield from found
    except _Bomb:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise any error for hostile bytes
        yield _gap(path, error)


def _as_much(body: Reader, most: int) -> tuple[bytes, Exception | None]:
    """Read `most` bytes, or those before the end or an error."""
    data = BytesIO()
    try:
        while most and (piece := body.read(min(most, PIECE))):
            most -= data.write(piece)
    except _Bomb:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return data.getvalue(), error
    return data.getvalue(), None


def _of_one(path: str, file: compression.Unpacked) -> Iterator[Member]:
    """The members of a compressed tar, or the one file that was compressed."""
    name = compression.inner_name(path)
    head = file.read(text_encoding.HEAD)
    body = _Rewound(head, file)
    if _kind(name, head, body) == "tar":
        yield from tar.members(body)
    else:
        yield Member(name, None, "", lambda: body, lambda: file.given / max(file.taken, 1))
