"""Inputs: git's packs, read in this process by libgit2.

Git answers one question after the other, through a pipe. Whoever wants most of what is in a pack
has it sooner here, if the contents of a file come one after the other: they are packed as what
makes one of another, and libgit2 keeps the last few megabytes of what it has unpacked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanner.inputs.git import commands

if TYPE_CHECKING:
    from pygit2 import OdbBackendPack

_BLOB = 3


def load() -> Any:
    """The module, None where it is not installed. It takes a twentieth of a second."""
    try:
        import pygit2
    except ImportError:
        return None
    return pygit2


class Packs:
    """The packs of a repository's own: not what is loose, or borrowed from another repository."""

    def __init__(self, backend: OdbBackendPack, errors: tuple[type[Exception], ...]) -> None:
        self._backend = backend
        self._errors = errors

    @classmethod
    def opened(cls, root: str) -> Packs | None:
        """None where libgit2 is not installed."""
        pygit2 = load()
        if pygit2 is None:
            return None
        # What a damaged pack says of a size may be more than there is memory.
        errors = (pygit2.GitError, KeyError, ValueError, OSError, MemoryError)
        return cls(pygit2.OdbBackendPack(commands.objects_folder(root)), errors)

    def has(self, oid: str, most: int) -> bool:
        """Is it a blob in a pack, of at most so many bytes?"""
        try:
            kind, size = self._backend.read_header(oid)
        except self._errors:
            return False
        return kind == _BLOB and size <= most

    def read(self, oid: str) -> bytes | None:
        """The bytes of one that is there; None where they are damaged."""
        try:
            return self._backend.read(oid)[1]
        except self._errors:
            return None
