"""Ground: the user's private cache. What is damaged, foreign or unwritable is as good as absent.

A file is `sha256(payload) + payload`. It is only read when the folder and the file belong to this
user and nobody else can write to them, so that no other account can plant a compiled database.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable

_KEEP = 64


def folder() -> str:
    """The cache folder of this user; it need not exist."""
    if sys.platform == "linux":  # what platformdirs says there, without the 6 ms to import it
        base = os.environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")
        return os.path.join(base, "keywatch")
    import platformdirs

    return platformdirs.user_cache_dir("keywatch", appauthor=False)


def load(name: str, where: str) -> bytes | None:
    """The payload stored under `name` in the folder `where`, or None where it cannot be trusted."""
    try:
        fd = os.open(os.path.join(where, name), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with open(fd, "rb") as file:
        if not (_is_private(os.stat(where)) and _is_private(os.fstat(fd))):
            return None
        data = file.read()
    return data[32:] if data[:32] == digest(data[32:]) else None


def store(name: str, payload: bytes, where: str) -> bool:
    """Write `payload` beside and rename; False where the folder cannot be used."""
    beside = os.path.join(where, f".{name}.{os.getpid()}")
    try:
        os.makedirs(where, mode=0o700, exist_ok=True)
        if not _is_private(os.stat(where)):
            return False
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(digest(payload) + payload)
        os.replace(beside, os.path.join(where, name))
        _forget_old(where)
    except OSError:
        return False
    return True


def cached(name: str, make: Callable[[], bytes], where: str) -> bytes:
    """What is stored under `name`, made and stored first where it is not there."""
    payload = load(name, where)
    if payload is None:
        payload = make()
        store(name, payload, where)
    return payload


def digest(data: bytes) -> bytes:
    """32 bytes of SHA-256."""
    import hashlib

    return hashlib.sha256(data).digest()


def _is_private(info: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):  # Windows: the profile folder's own rights guard it
        return True
    return info.st_uid == os.getuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _forget_old(where: str) -> None:
    """Keep the newest files only: each change of a rule file makes a new one."""
    files = [e for e in os.scandir(where) if e.is_file(follow_symlinks=False)]
    for entry in sorted(files, key=lambda e: e.stat().st_mtime, reverse=True)[_KEEP:]:
        os.unlink(entry.path)
