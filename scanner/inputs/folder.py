"""Read files on disk: those that git tracks or does not ignore, or all files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedIOBase

from scanner.errors import UsageError, unreadable
from scanner.inputs import text_encoding, worktree_encoding
from scanner.inputs.git import commands
from scanner.inputs.interface import CHUNK, CONTROL_LIMIT, Blob, too_large
from scanner.model import Gap, GapKind, Skip, SkipKind

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
        self._below = os.path.join(root, "")  # os.path.join for each path would be slow
        self.whole_tree = not only
        self._only = tuple(only)
        self._use_git = use_git
        self._tracked: frozenset[str] = frozenset()
        self._encodings: Mapping[str, str] = {}
        self._linked = {"": False}
        # Git may list a path behind a link, and a user may name one. _walk follows no links.
        self._may_be_linked = use_git or bool(only)

    def paths(self) -> Sequence[str]:
        named = {p for p in self._only if not os.path.isdir(os.path.join(self.root, p))}
        folders = tuple(p for p in self._only if p not in named)
        listed: set[str] = set()
        if self._use_git and (folders or not self._only):
            entries = list(commands.listed(self.root, folders))
            listed = {path for _, path in entries}
            self._tracked = frozenset(path for is_tracked, path in entries if is_tracked)
            self._encodings = self._encodings_of(listed)
        elif folders or not self._only:
            listed = set(self._walk(folders))
        for folder in folders if self._only else (".",):
            self._demand_some(folder, listed)
        return sorted(listed | named)

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        try:
            return self._open(path, most)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                if path in self._tracked:
                    return Skip(kind=SkipKind.ABSENT, path=path)
                return Gap(
                    kind=GapKind.VANISHED, path=path, reason="it was listed, but no longer exists"
                )
            if error.errno in (errno.ELOOP, errno.EMLINK):
                return Skip(kind=SkipKind.SYMLINK, path=path)
            if error.errno == errno.ENXIO:
                return Skip(kind=SkipKind.SPECIAL, path=path)
            return Gap(kind=GapKind.UNREADABLE, path=path, reason=error.strerror or str(error))

    def _encodings_of(self, paths: Iterable[str]) -> Mapping[str, str]:
        """The files that git stores in UTF-8 and writes to the work tree in another encoding."""
        attributes = {path for path in paths if path.endswith(".gitattributes")}
        attributes |= {".gitattributes", ".git/info/attributes"}
        if not any(worktree_encoding.MARK in self._start_of(path) for path in attributes):
            return {}
        return worktree_encoding.read(self.root, paths)

    def _start_of(self, path: str) -> bytes:
        """The first megabyte of a regular file; nothing if it cannot be read."""
        file = self.open(path, 0)
        if file is None:
            return b""
        with file:
            return file.read(1 << 20)

    def open(self, path: str, _most: int) -> BufferedIOBase | None:
        if self._in_link(path.rpartition("/")[0]):
            return None
        try:
            fd = os.open(self._below + path, _FLAGS)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return open(fd, "rb")
        os.close(fd)
        return None

    def control(self, path: str) -> bytes | None:
        try:
            with open(os.open(os.path.join(self.root, path), _FLAGS), "rb") as file:
                data = file.read(CONTROL_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise unreadable(path, error) from None
            raise UsageError(
                f"{path} cannot be read",
                why="it is a link, and links are not followed",
                todo="put the file itself in its place",
            ) from None
        if len(data) > CONTROL_LIMIT:
            raise too_large(path)
        return data

    def _open(self, path: str, most: int) -> Blob | Skip | Gap:  # noqa: PLR0911 - one for each case
        if path.endswith("/.git"):
            return Skip(kind=SkipKind.GIT_FOLDER, path=path)
        if self._may_be_linked and self._in_link(path.rpartition("/")[0]):
            return Skip(kind=SkipKind.SYMLINK, path=path)
        fd = os.open(self._below + path, _FLAGS)
        try:
            info = os.fstat(fd)
            if stat.S_ISDIR(info.st_mode) and not self._use_git:
                return Gap(kind=GapKind.CHANGED, path=path, reason="a folder has taken its place")
            skip = _skip(path, info, most)
            if skip:
                return skip
            if info.st_size > CHUNK and path not in self._encodings:
                chunks = _stream(os.dup(fd), info)
                head = next(chunks)
                return text_encoding.blob(path, info.st_size, head, _chain(head, chunks))
            data = _read_steady(fd, info)
            if data is not None and path in self._encodings:
                return worktree_encoding.blob(path, data, self._encodings[path])
        finally:
            os.close(fd)
        if data is None:
            return Gap(
                kind=GapKind.CHANGED, path=path, reason="it changed while it was read, twice"
            )
        return text_encoding.blob(path, len(data), data, (data,))

    def _walk(self, folders: Sequence[str]) -> Iterator[str]:
        """Every file, and every folder that cannot be opened, so that reading it becomes a Gap."""
        waiting = list(folders or (".",))
        while waiting:
            folder = waiting.pop()
            prefix = "" if folder == "." else folder + "/"
            try:
                entries = list(os.scandir(os.path.join(self.root, folder)))
            except OSError:
                yield folder
                continue
            for entry in entries:
                if entry.name == ".git":
                    yield from [f"{prefix}.git"] * bool(prefix)  # one in a subfolder is listed
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(prefix + entry.name)
                else:
                    yield prefix + entry.name

    def _demand_some(self, folder: str, listed: set[str]) -> None:
        prefix = "" if folder == "." else folder + "/"
        if folder in listed or any(path.startswith(prefix) for path in listed):
            return
        if not self._only and next(self._walk(()), None) is None:
            return  # an empty repository is clean; one whose files are all ignored is not
        raise UsageError(
            f"{self.root if folder == '.' else folder} contains no file to scan",
            why="it is empty, or git ignores all of it" if self._use_git else "it is empty",
            todo="name a file or folder that has some, or add --no-git",
        )

    def _in_link(self, folder: str) -> bool:
        """Is the folder, or one above it, a link? A hostile index may contain such a path."""
        unknown = []
        while folder not in self._linked:
            unknown.append(folder)
            folder = folder.rpartition("/")[0]
        linked = self._linked[folder]
        for each in reversed(unknown):
            linked = linked or os.path.islink(self._below + each)
            self._linked[each] = linked
        return linked


def _skip(path: str, info: os.stat_result, most: int) -> Skip | None:
    if stat.S_ISDIR(info.st_mode):
        return Skip(kind=SkipKind.SUBMODULE, path=path)
    if not stat.S_ISREG(info.st_mode):
        return Skip(kind=SkipKind.SPECIAL, path=path)
    return Skip(kind=SkipKind.TOO_LARGE, path=path) if info.st_size > most else None


def _read_steady(fd: int, info: os.stat_result) -> bytes | None:
    """The file's bytes. If it changed meanwhile it is read again; None if it changed twice."""
    for again in (False, True):
        if again:
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
