"""Inputs: what every source of bytes looks like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BufferedIOBase
from typing import NamedTuple, Protocol

from scanner.errors import UsageError
from scanner.model import Gap, GapKind, Skip

CHUNK = 24 << 20
"""Bytes read at a time; a file up to this size, the default limit included, is one piece."""

CONTROL_LIMIT = 64 << 20
"""Bytes of the largest file that may steer a scan."""


def too_large(path: str) -> UsageError:
    """The error for a file over CONTROL_LIMIT that steers a scan."""
    return UsageError(
        f"{path} cannot be read",
        why=f"it is over {CONTROL_LIMIT:,} bytes",
        todo="make it smaller, or restore it",
    )


def too_large_to_hold(path: str, most: int) -> Gap:
    """For an archive that lies neither on disk nor within `most` bytes."""
    reason = f"an archive that is no file on disk is held in memory, up to {most:,} bytes"
    return Gap(kind=GapKind.ARCHIVE_TOO_LARGE, path=path, reason=reason)


class Blob(NamedTuple):
    """A file's text in pieces, UTF-16 and UTF-32 as UTF-8. `size` is in bytes, as stored.

    Reading on may raise OSError: the file vanished, changed or cannot be read.
    """

    path: str
    size: int
    chunks: Iterable[bytes]


class Source(Protocol):
    """One input of a scan. It is listed once, and read in any worker process."""

    root: str
    whole_tree: bool

    def paths(self) -> Sequence[str]:
        """The paths to read, sorted, each once."""

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        """One of `paths()`, or why it is not read: over `most` bytes, for example. Never raises
        for a file's sake."""

    def open(self, path: str, most: int) -> BufferedIOBase | Gap | None:
        """The stored bytes of one of `paths()`, to move about in; None where `read` says what is
        wrong with it, a Gap where it would take over `most` bytes of memory. Before `read`."""

    def control(self, path: str) -> bytes | None:
        """A file that steers the scan (keywatch.yaml, a baseline) as this input has it; None where
        there is none. UsageError where there is one that cannot be read."""
