"""The bytes of audit logs: which files are meant, decompressed, from where the last run stopped."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import IO, NamedTuple, Protocol

from scanner.console import Console
from scanner.errors import UsageError, unreadable
from scanner.inputs.archives import compression
from scanner.inputs.archives.compression import Refused
from scanner.model import GapKind

STDIN = "-"
HEAD = 1024
"""Bytes at the start of a log that say which log it is, under any name."""
_MEMORY = 1 << 27
"""What a decompressor may take."""
_SKIP = 1 << 18


class DamagedError(Exception):
    """The log cannot be read any further; the text says why."""


class Position(NamedTuple):
    """How far a log was read: `offset` decompressed bytes and `lines` lines of the log that begins
    with `length` bytes of this digest."""

    digest: str
    length: int
    offset: int
    lines: int
    """Complete lines before the offset."""


class Raw(Protocol):
    """Bytes, decompressed if need be."""

    def read(self, most: int, /) -> bytes: ...


class Stream:
    """One log, ready to be read from where an earlier run stopped.

    `read` raises DamagedError.
    """

    def __init__(self, name: str, file: IO[bytes], known: Sequence[Position]) -> None:
        self.name = name
        self._file = file
        self._raw, self.is_compressed = _opened(file)
        self._head = self._next(HEAD)
        self._given = 0
        at = _continued(self._head, known)
        self.skipped = at.offset if at and self._pass_over(at.offset) else 0
        self.lines = at.lines if at and self.skipped else 0
        """Lines before the first one that is read."""

    @property
    def descriptor(self) -> int:
        return self._file.fileno()

    @property
    def is_empty(self) -> bool:
        return not self._head

    def read(self, most: int) -> bytes:
        piece = self._head[self._given :] or self._next(most)
        self._given += len(piece)
        return piece

    def look_again(self) -> None:
        """A log that was empty may have begun."""
        if not self._head:
            self._head = self._next(HEAD)
            self._given = 0

    def _next(self, most: int) -> bytes:
        try:
            return self._raw.read(most)
        except OSError as error:
            raise DamagedError(f"it cannot be read: {error.strerror or error}") from None
        except Exception:  # noqa: BLE001 - what decompressors raise on damaged bytes has no end
            raise DamagedError("its compression is damaged or cut off") from None

    def position(self, offset: int, lines: int) -> Position:
        digest = _digest(self._head)
        return Position(digest, len(self._head), offset, lines)

    def close(self) -> None:
        if self.name != STDIN:
            self._file.close()

    def _pass_over(self, offset: int) -> bool:
        """False if the log is shorter than it was: then it is read from its start."""
        if not self.is_compressed and self._file.seekable():
            if os.fstat(self._file.fileno()).st_size < offset:
                return False
            self._file.seek(offset)
            self._given = offset
            if offset < len(self._head):
                self._file.seek(len(self._head))
            return True
        while self._given < offset:
            rest = offset - self._given
            if self._given < len(self._head):
                self._given = min(offset, len(self._head))
            elif piece := self._next(min(rest, _SKIP)):
                self._given += len(piece)
            else:
                return False
        return True


def _opened(file: IO[bytes]) -> tuple[Raw, bool]:
    head = file.read(compression.HEAD) if file.seekable() else b""
    kind = compression.mark(head)
    if file.seekable():
        file.seek(0)
    if kind not in ("gzip", "bzip2", "xz", "zstd"):
        return file, False
    return compression.Unpacked(file, compression.engine(kind, _MEMORY), lambda _size: None), True


def _continued(head: bytes, known: Iterable[Position]) -> Position | None:
    for each in known:
        if each.length and len(head) >= each.length and _digest(head[: each.length]) == each.digest:
            return each
    return None


def _digest(head: bytes) -> str:
    return blake2b(head, digest_size=16).hexdigest()


def names(given: Sequence[str], console: Console) -> list[str]:
    """The files that arguments name, globs expanded. UsageError for one that names none."""
    found: dict[str, None] = {}
    for each in given:
        found |= dict.fromkeys(_names(each, console))
    return [*found]


def _names(given: str, console: Console) -> Iterator[str]:
    place = os.path.join(console.cwd, given)
    if given == STDIN:
        yield given
    elif os.path.isdir(place):
        raise UsageError(f"{given} is a folder", todo=f"name the logs, such as '{given}/*.log'")
    elif os.path.exists(place) or not glob.has_magic(given):
        yield given
    else:
        matches = sorted(glob.glob(given, root_dir=console.cwd, recursive=True))
        matches = [name for name in matches if os.path.isfile(os.path.join(console.cwd, name))]
        if not matches:
            raise UsageError(f"no file matches {given}", todo="check the pattern")
        yield from matches


def empty(name: str) -> Stream:
    """A log in which nothing can be read."""
    return Stream(name, io.BytesIO(), ())


def opened(name: str, console: Console, known: Sequence[Position]) -> Stream:
    """A log by its name. UsageError if it cannot be read; Refused for an unknown compression."""
    if name == STDIN:
        return Stream(name, console.stdin, ())
    try:
        file = open(os.path.join(console.cwd, name), "rb")  # noqa: SIM115 - the stream closes it
    except OSError as error:
        raise unreadable(name, error) from None
    try:
        return Stream(name, file, known)
    except DamagedError as error:
        file.close()
        raise Refused(GapKind.ARCHIVE_DAMAGED, str(error)) from None
    except Refused:
        file.close()
        raise
