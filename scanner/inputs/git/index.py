"""Read the staged files: what a commit would contain, whatever the working tree contains."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from io import BufferedIOBase

from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.git import commands
from scanner.inputs.git.stored import Entry, Stored
from scanner.inputs.interface import Blob
from scanner.model import Gap, Skip

_DIFF = (
    *("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev"),
    *("--ita-invisible-in-index", "HEAD", "--"),
)


class Index(Stored):
    """The staged files of the repository at `root`.

    `named` limits them to files and folders. With `or_work_tree`, a named file that is not staged
    is read from the working tree, because the pre-commit framework may name all files.
    """

    def __init__(
        self, root: str, named: Sequence[str] | None, *, or_work_tree: bool = False
    ) -> None:
        super().__init__(root, _staged(root))
        self._named = named
        self._or_work_tree = or_work_tree
        self._folder = Folder(root, named or (), use_git=False)

    def paths(self) -> Sequence[str]:
        if self._named is None:
            return super().paths()
        return sorted({path for name in self._named for path in self._meant(name)})

    def _meant(self, name: str) -> Sequence[str]:
        place = os.path.join(self.root, name)
        is_file = os.path.lexists(place) and not os.path.isdir(place)
        if name in self.entries or (is_file and self._or_work_tree):
            return (name,)
        below = [path for path in self.entries if path.startswith(name + "/")]
        if not below and not os.path.lexists(place):
            raise UsageError(f"there is no file or folder {name}", todo="check the path")
        return below

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        if path in self.entries:
            return super().read(path, most)
        return self._folder.read(path, most)

    def open(self, path: str, most: int) -> BufferedIOBase | Gap | None:
        if path in self.entries:
            return super().open(path, most)
        return self._folder.open(path, most)

    def names(self, path: str) -> bool:
        """Git is only asked if the working tree has such a file, because that starts a process."""
        there = os.path.lexists(os.path.join(self.root, path))
        return there and bool(commands.run(self.root, "ls-files", "--stage", "--", path))


def _staged(root: str) -> Mapping[str, Entry]:
    """The files by path that differ from the last commit and are not deleted."""
    try:
        out = commands.run(root, *_DIFF)
    except UsageError:
        if commands.has_head(root):
            raise
        return _all_entries(root)
    parts = out.split(b"\0")
    staged = {}
    for about, path in zip(parts[0::2], parts[1::2], strict=False):
        _, mode, _, oid, status = about.split()
        if status != b"D":
            staged[path.decode(errors="surrogateescape")] = Entry(mode.decode(), oid.decode())
    return staged


def _all_entries(root: str) -> Mapping[str, Entry]:
    staged = {}
    for entry in commands.run(root, "ls-files", "--stage", "-z").split(b"\0"):
        if entry:
            about, _, path = entry.partition(b"\t")
            mode, oid, _ = about.split()
            staged[path.decode(errors="surrogateescape")] = Entry(mode.decode(), oid.decode())
    return staged
