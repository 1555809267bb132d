"""A cache of bare clones, bounded in size, that several runs may use at the same time."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scanner import cache
from scanner.errors import UsageError
from scanner.fleet import addresses, credentials, git
from scanner.fleet.cache_folder import CacheFolder, Lock, locked, remove, size_of
from scanner.fleet.git import CloneError
from scanner.fleet.targets import Target
from scanner.inputs.git import commands
from scanner.model import GapKind

__all__ = ["Clone", "CloneCache", "CloneError"]

_READ = ("refs/heads/", "refs/tags/", "refs/notes/")
_MAX_LISTED = 256 << 20  # bytes of a list of refs, enough for three million
_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\t([^\x00-\x20\x7f]+)")
_LARGEST_BLOB = 20_000_000  # bytes; a scan skips larger files by default
_STEPS = 64  # how often a growing clone compares the whole cache with its limit


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
        self._files = CacheFolder(str(folder), limit)

    def refs(self, target: Target, *, timeout: float) -> Mapping[str, str]:
        """Ask the server (one `git ls-remote`), or read the local clone: the refs as in Clone.

        If no commit is new, there is nothing to open. CloneError if they cannot be read.
        UsageError if the folder of the cache cannot be used.
        """
        if target.is_local:
            return _local_refs(target.address)
        arguments = ("ls-remote", "--quiet", "--", target.address)
        said = self.git(target, arguments, seconds=timeout, max_output=_MAX_LISTED)
        return _parsed_refs(said)

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
        not the use. `max_size` is the limit in bytes for this clone; if a complete clone is over
        it, one without files over 20 MB is tried. CloneError if it fails, UsageError if the folder
        of the cache cannot be used.
        """
        end = time.monotonic() + timeout
        if refs is None:
            refs = self.refs(target, timeout=timeout)
        if target.is_local:
            yield Clone(Path(target.address), refs)
            return
        self._files.check()
        key = _key(target)
        with locked(self._files.path(key, "lock"), end, shared=True) as lock:
            repository = self._files.path(key, "git")
            if not _has(repository, refs):
                update = _Update(
                    self, self._files, target, refs, min(max_size, self.limit), end, lock
                )
                with locked(self._files.path(key, "fetch"), end):
                    update.run()
            self._files.used(key)
            yield Clone(Path(repository), refs)

    def git(  # noqa: PLR0913 - the limits of one process
        self,
        target: Target,
        arguments: Sequence[str],
        *,
        seconds: float,
        max_output: int = 1 << 20,
        settings: Sequence[tuple[str, str]] = (),
        watch: Callable[[], None] | None = None,
    ) -> bytes:
        """Run git with the network and the token for the target's host. CloneError if it fails."""
        self._files.check()
        try:
            address = addresses.parse(target.address, loopback_http=self.loopback_http)
        except addresses.AddressError as error:
            raise CloneError(GapKind.NOT_CLONED, str(error)) from None
        helpers = () if address.origin.startswith("ssh:") else credentials.helpers(address.origin)
        return git.run(
            arguments,
            cwd=str(self.folder),
            seconds=seconds,
            max_output=max_output,
            settings=(*helpers, *settings),
            protocols="https:ssh:http" if self.loopback_http else "https:ssh",
            watch=watch,
        )


class _Update:
    """Brings the clone of one repository up to date. Its fetch lock is held."""

    def __init__(  # noqa: PLR0913, PLR0917 - what `open` was asked
        self,
        clones: CloneCache,
        files: CacheFolder,
        target: Target,
        refs: Mapping[str, str],
        max_size: int,
        end: float,
        lock: Lock,
    ) -> None:
        self._clones = clones
        self._files = files
        self._target = target
        self._refs = refs
        self._max_size = max_size
        self._end = end
        self._lock = lock
        self._key = _key(target)
        self._repository = files.path(self._key, "git")

    def run(self) -> None:
        if _has(self._repository, self._refs):
            return  # another process was faster
        self._files.remove_unfinished(self._key)
        if os.path.isdir(self._repository):
            try:
                _remove_leftovers(self._repository)
                self._fetch(self._repository)
            except CloneError as error:
                if error.temporary or error.kind != GapKind.NOT_CLONED:
                    raise
                if not self._lock.upgraded():
                    raise
                remove(self._repository)  # it may be damaged
            else:
                return
        self._clone()

    def _clone(self) -> None:
        too_large = self._target.size > self._max_size
        try:
            self._clone_with(_without_large_files() if too_large else ())
        except CloneError as error:
            if error.kind != GapKind.TOO_LARGE or error.temporary or too_large:
                raise
            self._clone_with(_without_large_files())

    def _clone_with(self, options: Sequence[str]) -> None:
        new = self._files.path(self._key, f"new-{os.urandom(6).hex()}")
        try:
            ids = self._refs.values()
            form = "sha256" if any(len(each) == 64 for each in ids) else "sha1"
            init = ("init", "--quiet", "--bare", "--template=", f"--object-format={form}", new)
            self._git(init)
            self._fetch(new, options)
            if branch := self._default_branch():
                self._git(("--git-dir", new, "symbolic-ref", "HEAD", branch))
            os.rename(new, self._repository)
        finally:
            if os.path.lexists(new):
                remove(new)
                self._files.note_size(self._key, 0)

    def _fetch(self, repository: str, options: Sequence[str] = ()) -> None:
        watch = _Watch(self._files, self._key, repository, self._max_size)
        specs = [f"+{each}*:{each}*" for each in _READ]
        self._fetch_specs(repository, ["--prune", *options], specs, watch)
        if not _has(repository, self._refs):
            lost = [each for each in {*self._refs.values()} if not _has(repository, {"": each})]
            specs = [f"+{each}:refs/pinned/{each}" for each in sorted(lost)]
            try:
                self._fetch_specs(repository, options, specs, watch)
            except CloneError as error:
                if error.temporary:
                    raise
                raise _moved() from None
            if not _has(repository, self._refs):
                raise _moved()
        watch.finish()

    def _fetch_specs(
        self, repository: str, options: Sequence[str], specs: Sequence[str], watch: _Watch
    ) -> None:
        quiet = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        arguments = ("--git-dir", repository, "fetch", *quiet, *options, "origin", *specs)
        self._git(arguments, watch)

    def _git(self, arguments: Sequence[str], watch: _Watch | None = None) -> None:
        seconds = self._end - time.monotonic()
        settings = [("remote.origin.url", self._target.address)]
        self._clones.git(self._target, arguments, seconds=seconds, settings=settings, watch=watch)

    def _default_branch(self) -> str:
        head = self._refs.get("HEAD")
        branches = [
            name for name, oid in self._refs.items() if oid == head and name.startswith(_READ[0])
        ]
        usual = [each for each in ("refs/heads/main", "refs/heads/master") if each in branches]
        return next(iter((*usual, *branches)), "")


class _Watch:
    """Raises CloneError when a growing clone is too large for its own limit or for the cache."""

    def __init__(self, files: CacheFolder, key: str, repository: str, max_size: int) -> None:
        self._files = files
        self._key = key
        self._repository = repository
        self._max_size = max_size
        self._checked = 0
        self._next = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now >= self._next:
            started, size = now, self._check()
            self._next = started + max(0.2, 10 * (time.monotonic() - started))
            if size - self._checked > self._files.limit // _STEPS:
                self._compare(size)

    def finish(self) -> None:
        self._compare(self._check())

    def _check(self) -> int:
        size = size_of(self._repository)
        if size > self._max_size:
            raise CloneError(
                GapKind.TOO_LARGE,
                f"the clone was stopped at its limit of {self._max_size:,} bytes: allow more, or "
                "scan this repository by itself",
            )
        return size

    def _compare(self, size: int) -> None:
        self._files.note_size(self._key, size)
        self._files.make_room(self._key, size)
        self._checked = size


def _key(target: Target) -> str:
    """The name of a repository's files: safe on every file system, whatever its address is."""
    return cache.key(target.address)


def _local_refs(root: str) -> Mapping[str, str]:
    try:
        objects = commands.Objects(root)
        try:
            head = objects.id("HEAD^{commit}")
            refs = {"HEAD": head} if head else {}
            for oid, name in commands.refs(root):
                commit = objects.id(f"{oid}^{{commit}}") if oid else None
                if commit:
                    refs[name] = commit
                elif not (oid and objects.id(oid)):
                    raise CloneError(
                        GapKind.UNREADABLE,
                        f"{name} leads to no object that is here: run git fsck, or delete it",
                    )
        finally:
            objects.close()
    except UsageError as error:
        reason = ": ".join(filter(None, (error.what, error.why)))
        raise CloneError(GapKind.UNREADABLE, f"{reason}; {error.todo}") from None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise CloneError(GapKind.UNREADABLE, f"{reason}: is the clone still there?") from None
    return refs


def _parsed_refs(said: bytes) -> Mapping[str, str]:
    """The refs in the output of git ls-remote."""
    refs: dict[str, str] = {}
    for line in os.fsdecode(said).split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise CloneError(GapKind.NOT_CLONED, "the server lists refs that git does not allow")
        oid, name = match.groups()
        plain = name.removesuffix("^{}")  # what an annotated tag leads to; it follows the tag
        if plain == "HEAD" or plain.startswith(_READ):
            refs[plain] = oid
    return refs


def _has(repository: str, refs: Mapping[str, str]) -> bool:
    """Are these commits and their histories in the clone? Only a finished fetch makes refs."""
    if not os.path.isdir(repository):
        return False
    fed = "".join(f"{oid}\n" for oid in {*refs.values()}).encode()
    if not fed:
        return True
    arguments = ("rev-list", "--max-count=1", "--stdin", "--not", "--all", "--not")
    try:
        return not commands.run(repository, *arguments, fed=fed).strip()
    except UsageError:
        return False  # an object is missing


def _without_large_files() -> Sequence[str]:
    """A server without partial clones ignores it and sends everything."""
    return (f"--filter=blob:limit={_LARGEST_BLOB + 1}",)


def _remove_leftovers(repository: str) -> None:
    """Remove what a killed git left: its locks, which would stop every fetch, and its packs."""
    for folder, _, names in os.walk(repository):
        for name in names:
            if name.endswith(".lock") or name.startswith("tmp_"):
                os.unlink(os.path.join(folder, name))


def _moved() -> CloneError:
    return CloneError(
        GapKind.CHANGED,
        "a ref moved while the repository was read, and its old commit is gone: run again",
        temporary=True,
    )
