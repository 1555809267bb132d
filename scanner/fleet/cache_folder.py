"""The folder of a cache of clones: its files, its locks and its size.

The files of a repository, whose key is a hash of its address:

    KEY.git         the clone
    KEY.new-RANDOM  a clone that is being made
    KEY.lock        shared while the clone is open, exclusive while it is removed
    KEY.fetch       exclusive while one process asks the server
    KEY.size        the size of the clone in bytes; its time is when the clone was last opened
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

from scanner import cache
from scanner.errors import UsageError
from scanner.fleet.git import CloneError
from scanner.model import GapKind

_PAUSE = 0.05  # seconds between two attempts to lock


class CacheFolder:
    """The folder `root`, whose clones may have `limit` bytes together."""

    def __init__(self, root: str, limit: int) -> None:
        self.root = root
        self.limit = limit

    def check(self) -> None:
        if not cache.is_usable(str(self.root)):
            raise UsageError(
                f"the clones cannot be kept in {self.root}",
                why=cache.trouble(str(self.root)),
                todo="name a folder that only this user can read",
            )

    def path(self, key: str, kind: str) -> str:
        return os.path.join(self.root, f"{key}.{kind}")

    def used(self, key: str) -> None:
        """Remember that the clone was opened now."""
        with contextlib.suppress(OSError):
            os.utime(self.path(key, "size"))

    def note_size(self, key: str, size: int) -> None:
        with open(self.path(key, "size"), "w", encoding="ascii") as file:
            file.write(str(size))

    def make_room(self, key: str, size: int) -> None:
        """Remove the clones that were used least recently until `size` bytes of this one fit."""
        others = sorted(each for each in self._sizes() if each[1] != key)
        total = size + sum(other_size for _, _, other_size in others)
        for _, other, other_size in others:
            if total <= self.limit:
                return
            if self._removed(other):
                total -= other_size
        if total > self.limit:
            raise CloneError(
                GapKind.TOO_LARGE,
                f"the cache of clones may have {self.limit:,} bytes, and clones that are in use "
                "fill it: allow more, or use fewer workers",
                temporary=True,
            )

    def _sizes(self) -> Iterator[tuple[float, str, int]]:
        """When each clone was last opened, its key and its size."""
        for entry in os.scandir(self.root):
            key, _, kind = entry.name.rpartition(".")
            if kind != "size":
                continue
            with contextlib.suppress(OSError, ValueError), open(entry.path, "rb") as file:
                yield entry.stat().st_mtime, key, int(file.read(20) or b"0")

    def _removed(self, key: str) -> bool:
        """Remove a clone, unless it is open."""
        try:
            with locked(self.path(key, "lock"), 0):
                remove(self.path(key, "git"))
                self.remove_unfinished(key)
                os.unlink(self.path(key, "size"))
        except CloneError:
            return False
        return True

    def remove_unfinished(self, key: str) -> None:
        """Remove what a process left that was killed while it cloned."""
        for entry in os.scandir(self.root):
            if entry.name.startswith(f"{key}.new-"):
                remove(entry.path)


class Lock:
    """A file that is locked, shared by several or by one alone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def taken(self, *, shared: bool) -> bool:
        """Lock the file, if no other process holds it in a way that excludes this."""
        import fcntl

        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def upgraded(self) -> bool:
        """Hold a shared lock alone, if nobody else shares it."""
        return self.taken(shared=False)


@contextlib.contextmanager
def locked(path: str, end: float, *, shared: bool = False) -> Iterator[Lock]:
    """Lock a file until `end`, in monotonic seconds. CloneError if others hold it so long.

    The operating system releases the lock of a process that is killed.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock = Lock(fd)
        while not lock.taken(shared=shared):
            if time.monotonic() > end:
                raise CloneError(
                    GapKind.TIMEOUT,
                    "another process was cloning this repository all the time: allow more time",
                    temporary=True,
                )
            time.sleep(_PAUSE)
        yield lock
    finally:
        os.close(fd)


def remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def size_of(folder: str) -> int:
    """The bytes of the files in a folder. Files may vanish meanwhile."""
    size = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(base, name)).st_size
    return size
