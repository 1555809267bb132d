"""Inputs: the members of archives, as if they lay in a folder named after the archive.

Nothing is unpacked to disk, and a member's name is never used but as a label. What comes out of one
file, whatever is nested in it, is bounded in bytes, members, depth and memory.
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
                yield from _Walk(self, _Budget(size)).opened(path, kind, file)
        if not kind or _is_text(head):  # both, where text is before a zip or looks like a mark
            yield self.source.read(path, self.most)


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
            yield Gap(kind=GapKind.ARCHIVE_BOMB, path=path, reason=reason)

    def _archive(
        self, path: str, kind: str, file: Reader, depth: int, memory: int
    ) -> Iterator[Found]:
        if depth > DEPTH:
            raise Refused("archive-too-deep", f"it lies in {DEPTH} other archives")
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
        body: Reader = _Again(head, reader)
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
    kind = compression.mark(head)
    if kind and not (kind == "tar" and _is_text(head)):  # that mark may stand in any text
        return kind
    promised = compression.by_name(path)
    if not _is_text(head):
        return promised
    # Text may stand before a zip: a script that runs it.
    return promised if promised == "zip" and zips.is_one(file) else ""


def _is_text(head: bytes) -> bool:
    return text_encoding.encoding(head) is not None


def _label(holder: str, name: str) -> str:
    """Where a member stands. Its name leads nowhere: neither up, nor to the root."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return f"{holder}{MEMBER}{'/'.join(parts) or 'unnamed'}"


def _gap(path: str, error: Exception) -> Gap:
    """A library's own words may quote the file, so they are not repeated."""
    if isinstance(error, Refused):
        return Gap(kind=error.kind, path=path, reason=error.reason)
    reason = f"it is damaged, or takes too much memory ({type(error).__name__})"
    return Gap(kind=GapKind.ARCHIVE_DAMAGED, path=path, reason=reason)


def _too_large(path: str, member: Member) -> Skip | Gap:
    if member.ratio() <= RATIO:
        return Skip(kind=SkipKind.TOO_LARGE, path=path)
    reason = f"it is over max_file_size, and over {RATIO} times what is stored of it"
    return Gap(kind=GapKind.ARCHIVE_BOMB, path=path, reason=reason)


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
    """The file that was compressed; the members of a tar that was, as if it were none."""
    name = compression.inner_name(path)
    head = file.read(text_encoding.HEAD)
    body = _Again(head, file)
    if _kind(name, head, body) == "tar":
        yield from tar.members(body)
    else:
        yield Member(name, None, "", lambda: body, lambda: file.given / max(file.taken, 1))
