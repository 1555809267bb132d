"""Ground: the user's private cache. What is damaged, foreign or unwritable is as good as absent.

A file is a checksum and its payload. It is only read when the folder and the file are this user's
and closed to everyone else, so that neither another account nor a checkout (whose files are open to
be read) can plant a compiled database.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import zlib
from collections.abc import Callable

_KEEP = 64
_HEAD = 4
_BINARY = getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | _BINARY | os.O_CREAT | os.O_EXCL


def folder() -> str | None:
    """The cache folder of this user; it need not exist. None where the user has no home: a relative
    path would lead into the scanned tree."""
    if sys.platform == "linux":  # what platformdirs says there, without the 6 ms to import it
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
        return os.path.join(base, "keywatch") if os.path.isabs(base) else None
    import platformdirs

    return platformdirs.user_cache_dir("keywatch", appauthor=False)


def load(name: str, where: str) -> bytes | None:
    """The payload stored under `name` in the folder `where`, or None where it cannot be trusted."""
    try:
        # Without a buffer, so that megabytes are not copied once more.
        with open(os.open(os.path.join(where, name), _READ), "rb", buffering=0) as file:
            if not (_is_private(os.stat(where)) and _is_private(os.fstat(file.fileno()))):
                return None
            checksum, payload = file.read(_HEAD), file.readall()
    except OSError:
        return None
    return payload if checksum == _checksum(payload) else None


def store(name: str, payload: bytes, where: str) -> None:
    """Write `payload` beside and rename; nothing where the folder cannot be used."""
    if not keeps(where):
        return
    with contextlib.suppress(OSError):
        _write(os.path.join(where, name), _checksum(payload) + payload)
        _forget_old(where)


def _write(path: str, data: bytes) -> None:
    beside = f"{path}.{os.urandom(6).hex()}"
    fd = os.open(beside, _WRITE, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def trouble(where: str) -> str:
    """Why nothing can be kept in the folder; "" where it can."""
    try:
        is_private = _is_private(os.stat(where))
    except OSError as error:
        return error.strerror or str(error)
    if not is_private:
        return "it is another user's, or open to others"
    return "" if os.access(where, os.W_OK | os.X_OK) else "it cannot be written to"


def keeps(where: str) -> bool:
    """Can something be kept in the folder? It is made where it is not there."""
    with contextlib.suppress(OSError):
        os.makedirs(where, mode=0o700, exist_ok=True)
    return not trouble(where)


def has(name: str, where: str) -> bool:
    """Is something stored under `name`? Whether it can be trusted, only `load` tells."""
    return os.path.exists(os.path.join(where, name))


def cached(name: str, make: Callable[[], bytes], where: str) -> bytes:
    """What is stored under `name`, made and stored first where it is not there."""
    payload = load(name, where)
    if payload is None:
        payload = make()
        store(name, payload, where)
    return payload


def key(*parts: str | bytes) -> str:
    """What names that which is made of `parts`: 32 hex digits of their hash."""
    from _blake2 import blake2b  # hashlib would load OpenSSL first, for 2 ms

    hashed = blake2b(digest_size=16)
    for part in parts:
        data = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8, "big"))
        hashed.update(data)
    return hashed.hexdigest()


def _checksum(payload: bytes) -> bytes:
    """Notices damage. No more is asked of it: who could plant a file could plant its checksum."""
    return zlib.crc32(payload).to_bytes(_HEAD, "big")


def _is_private(info: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):  # Windows: the profile folder's own rights guard it
        return True
    return info.st_uid == os.getuid() and not info.st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def _forget_old(where: str) -> None:
    """Keep the newest files only: each change of a rule file makes a new one."""
    files = [e for e in os.scandir(where) if e.is_file(follow_symlinks=False)]
    for entry in sorted(files, key=lambda e: e.stat().st_mtime, reverse=True)[_KEEP:]:
        os.unlink(entry.path)
