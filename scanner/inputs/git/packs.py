"""Read git's packs in this process, with libgit2.

For long histories (benchmark `commits`) this is faster than asking git through a pipe, if the
versions of a file are read one after the other: they are packed as differences, and libgit2 keeps
the last few megabytes that it has unpacked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanner.inputs.git import commands

if TYPE_CHECKING:
    from pygit2 import OdbBackendPack

_BLOB = 3


def load() -> Any:
    """The module pygit2, or None if it is not installed. The import takes 50 ms."""
    try:
        import pygit2
    except ImportError:
        return None
    return pygit2


class Packs:
    """The packs of one repository, without loose objects and those of other repositories."""

    def __init__(self, backend: OdbBackendPack, errors: tuple[type[Exception], ...]) -> None:
        self._backend = backend
        self._errors = errors

    @classmethod
    def opened(cls, root: str) -> Packs | None:
        """None if libgit2 is not installed."""
        pygit2 = load()
        if pygit2 is None:
            return None
        # MemoryError: a damaged pack may claim any size.
        errors = (pygit2.GitError, KeyError, ValueError, OSError, MemoryError)
        return cls(pygit2.OdbBackendPack(commands.objects_folder(root)), errors)

    def has(self, oid: str, most: int) -> bool:
        """Do the packs contain this blob, with at most `most` bytes?"""
        try:
            kind, size = self._backend.read_header(oid)
        except self._errors:
            return False
        return kind == _BLOB and size <= most

    def read(self, oid: str) -> bytes | None:
        """The bytes of a blob that `has` has found, or None if they are damaged."""
        try:
            return self._backend.read(oid)[1]
        except self._errors:
            return None
