"""The interface of every source of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BufferedIOBase
from typing import NamedTuple, Protocol

from scanner.errors import UsageError
from scanner.model import Gap, GapKind, Skip

CHUNK = 24 << 20
"""Bytes read at once. A file of up to this size, such as the default limit, is one piece."""

CONTROL_LIMIT = 64 << 20
"""Bytes of the largest file that may control a scan."""


def too_large(path: str) -> UsageError:
    """The error for a file over CONTROL_LIMIT that controls a scan."""
    return UsageError(
        f"{path} cannot be read",
        why=f"it is over {CONTROL_LIMIT:,} bytes",
        todo="make it smaller, or restore it",
    )


def too_large_to_hold(path: str, most: int) -> Gap:
    """The Gap for an archive of over `most` bytes that is not on disk."""
    reason = f"an archive that is not a file on disk may have at most {most:,} bytes"
    return Gap(kind=GapKind.ARCHIVE_TOO_LARGE, path=path, reason=reason)


class Blob(NamedTuple):
    """A file's text in pieces; UTF-16 and UTF-32 are converted to UTF-8. `size` is in stored bytes.

    Taking a piece may raise OSError if the file has vanished or changed, or cannot be read.
    """

    path: str
    size: int
    chunks: Iterable[bytes]


class Source(Protocol):
    """One input of a scan. It is listed once and read in any worker process."""

    root: str
    whole_tree: bool

    def paths(self) -> Sequence[str]:
        """The paths to read, sorted, each once."""

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        """Read one of `paths()`. A Skip or a Gap says why it is not read, for example because it
        is over `most` bytes. No file causes an exception."""

    def open(self, path: str, most: int) -> BufferedIOBase | Gap | None:
        """Open one of `paths()` as a file with `seek`. Call it before `read`.

        None if it cannot be opened: then `read` says why. A Gap if it would take over `most` bytes
        of memory.
        """

    def control(self, path: str) -> bytes | None:
        """Read a file that controls the scan, such as keywatch.yaml or a baseline. None if there is
        none. UsageError if it cannot be read."""
