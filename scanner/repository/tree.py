"""Read a repository's files as text, to check the repository itself.

The files are those of a scan: tracked by git, or untracked and not ignored. Links are not followed
and large files are not read. A file that could not be read becomes a Gap.
"""

from __future__ import annotations

import os

from scanner.console import Console
from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.git import commands
from scanner.inputs.git.stored import of_commit
from scanner.inputs.interface import Blob, Source
from scanner.inputs.root import path_to_root
from scanner.model import Coverage, Gap, GapKind, Skip

MOST = 1 << 20
"""The maximum size in bytes of a script, manifest or workflow."""


class Tree:
    """The repository that contains a folder, or the folder itself if there is no repository."""

    def __init__(
        self, given: str, console: Console, *, use_git: bool = True, commit: str = ""
    ) -> None:
        """`commit`: the files as this commit has them; "" for those of the work tree."""
        place = os.path.realpath(os.path.join(console.cwd, given))
        if not os.path.isdir(place):
            raise UsageError(f"{given} is not a folder", todo="name a folder of the repository")
        self.root = commands.top_of(place) or place
        self.open_from = path_to_root(console.cwd, self.root)
        in_git = use_git and os.path.lexists(os.path.join(self.root, ".git"))
        self._source: Source = Folder(self.root, (), use_git=in_git)
        is_empty = not set(os.listdir(self.root)) - {".git"}
        if commit:
            self._source, is_empty = of_commit(self.root, commit), False
        self.paths = frozenset(() if is_empty else self._source.paths())
        self.gaps: list[Gap] = []
        self.skips: list[Skip] = []
        self._files = self._size = 0

    @property
    def coverage(self) -> Coverage:
        kinds = [skip.kind for skip in self.skips]
        skipped = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
        return Coverage(files=self._files, size=self._size, skipped=skipped)

    def control(self, path: str) -> bytes | None:
        """The bytes of a file that configures keywatch. None if it does not exist."""
        return self._source.control(path)

    def data(self, path: str, most: int = MOST) -> bytes | Skip | Gap:
        """The bytes of one of `paths`, with UTF-16 converted to UTF-8, or why it was not read."""
        got = self._source.read(path, most)
        if not isinstance(got, Blob):
            return got
        try:
            data = b"".join(got.chunks)
        except OSError as error:
            return Gap(kind=GapKind.CHANGED, path=path, reason=error.strerror or str(error))
        self._files += 1
        self._size += got.size
        return data

    def text(self, path: str) -> str | None:
        """The text of one of `paths`. None if it was not read; then `skips` or `gaps` says why."""
        got = self.data(path)
        if isinstance(got, bytes):
            return got.decode(errors="replace").removeprefix("\ufeff").replace("\r\n", "\n")
        if isinstance(got, Skip):
            self.skips.append(got)
        else:
            self.gaps.append(got)
        return None
