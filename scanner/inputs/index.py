"""Inputs: what a commit would hold: the bytes in git's index, whatever the work tree says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from io import BufferedIOBase, BytesIO

from scanner.errors import UsageError
from scanner.inputs import decoding, git
from scanner.inputs.folder import Folder
from scanner.inputs.interface import CONTROL_LIMIT, Blob, too_large, too_large_to_hold
from scanner.model import Gap, Skip

_NOT_TEXT = {b"160000": "submodule", b"120000": "symlink"}
_UNMERGED = b"000000"  # no mode yet: a merge left several versions, of which none is staged
_DIFF = (
    *("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev"),
    *("--ita-invisible-in-index", "HEAD", "--"),
)


class Index:
    """The staged files of the repository at `root`.

    With `named` files it holds those of them that are staged; a folder stands for what is staged in
    it. `or_work_tree`: of the others it holds the work tree's bytes, for a hook whose framework
    names all files.
    """

    def __init__(
        self, root: str, named: Sequence[str] | None, *, or_work_tree: bool = False
    ) -> None:
        self.root = root
        self.whole_tree = False
        self._staged = _staged(root)
        self._named = named
        self._or_work_tree = or_work_tree
        self._folder = Folder(root, named or (), use_git=False)
        self._objects: dict[int, git.Objects] = {}

    def paths(self, _steps: object = (), /) -> Sequence[str]:
        if self._named is None:
            return sorted(self._staged)
        return sorted({path for name in self._named for path in self._meant(name)})

    def _meant(self, name: str) -> Sequence[str]:
        place = os.path.join(self.root, name)
        is_file = os.path.lexists(place) and not os.path.isdir(place)
        if name in self._staged or (is_file and self._or_work_tree):
            return (name,)
        below = [path for path in self._staged if path.startswith(name + "/")]
        if not below and not os.path.lexists(place):
            raise UsageError(f"there is no file or folder {name}", todo="check the path")
        return below

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        entry = self._staged.get(path)
        if entry is None:
            return self._folder.read(path, most)
        mode, oid = entry
        if mode in _NOT_TEXT:
            return Skip(kind=_NOT_TEXT[mode], path=path)
        if mode == _UNMERGED:
            return Gap(
                kind="unreadable", path=path, reason="it is unmerged: resolve and git add it"
            )
        data = self._object(oid, most)
        if data is None:
            return Gap(kind="unreadable", path=path, reason=f"git has no blob {oid[:12]} for it")
        if isinstance(data, int):
            return Skip(kind="too-large", path=path)
        return decoding.blob(path, len(data), data, (data,))

    def open(self, path: str, most: int) -> BufferedIOBase | Gap | None:
        if path not in self._staged:
            return self._folder.open(path, most)
        mode, oid = self._staged[path]
        data = None if mode in (*_NOT_TEXT, _UNMERGED) else self._object(oid, most)
        if isinstance(data, int):
            return too_large_to_hold(path, most)
        return None if data is None else BytesIO(data)

    def control(self, path: str) -> bytes | None:
        data = self._object(f":{path}", CONTROL_LIMIT)
        if isinstance(data, int):
            raise too_large(path)
        if data is None and self._has_entry(path):
            raise UsageError(
                f"{path} cannot be read from git's index",
                why="it is in conflict, or its object is missing",
                todo="solve the conflict, or mend the repository (git fsck)",
            )
        return data

    def _has_entry(self, path: str) -> bool:
        """Costs a process, so git is only asked where the work tree has such a file."""
        there = os.path.lexists(os.path.join(self.root, path))
        return there and bool(git.run(self.root, "ls-files", "--stage", "--", path))

    def _object(self, name: str, most: int) -> bytes | int | None:
        """By one git process for each of ours: a worker must not share its parent's pipe."""
        process = os.getpid()
        if process not in self._objects:
            self._objects = {process: git.Objects(self.root)}
        return self._objects[process].read(name, most)


def _staged(root: str) -> Mapping[str, tuple[bytes, str]]:
    """path -> (mode, object name) of what differs from the last commit and is not deleted."""
    try:
        out = git.run(root, *_DIFF)
    except UsageError:
        if git.has_head(root):
            raise
        return _all_entries(root)
    parts = out.split(b"\0")
    staged = {}
    for about, path in zip(parts[0::2], parts[1::2], strict=False):
        _, mode, _, oid, status = about.split()
        if status != b"D":
            staged[path.decode(errors="surrogateescape")] = (mode, oid.decode())
    return staged


def _all_entries(root: str) -> Mapping[str, tuple[bytes, str]]:
    staged = {}
    for entry in git.run(root, "ls-files", "--stage", "-z").split(b"\0"):
        if entry:
            about, _, path = entry.partition(b"\t")
            mode, oid, _ = about.split()
            staged[path.decode(errors="surrogateescape")] = (mode, oid.decode())
    return staged
