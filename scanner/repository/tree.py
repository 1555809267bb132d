"""The command line: a repository's own files as text, for the verbs that look at the repository
itself and not for secrets in it.

Files come from the same source as those of a scan: what git tracks, or does not ignore. No link is
followed, nothing large is read, and what could not be read is kept as a Gap.
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
"""Bytes of the largest script, manifest or workflow that is read."""


class Tree:
    """The repository around a folder, or the folder where it is in none."""

    def __init__(
        self, given: str, console: Console, *, use_git: bool = True, commit: str = ""
    ) -> None:
        """`commit`: the files as this commit has them; "" for those of the work tree."""
        place = os.path.realpath(os.path.join(console.cwd, given))
        if not os.path.isdir(place):
            raise UsageError(f"{given} is no folder", todo="name a folder of the repository")
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
        """A file that steers keywatch; None where there is none."""
        return self._source.control(path)

    def data(self, path: str, most: int = MOST) -> bytes | Skip | Gap:
        """The bytes of one of `paths`, UTF-16 as UTF-8; or why they are not read."""
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
        """The text of one of `paths`. None where it is not read, which is noted."""
        got = self.data(path)
        if isinstance(got, bytes):
            return got.decode(errors="replace").removeprefix("\ufeff").replace("\r\n", "\n")
        if isinstance(got, Skip):
            self.skips.append(got)
        else:
            self.gaps.append(got)
        return None
