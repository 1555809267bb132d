"""A cache of bare clones, bounded in size, that several runs may use at the same time.

The files of a repository in the cache folder, whose key is a hash of its address:

    KEY.git         the clone
    KEY.new-RANDOM  a clone that is being made
    KEY.lock        shared while the clone is open, exclusive while it is removed
    KEY.fetch       exclusive while one process asks the server
    KEY.size        the size of the clone in bytes; its time is when the clone was last opened
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scanner import cache
from scanner.errors import UsageError
from scanner.fleet import addresses, credentials, git
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
_PAUSE = 0.05  # seconds between two attempts to lock


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
        UsageError if the folder of the cache cannot be used.
        """
        if target.is_local:
            return _local_refs(target.address)
        arguments = ("ls-remote", "--quiet", "--", target.address)
        said = self._git(target, arguments, seconds=timeout, max_output=_MAX_LISTED)
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
        self._check_folder()
        key = _key(target)
        with _locked(self._path(key, "lock"), end, shared=True) as lock:
            repository = self._path(key, "git")
            if not _has(repository, refs):
                update = _Update(self, target, refs, min(max_size, self.limit), end, lock)
                with _locked(self._path(key, "fetch"), end):
                    update.run()
            self._used(key)
            yield Clone(Path(repository), refs)

    def _git(  # noqa: PLR0913 - the limits of one process
        self,
        target: Target,
        arguments: Sequence[str],
        *,
        seconds: float,
        max_output: int = 1 << 20,
        settings: Sequence[tuple[str, str]] = (),
        watch: _Watch | None = None,
    ) -> bytes:
        self._check_folder()
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

    def _check_folder(self) -> None:
        if not cache.is_usable(str(self.folder)):
            raise UsageError(
                f"the clones cannot be kept in {self.folder}",
                why=cache.trouble(str(self.folder)),
                todo="name a folder that only this user can read",
            )

    def _path(self, key: str, kind: str) -> str:
        return os.path.join(self.folder, f"{key}.{kind}")

    def _used(self, key: str) -> None:
        """Remember that the clone was opened now."""
        with contextlib.suppress(OSError):
            os.utime(self._path(key, "size"))

    def _note_size(self, key: str, size: int) -> None:
        with open(self._path(key, "size"), "w", encoding="ascii") as file:
            file.write(str(size))

    def _make_room(self, key: str, size: int) -> None:
        """Remove the clones that were used least recently until `size` bytes of this one fit."""
        others = sorted(each for each in self._sizes() if each[1] != key)
        total = size + sum(other_size for _, _, other_size in others)
        for _, other, other_size in others:
            if total <= self.limit:
                return
            if self._removed(other):
                total -= other_size
        if total > self.limit:
            raise CloneError(
                GapKind.TOO_LARGE,
                f"the cache of clones may have {self.limit:,} bytes, and clones that are in use "
                "fill it: allow more, or use fewer workers",
                temporary=True,
            )

    def _sizes(self) -> Iterator[tuple[float, str, int]]:
        """When each clone was last opened, its key and its size."""
        for entry in os.scandir(self.folder):
            key, _, kind = entry.name.rpartition(".")
            if kind != "size":
                continue
            with contextlib.suppress(OSError, ValueError), open(entry.path, "rb") as file:
                yield entry.stat().st_mtime, key, int(file.read(20) or b"0")

    def _removed(self, key: str) -> bool:
        """Remove a clone, unless it is open."""
        try:
            with _locked(self._path(key, "lock"), 0):
                _remove(self._path(key, "git"))
                self._remove_unfinished(key)
                os.unlink(self._path(key, "size"))
        except CloneError:
            return False
        return True

    def _remove_unfinished(self, key: str) -> None:
        """Remove what a process left that was killed while it cloned."""
        for entry in os.scandir(self.folder):
            if entry.name.startswith(f"{key}.new-"):
                _remove(entry.path)


class _Update:
    """Brings the clone of one repository up to date. Its fetch lock is held."""

    def __init__(  # noqa: PLR0913, PLR0917 - what `open` was asked
        self,
        clones: CloneCache,
        target: Target,
        refs: Mapping[str, str],
        max_size: int,
        end: float,
        lock: _Lock,
    ) -> None:
        self._clones = clones
        self._target = target
        self._refs = refs
        self._max_size = max_size
        self._end = end
        self._lock = lock
        self._key = _key(target)
        self._repository = clones._path(self._key, "git")

    def run(self) -> None:
        if _has(self._repository, self._refs):
            return  # another process was faster
        self._clones._remove_unfinished(self._key)
        if os.path.isdir(self._repository):
            try:
                _remove_leftovers(self._repository)
                self._fetch(self._repository)
            except CloneError as error:
                if error.temporary or error.kind != GapKind.NOT_CLONED:
                    raise
                if not self._lock.upgraded():
                    raise
                _remove(self._repository)  # it may be damaged
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
        new = self._clones._path(self._key, f"new-{os.urandom(6).hex()}")
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
                _remove(new)
                self._clones._note_size(self._key, 0)

    def _fetch(self, repository: str, options: Sequence[str] = ()) -> None:
        watch = _Watch(self._clones, self._key, repository, self._max_size)
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
        self._clones._git(
            self._target, arguments, seconds=seconds, settings=settings, watch=watch
        )

    def _default_branch(self) -> str:
        head = self._refs.get("HEAD")
        branches = [
            name for name, oid in self._refs.items() if oid == head and name.startswith(_READ[0])
        ]
        usual = [each for each in ("refs/heads/main", "refs/heads/master") if each in branches]
        return next(iter((*usual, *branches)), "")


class _Watch:
    """Raises CloneError when a growing clone is too large for its own limit or for the cache."""

    def __init__(self, clones: CloneCache, key: str, repository: str, max_size: int) -> None:
        self._clones = clones
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
            if size - self._checked > self._clones.limit // _STEPS:
                self._compare(size)

    def finish(self) -> None:
        self._compare(self._check())

    def _check(self) -> int:
        size = _size(self._repository)
        if size > self._max_size:
            raise CloneError(
                GapKind.TOO_LARGE,
                f"the clone was stopped at its limit of {self._max_size:,} bytes: allow more, or "
                "scan this repository by itself",
            )
        return size

    def _compare(self, size: int) -> None:
        self._clones._note_size(self._key, size)
        self._clones._make_room(self._key, size)
        self._checked = size


class _Lock:
    """A file that is locked, shared by several or by one alone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def taken(self, *, shared: bool) -> bool:
        """Lock the file, if no other process holds it in a way that excludes this."""
        import fcntl

        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def upgraded(self) -> bool:
        """Hold a shared lock alone, if nobody else shares it."""
        return self.taken(shared=False)


@contextlib.contextmanager
def _locked(path: str, end: float, *, shared: bool = False) -> Iterator[_Lock]:
    """Lock a file until `end`, in monotonic seconds. CloneError if others hold it so long.

    The operating system releases the lock of a process that is killed.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock = _Lock(fd)
        while not lock.taken(shared=shared):
            if time.monotonic() > end:
                raise CloneError(
                    GapKind.TIMEOUT,
                    "another process was cloning this repository all the time: allow more time",
                    temporary=True,
                )
            time.sleep(_PAUSE)
        yield lock
    finally:
        os.close(fd)


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
                        f"{name} leads to no object that is here: repair it (git fsck) or delete it",
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


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _size(folder: str) -> int:
    """The bytes of the files in a folder. Files may vanish meanwhile."""
    size = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(base, name)).st_size
    return size


def _moved() -> CloneError:
    return CloneError(
        GapKind.CHANGED,
        "a ref moved while the repository was read, and its old commit is gone: run again",
        temporary=True,
    )
