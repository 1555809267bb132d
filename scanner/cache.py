"""The user's private cache. A damaged, foreign or unreadable entry counts as missing.

An entry is a checksum and a payload. It is only read if the folder and the file belong to this user
and nobody else can access them. So no other account and no checkout, whose files others can read,
can plant a compiled database.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable

from scanner import files

_MOST_ENTRIES = 64
_OWN_NAME = re.compile(r"[a-z_]+-[\w.\-]+\.(?:json|hs|key)|history-[0-9a-f]+")
_CHECKSUM_SIZE = 4
_READ = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


def folder() -> str | None:
    """The cache folder of this user, which may not exist yet.

    None if the user has no home folder: a relative path would lead into the scanned tree.
    """
    if sys.platform == "linux":  # the folder of platformdirs, whose import takes 6 ms
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
        return os.path.join(base, "keywatch") if os.path.isabs(base) else None
    import platformdirs

    return platformdirs.user_cache_dir("keywatch", appauthor=False)


def distrust(root: str) -> None:
    """Use no cache inside the folder `root`, or below a home inside it, in this process.

    What is scanned may bring a cache of its own.
    """
    _distrusted.add(os.path.realpath(root))


def stop_distrusting(root: str) -> None:
    """Forget a folder that this process will not scan again, so that the list stays short."""
    _distrusted.discard(os.path.realpath(root))


_distrusted: set[str] = set()


def _is_distrusted(where: str) -> bool:
    place = os.path.realpath(where)
    return any(os.path.commonpath((place, root)) == root for root in _distrusted)


def load(name: str, where: str) -> bytes | None:
    """The payload of the entry `name` in the folder `where`, or None if it cannot be trusted."""
    if _is_distrusted(where):
        return None
    try:
        # Unbuffered, because a buffer would copy megabytes once more.
        with open(os.open(os.path.join(where, name), _READ), "rb", buffering=0) as file:
            if not (_is_private(os.lstat(where)) and _is_private(os.fstat(file.fileno()))):
                return None
            checksum, payload = file.read(_CHECKSUM_SIZE), file.readall()
    except OSError:
        return None
    return payload if checksum == _checksum(payload) else None


def store(name: str, payload: bytes, where: str) -> None:
    """Store an entry, if the folder can be used."""
    if not is_usable(where):
        return
    with contextlib.suppress(OSError):
        # No sync: the checksum detects a damaged entry, which is then made again. A sync takes 2 ms
        # or more: 3 % of the benchmark `hook`, whenever keywatch.yaml or a baseline has changed.
        path = os.path.join(where, name)
        files.replace(path, (_checksum(payload), payload), mode=files.PRIVATE, sync=False)
        _remove_old(where)


def trouble(where: str) -> str:
    """Why nothing can be stored in the folder; "" if it can."""
    try:
        info = os.lstat(where)
    except OSError as error:
        return error.strerror or str(error)
    is_private = _is_private(info)
    if _is_distrusted(where):
        return "it is inside the scanned tree"
    if not stat.S_ISDIR(info.st_mode):
        return "it is a link or a file"
    if not is_private:
        return "it is another user's, or open to others"
    return "" if os.access(where, os.W_OK | os.X_OK) else "it cannot be written to"


def is_usable(where: str) -> bool:
    """Can entries be stored in the folder? It is created if it does not exist."""
    if _is_distrusted(where):
        return False
    with contextlib.suppress(OSError):
        os.makedirs(where, mode=0o700, exist_ok=True)
    return not trouble(where)


_INSTALLED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compiled")
"""A folder of entries that were made when the wheel was built. It is trusted as the code is."""


def has(name: str, where: str | None) -> bool:
    """Is there an entry `name`? Only `load` tells whether it can be trusted."""
    folders = filter(None, (where, _INSTALLED))
    return any(os.path.exists(os.path.join(folder, name)) for folder in folders)


def cached(name: str, make: Callable[[], bytes], where: str | None) -> bytes:
    """The payload of the entry `name`: stored, installed, or made and stored.

    where: the folder of stored entries; None to store nothing.
    """
    payload = load(name, where) if where else None
    if payload is None:
        payload = _installed(name)
    if payload is None:
        payload = make()
        if where:
            store(name, payload, where)
    return payload


def _installed(name: str) -> bytes | None:
    try:
        with open(os.path.join(_INSTALLED, name), "rb", buffering=0) as file:
            checksum, payload = file.read(_CHECKSUM_SIZE), file.readall()
    except OSError:
        return None
    return payload if checksum == _checksum(payload) else None


def key(*parts: str | bytes) -> str:
    """A hash of `parts`, in 32 hex digits."""
    # Not from hashlib, which loads OpenSSL first: 3 to 4 ms, 5 % of the benchmark `hook`.
    from _blake2 import blake2b

    hashed = blake2b(digest_size=16)
    for part in parts:
        data = part.encode(errors="surrogateescape") if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8, "big"))
        hashed.update(data)
    return hashed.hexdigest()


def _checksum(payload: bytes) -> bytes:
    """Detects damage only. An attacker who could plant a file could also plant its checksum."""
    return zlib.crc32(payload).to_bytes(_CHECKSUM_SIZE, "big")


def _is_private(info: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):  # Windows: the permissions of the user's profile protect it
        return True
    if stat.S_ISLNK(info.st_mode):
        return False
    return info.st_uid == os.getuid() and not info.st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def _remove_old(where: str) -> None:
    """Keep only the newest entries, because each change of a rule file creates a new one.

    Files with other names are not ours, so they stay.
    """
    entries = [
        entry
        for entry in os.scandir(where)
        if _OWN_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
    ]
    for entry in sorted(entries, key=lambda e: e.stat().st_mtime, reverse=True)[_MOST_ENTRIES:]:
        os.unlink(entry.path)
