"""Ground: write a file as a whole, or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from scanner.errors import OutputError

_DEVICES = ("/dev", "/dev/fd", "/proc/self/fd")  # links in here belong to the system


def write_file(path: str, data: bytes, *, private: bool = False) -> None:
    """Replace a file by this one, as `write_pieces` does."""
    write_pieces(path, [data], private=private)


def write_pieces(path: str, pieces: Iterable[bytes], *, private: bool = False) -> None:
    """Replace a file as a whole, never half of it. A device or a pipe is written to directly.

    A link is replaced, not followed. A private file only its owner can read. OutputError says why
    it could not be done.
    """
    beside = f"{path}.{os.urandom(6).hex()}.tmp"
    opener = _private if private else None
    try:
        if _is_device(path):
            with open(path, "wb") as file:
                file.writelines(pieces)
            return
        with open(beside, "xb", opener=opener) as file:
            file.writelines(pieces)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be written",
            why=error.strerror or str(error),
            todo="make room or name another place; what was there before is untouched",
        ) from None
    finally:
        if os.path.exists(beside):
            os.unlink(beside)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_device(path: str) -> bool:
    """A terminal, a pipe, /dev/full: anything that a rename would replace by a file."""
    if os.path.dirname(os.path.abspath(path)) in _DEVICES:
        return True
    if not os.path.lexists(path):
        return False
    mode = os.lstat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))
