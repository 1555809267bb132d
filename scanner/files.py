"""Write a file as a whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable

from scanner.errors import OutputError

PRIVATE = 0o600
"""The mode of a file that only its owner can read."""

_DEVICE_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")  # links in here belong to the system


def write_file(path: str, data: bytes, *, mode: int | None = None) -> None:
    """Like `write_pieces`, for data that is in one piece."""
    write_pieces(path, [data], mode=mode)


def write_pieces(path: str, pieces: Iterable[bytes], *, mode: int | None = None) -> None:
    """Replace a file with these pieces. A device or a pipe is written to directly.

    A link is replaced, not followed. OutputError if the file cannot be written; it is unchanged
    then.
    """
    try:
        if _is_device(path):
            with open(path, "wb") as file:
                file.writelines(pieces)
        else:
            replace(path, pieces, mode=mode)
    except OSError as error:
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise OutputError(
                f"{path} could not be written",
                why=f"there is no folder {folder}",
                todo="create the folder, or name another place",
            ) from None
        raise OutputError(
            f"{path} could not be written",
            why=error.strerror or str(error),
            todo="make room or name another place; what was there before is untouched",
        ) from None


def replace(
    path: str,
    pieces: Iterable[bytes],
    *,
    mode: int | None = None,
    sync: bool = True,
    check: Callable[[], object] | None = None,
) -> None:
    """Write a new file next to `path` and rename it to `path`.

    `mode` holds the permissions; without it, the umask decides. `check` is called right before the
    rename and may raise an error to prevent it. Without `sync`, a power failure may leave an empty
    or damaged file. OSError if the file cannot be written. After any error, the old file is
    unchanged and the new one is removed.
    """
    temporary = f"{path}.{os.urandom(6).hex()}.tmp"
    try:
        with open(temporary, "xb", opener=None if mode is None else _open_private) as file:
            if mode is not None:
                os.chmod(temporary, mode)  # unlike the mode of open(), not subject to the umask
            file.writelines(pieces)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if check:
            check()
        os.replace(temporary, path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    if sync:
        _sync_folder(os.path.dirname(path) or ".")


def _open_private(path: str, flags: int) -> int:
    """Nobody else can open the file before it gets its mode."""
    return os.open(path, flags, PRIVATE)


def _sync_folder(folder: str) -> None:
    """Make a rename durable, if the system can: Windows and some file systems cannot."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _is_device(path: str) -> bool:
    """A terminal, a pipe, /dev/full: anything that a rename would replace by a file."""
    if os.path.dirname(os.path.abspath(path)) in _DEVICE_FOLDERS:
        return True
    if not os.path.lexists(path):
        return False
    mode = os.lstat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))
