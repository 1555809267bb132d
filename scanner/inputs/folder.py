"""Inputs: files on disk: what git tracks or does not ignore, or all there is."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence

from scanner.errors import UsageError
from scanner.inputs import decoding, git
from scanner.inputs.interface import CHUNK, Blob
from scanner.model import Gap, Skip

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Folder:
    """The files below `root`; `only` (POSIX, relative to it) limits them to files and folders."""

    def __init__(self, root: str, only: Sequence[str], *, use_git: bool) -> None:
        self.root = root
        self.whole_tree = not only
        self._only = tuple(only)
        self._use_git = use_git
        self._tracked: frozenset[str] = frozenset()

    def paths(self) -> Sequence[str]:
        named = {p for p in self._only if not os.path.isdir(os.path.join(self.root, p))}
        folders = tuple(p for p in self._only if p not in named)
        listed: set[str] = set()
        if folders or not self._only:
            listed = self._from_git(folders) if self._use_git else set(self._walk(folders))
        for folder in folders:
            prefix = "" if folder == "." else folder + "/"
            if not any(path.startswith(prefix) for path in listed):
                raise UsageError(
                    f"{folder} holds no file to scan",
                    why="it is empty, or git ignores all of it" if self._use_git else "it is empty",
                    todo="name a file or folder that has some, or add --no-git",
                )
        return sorted(listed | named)

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        try:
            return self._open(path, most)
        except OSError as error:
            if error.errno == errno.ENOENT:
                if path in self._tracked:
                    return Skip(kind="absent", path=path)
                return Gap(kind="vanished", path=path, reason="it was listed and is gone")
            if error.errno in (errno.ELOOP, errno.EMLINK):
                return Skip(kind="symlink", path=path)
            if error.errno == errno.ENXIO:
                return Skip(kind="special", path=path)
            return Gap(kind="unreadable", path=path, reason=error.strerror or str(error))

    def control(self, path: str) -> bytes | None:
        try:
            fd = os.open(os.path.join(self.root, path), _FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UsageError(f"{path} cannot be read", why=error.strerror or "") from None
        with open(fd, "rb") as file:
            return file.read()

    def _open(self, path: str, most: int) -> Blob | Skip | Gap:
        fd = os.open(os.path.join(self.root, path), _FLAGS)
        try:
            info = os.fstat(fd)
            skip = _skip(path, info, most)
            if skip:
                return skip
            if info.st_size > CHUNK:
                chunks = _stream(os.dup(fd), info)
                head = next(chunks)
                return decoding.blob(path, info.st_size, head, _chain(head, chunks))
            data = _read_steady(fd, info)
        finally:
            os.close(fd)
        if data is None:
            return Gap(kind="changed", path=path, reason="it changed while it was read, twice")
        return decoding.blob(path, len(data), data, (data,))

    def _from_git(self, folders: Sequence[str]) -> set[str]:
        out = git.run(
            self.root,
            *("ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--"),
            *folders,
        )
        entries = [entry for entry in os.fsdecode(out).split("\0") if entry]
        self._tracked = frozenset(e[2:] for e in entries if e[0] != "?")
        return {entry[2:].rstrip("/") for entry in entries}

    def _walk(self, folders: Sequence[str]) -> Iterator[str]:
        for folder in folders or (".",):
            top = os.path.normpath(os.path.join(self.root, folder))
            for where, below, files in os.walk(top, onerror=_refuse):
                below[:] = [name for name in below if name != ".git"]
                inside = os.path.relpath(where, self.root).replace(os.sep, "/")
                prefix = "" if inside == "." else inside + "/"
                links = (n for n in below if os.path.islink(os.path.join(where, n)))
                yield from (prefix + name for name in (*files, *links) if name != ".git")


def _skip(path: str, info: os.stat_result, most: int) -> Skip | None:
    if stat.S_ISDIR(info.st_mode):
        return Skip(kind="submodule", path=path)
    if not stat.S_ISREG(info.st_mode):
        return Skip(kind="special", path=path)
    return Skip(kind="too-large", path=path) if info.st_size > most else None


def _refuse(error: OSError) -> None:
    raise UsageError(
        f"the folder {error.filename} cannot be listed",
        why=error.strerror or "",
        todo="make it readable, or leave it out with --exclude",
    )


def _read_steady(fd: int, info: os.stat_result) -> bytes | None:
    """The file's bytes, read again once if it changed meanwhile; None if it changed again."""
    for _ in range(2):
        os.lseek(fd, 0, os.SEEK_SET)
        data = os.read(fd, info.st_size + 1)
        while data and len(data) < info.st_size and (more := os.read(fd, info.st_size - len(data))):
            data += more
        after = os.fstat(fd)
        if len(data) == after.st_size and after.st_mtime_ns == info.st_mtime_ns:
            return data
        info = after
    return None


def _stream(fd: int, before: os.stat_result) -> Iterator[bytes]:
    with open(fd, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            yield chunk
        after = os.fstat(fd)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise OSError(errno.EAGAIN, "it changed while it was read")


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest
