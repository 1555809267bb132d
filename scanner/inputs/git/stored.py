"""Read files from git's objects: those of the index or of a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BufferedIOBase, BytesIO
from typing import NamedTuple, Protocol

from scanner.errors import UsageError
from scanner.inputs import text_encoding
from scanner.inputs.git import commands
from scanner.inputs.interface import CONTROL_LIMIT, Blob, too_large, too_large_to_hold
from scanner.model import Gap, GapKind, Skip, SkipKind

NOT_TEXT = {"160000": "submodule", "120000": "symlink"}
MOST_LISTED = 1 << 26
"""Most bytes of git's list of the files of a commit, enough for half a million files. A few hostile
objects can name any number."""
_UNMERGED = "000000"  # a merge conflict: no version is staged yet


class Entry(NamedTuple):
    """A file's mode ("" if unknown) and blob id."""

    mode: str
    oid: str


NO_COMMIT = "0" * 40
"""The id of no commit, in which there is no file."""


class Contents(Protocol):
    """Reads an object: its bytes, its size if that is over `most`, or None."""

    def read(self, name: str, most: int, kind: bytes = b"blob", /) -> bytes | int | None: ...


class Stored:
    """The files of `entries`, read from git's objects.

    `whence` is git's prefix for files that control the scan: `:` for the index, `COMMIT:` for a
    commit.
    """

    whole_tree = False

    def __init__(
        self,
        root: str,
        entries: Mapping[str, Entry],
        whence: str = ":",
        contents: Contents | None = None,
    ) -> None:
        self.root = root
        self.entries = entries
        self._contents = contents or commands.objects(root)
        self._whence = whence

    @property
    def is_of_commit(self) -> bool:
        """Is the scan controlled by files of a commit, not of the index?"""
        return self._whence != ":"

    def paths(self) -> Sequence[str]:
        return sorted(self.entries)

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        entry = self.entries[path]
        mode, oid = entry.mode, entry.oid
        if mode == _UNMERGED:
            reason = "it is unmerged: resolve and git add it"
            return Gap(kind=GapKind.UNREADABLE, path=path, reason=reason)
        # The target of a link is text. An entry may claim to be a submodule and be a file.
        data = self._contents.read(oid, most)
        if data is None and mode in NOT_TEXT:
            return Skip(kind=NOT_TEXT[mode], path=path)
        if data is None:
            reason = f"git has no blob {oid[:12]} for it: it is damaged, or the clone is partial"
            return Gap(kind=GapKind.UNREADABLE, path=path, reason=reason)
        if isinstance(data, int):
            return Skip(kind=SkipKind.TOO_LARGE, path=path)
        return text_encoding.blob(path, len(data), data, (data,))

    def open(self, path: str, most: int) -> BufferedIOBase | Gap | None:
        entry = self.entries[path]
        mode, oid = entry.mode, entry.oid
        data = None if mode in (*NOT_TEXT, _UNMERGED) else self._contents.read(oid, most)
        if isinstance(data, int):
            return too_large_to_hold(path, most)
        return None if data is None else BytesIO(data)

    def control(self, path: str) -> bytes | None:
        data = self._contents.read(self._whence + path, CONTROL_LIMIT)
        if isinstance(data, int):
            raise too_large(path)
        if data is None and self.names(path):
            raise UsageError(
                f"{path} cannot be read from git's objects",
                why="it is in conflict, or its object is missing",
                todo="solve the conflict, or mend the repository (git fsck)",
            )
        return data

    def names(self, path: str) -> bool:
        """Is there such a file, even if it cannot be read?"""
        folder, _, name = path.rpartition("/")
        tree = self._contents.read(self._whence + folder, CONTROL_LIMIT, b"tree")
        return isinstance(tree, bytes) and b" %b\0" % name.encode(errors="surrogateescape") in tree


def of_commit(root: str, oid: str) -> Stored:
    """All files of a commit. UsageError if there are too many to list."""
    output = commands.run_briefly(root, MOST_LISTED, "ls-tree", "-r", "-z", "--full-tree", oid)
    if output is None:
        todo = "do not scan it: such a commit is made to exhaust memory"
        raise UsageError(f"commit {oid[:12]} has more files than keywatch can list", todo=todo)
    entries = {}
    for entry in output.split(b"\0"):
        about, _, path = entry.partition(b"\t")
        if path:
            mode, _, found = about.decode().split()
            entries[path.decode(errors="surrogateescape")] = Entry(mode, found)
    return Stored(root, entries, f"{oid}:")
