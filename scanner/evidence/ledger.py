"""The ledger: JSON Lines, one file a month, each entry with the hash of the one before it.

A line begins with `{"hash":"…",`. The hash is the SHA-256 of the rest of the line, which contains
the hash of the previous line. An entry is written to the disk before `append` returns.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

from scanner import __version__
from scanner.errors import ConfigError, OutputError, unreadable

FIRST = "0" * 64
"""What stands for the previous hash in the first entry."""
START = b'{"hash":"'
HASH_END = len(START) + 64
REST = HASH_END + 2
"""Where the hashed part of a line begins."""
_FILE = re.compile(r"[0-9]{4}-[0-9]{2}\.jsonl")
_LOCK = ".lock"
_PATIENCE = 30.0  # seconds to wait for another writer
_PAUSE = 0.05
_TAIL = 1 << 16
Json = dict[str, Any]


class Head(NamedTuple):
    """The last entry: its number (0 if there is none), its hash and its time (ISO 8601)."""

    number: int = 0
    hash: str = FIRST
    at: str = ""


class Ledger:
    """The ledger in a folder. `writer` is the name that its entries get."""

    def __init__(self, folder: str, writer: str = "keywatch") -> None:
        self.folder = folder
        self.writer = writer

    def files(self) -> list[str]:
        """The paths of its files in order. Empty if there is no ledger yet."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(self.folder, error) from None
        return [os.path.join(self.folder, name) for name in sorted(names) if _FILE.fullmatch(name)]

    def lines(self) -> Iterator[tuple[str, int, bytes]]:
        """(file name, line number, line with its end) of each line, in order."""
        for path in self.files():
            try:
                with open(path, "rb") as file:
                    for number, line in enumerate(file, 1):
                        yield os.path.basename(path), number, line
            except OSError as error:
                raise unreadable(path, error) from None

    def entries(self) -> Iterator[Json]:
        """Every entry, in order. ConfigError for a line that is not one."""
        for name, number, line in self.lines():
            try:
                entry = json.loads(line)
                entry["hash"], entry["number"], entry["at"], entry["kind"]
            except (ValueError, TypeError, LookupError, RecursionError):
                raise ConfigError(
                    f"{name} has a damaged entry",
                    where=f"{name}:{number}",
                    todo="keywatch evidence verify shows all damage",
                ) from None
            yield entry

    def append(self, kind: str, data: Mapping[str, Any], now: datetime) -> Head:
        """Write one entry and return it as the new head. OutputError if it cannot be written."""
        return self.append_all([(kind, data)], now)

    def append_all(self, items: Sequence[tuple[str, Mapping[str, Any]]], now: datetime) -> Head:
        """Write entries, all or none of them. OutputError if they cannot be written."""
        try:
            os.makedirs(self.folder, exist_ok=True)
            with locked(os.path.join(self.folder, _LOCK)):
                return self._append(items, now)
        except OSError as error:
            raise OutputError(
                f"the ledger in {self.folder} could not be written",
                why=error.strerror or "it cannot be opened",
                todo="make room or correct its permissions, and run again; no entry was changed",
            ) from None

    def _append(self, items: Sequence[tuple[str, Mapping[str, Any]]], now: datetime) -> Head:
        head, damage = self._recovered()
        path = self._path(now)
        lines = []
        for kind, data in ([("damage", damage)] if damage else []) + [*items]:
            line, head = _line(head, kind, data, now, self.writer)
            lines.append(line)
        _write(path, b"".join(lines))
        return head

    def _path(self, now: datetime) -> str:
        """The file of this month, or the newest one if the clock moved back."""
        path = os.path.join(self.folder, f"{now:%Y-%m}.jsonl")
        return max([path, *self.files()[-1:]])

    def _recovered(self) -> tuple[Head, Json]:
        """The head, and what was wrong with the end of the file.

        A crash may have left a part of a line. It is moved to a file of its own, so that nothing is
        lost. OutputError if the last entry is not intact.
        """
        files = [path for path in self.files() if os.path.getsize(path)]
        if not files:
            return Head(), {}
        line, torn, whole = _end(files[-1])
        damage: Json = {}
        if torn:
            name = f"torn-{hashlib.sha256(torn).hexdigest()[:12]}.bin"
            _write(os.path.join(self.folder, name), torn)
            with open(files[-1], "r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
            damage = {"bytes": len(torn), "moved_to": name, "file": os.path.basename(files[-1])}
            if not line:
                return self._recovered()[0], damage
        return _head(line, files[-1]), damage


def sealed(rest: bytes) -> tuple[bytes, str]:
    """A line from its hashed part, and its hash."""
    name = hashlib.sha256(rest).hexdigest()
    return START + name.encode() + b'",' + rest + b"\n", name


def _line(
    head: Head, kind: str, data: Mapping[str, Any], now: datetime, writer: str
) -> tuple[bytes, Head]:
    at = now.isoformat().replace("+00:00", "Z")
    entry: Json = {
        "number": head.number + 1,
        "previous": head.hash,
        "at": at,
        "kind": kind,
        "writer": writer,
        "tool": f"keywatch {__version__}",
    }
    if head.at and _later(head.at, now):
        entry["clock_moved_back_from"] = head.at
    text = json.dumps(entry | {"data": data}, separators=(",", ":"))
    line, name = sealed(text[1:].encode())
    return line, Head(number=head.number + 1, hash=name, at=at)


def _later(at: str, now: datetime) -> bool:
    return datetime.fromisoformat(at) > now


def _head(line: bytes, path: str) -> Head:
    """The head from its line. OutputError if the line was changed."""
    try:
        entry = json.loads(line)
        is_intact = entry["hash"] == hashlib.sha256(line[REST:-1]).hexdigest()
        if is_intact and datetime.fromisoformat(entry["at"]).tzinfo:
            return Head(number=int(entry["number"]), hash=entry["hash"], at=entry["at"])
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    raise OutputError(
        f"the last entry of {path} is damaged, so nothing was appended",
        todo="keywatch evidence verify shows all damage; start a new ledger in another folder",
    )


def _end(path: str) -> tuple[bytes, bytes, int]:
    """The last whole line of a file, what follows it, and the size without that."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        length = 0
        while True:
            length = min(size, length * 2 or _TAIL)
            file.seek(size - length)
            data = file.read(length)
            whole, newline, torn = data.rpartition(b"\n")
            if length == size or b"\n" in whole:
                break
    line = whole.rpartition(b"\n")[2] + b"\n" if newline else b""
    return line, torn, size - len(torn)


def _write(path: str, data: bytes) -> None:
    """Append to a file and to the disk. After an error, the file is as long as before."""
    is_new = not os.path.exists(path)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    try:
        before = os.fstat(fd).st_size
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        except BaseException:
            os.ftruncate(fd, before)
            raise
    finally:
        os.close(fd)
    if is_new:
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Be the only process that holds this lock file.

    OutputError if another one does not finish in time.
    """
    try:
        import fcntl
    except ImportError:
        raise OutputError("this system cannot lock the ledger", todo="write it on Linux") from None
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise OutputError(
                        f"another process has written to the ledger for {_PATIENCE:g} s",
                        todo=f"find out what holds {path}, and run again",
                    ) from None
                time.sleep(_PAUSE)
        yield
    finally:
        with suppress(OSError):
            os.close(fd)
