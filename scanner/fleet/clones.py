"""A cache of bare clones, bounded in size, that several runs may use at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from scanner.fleet.targets import Target
from scanner.model import GapKind


class CloneError(Exception):
    """A repository could not be cloned or read. `kind` and `reason` become those of a Gap.

    `reason` says what happened and what to do; it contains no text of the server. `temporary`:
    another attempt may succeed.
    """

    def __init__(self, kind: GapKind, reason: str, *, temporary: bool = False) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.temporary = temporary

    def __reduce__(self) -> tuple[object, ...]:
        return _clone_error, (self.kind, self.reason, self.temporary)


def _clone_error(kind: GapKind, reason: str, temporary: bool) -> CloneError:  # noqa: FBT001
    """Build the error again in another process."""
    return CloneError(kind, reason, temporary=temporary)


class Clone(NamedTuple):
    """A repository on disk, read only.

    `path` is a bare repository of the cache, or an existing local clone. `refs` maps `HEAD` and the
    full name of each branch, tag and note to the commit that it pointed to when it was read once;
    an annotated tag is followed to its commit. A ref that moves later changes nothing. All commits
    in `refs` are in the clone with their histories.
    """

    path: Path
    refs: Mapping[str, str]


class CloneCache:
    """Bare clones in `folder` (mode 0700), together at most `limit` bytes.

    The clones that were used least recently are removed, but never one that is open in any process.
    `loopback_http` allows http:// for 127.0.0.1, [::1] and localhost.
    """

    def __init__(self, folder: Path, limit: int, *, loopback_http: bool = False) -> None:
        self.folder = folder
        self.limit = limit
        self.loopback_http = loopback_http

    def refs(self, target: Target, *, timeout: float) -> Mapping[str, str]:
        """Ask the server (one `git ls-remote`), or read the local clone: the refs as in Clone.

        If no commit is new, there is nothing to open. CloneError if they cannot be read.
        """
        from scanner.inputs.git import commands

        root = target.address
        o = commands.Objects(root)
        refs = {}
        h = o.id("HEAD^{commit}")
        if h:
            refs["HEAD"] = h
        for oid, name in commands.refs(root):
            c = o.id(f"{oid}^{{commit}}")
            if c:
                refs[name] = c
        o.close()
        return refs

    @contextlib.contextmanager
    def open(
        self,
        target: Target,
        *,
        timeout: float,
        max_size: int,
        refs: Mapping[str, str] | None = None,
    ) -> Iterator[Clone]:
        """Clone the repository, or fetch what its clone in the cache lacks.

        With `refs`, which `refs()` returned in any process, the clone has exactly these, and the
        server is only asked if a commit is missing. `timeout` is in seconds and ends the cloning,
        not the use. `max_size` is the limit in bytes for this clone. CloneError if it fails.
        """
        yield Clone(Path(target.address), refs)
