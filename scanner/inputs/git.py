"""Inputs: git's plumbing, asked so that a hostile repository's configuration runs nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from scanner.errors import UsageError

if TYPE_CHECKING:
    import subprocess  # loaded late: a folder without git needs none

# Whatever the repository's own config says: no program of its choice, no network.
_NEUTRAL = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.alternateRefsCommand=false",
    "diff.external=",
    "protocol.allow=never",
    "submodule.recurse=false",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit holds the object itself, not what stands in for it
    "LC_ALL": "C",
}
# A hook's variables name the repository that it runs in; it may scan another one.
_DROPPED = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_TRACE"),
}
_PATIENCE = 600
_UNOPENED = re.compile(rb"(?ms)^warning: could not open directory '(.*?)/': [^'\n]*$")


def top_of(path: str) -> str | None:
    """The work tree that holds `path` (an absolute folder), or None."""
    while True:
        if os.path.lexists(os.path.join(path, ".git")):
            return path
        parent = os.path.dirname(path)
        if parent == path:
            return None
        path = parent


def run(root: str, *arguments: str) -> bytes:
    """What a git command prints. UsageError with git's own words where it fails."""
    return _finish(root, _start(root, arguments), arguments[0])[0]


def listed(root: str, folders: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """(tracked?, path) of each file that git tracks, or does not ignore; of all or in `folders`.

    Also of each folder that git could not look into, so that it is missed by whoever reads it. The
    index is the repository's own, not the one of a commit that is being made.
    """
    process = _start(
        root,
        ("ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--", *folders),
        without="GIT_INDEX_FILE",
    )
    out, err = _finish(root, process, "ls-files")
    for entry in filter(None, os.fsdecode(out).split("\0")):
        yield entry[0] != "?", entry[2:].rstrip("/")
    yield from ((False, os.fsdecode(match[1])) for match in _UNOPENED.finditer(err))


def has_head(root: str) -> bool:
    """Is there a commit yet?"""
    process = _start(root, ("rev-parse", "--quiet", "--verify", "HEAD"))
    process.communicate()
    return process.returncode == 0


def hooks_folder(root: str) -> str:
    """Where git looks for hooks, from `root`: core.hooksPath of the user's or the repository's own
    configuration (the last one that is not our own command line's), else the default."""
    said = run(root, "config", "--show-origin", "--type=path", "--get-all", "core.hooksPath")
    paths = [line.partition("\t") for line in os.fsdecode(said).splitlines()]
    own = [path for origin, _, path in paths if not origin.startswith("command line:")]
    common = os.fsdecode(run(root, "rev-parse", "--git-common-dir")).strip()
    return own[-1] if own else os.path.join(common, "hooks")


class Objects:
    """One `git cat-file --batch`: contents by object name or `:path` in the index."""

    def __init__(self, root: str) -> None:
        self._process = _start(root, ("cat-file", "--batch"), asked=True)

    def read(self, name: str, most: int) -> bytes | int | None:
        """The bytes of a blob; its size where that is over `most`; None where there is no blob."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None or "\n" in name:
            return None
        try:
            stdin.write(name.encode(errors="surrogateescape") + b"\n")
            stdin.flush()
        except OSError:
            return None
        header = stdout.readline().split()
        if len(header) != 3 or not header[2].isdigit():
            return None
        size = int(header[2])
        if size > most or header[1] != b"blob":
            _discard(stdout, size + 1)
            return size if header[1] == b"blob" else None
        data = stdout.read(size + 1)[:size]
        return data if len(data) == size else None

    def close(self) -> None:
        self._process.communicate()


def _discard(stream: IO[bytes], size: int) -> None:
    while size > 0:
        got = len(stream.read(min(size, 1 << 20)))
        if not got:
            return
        size -= got


def _finish(root: str, process: subprocess.Popen[bytes], command: str) -> tuple[bytes, bytes]:
    import subprocess

    try:
        out, err = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise UsageError(
            f"git {command} did not end within {_PATIENCE} seconds in {root}",
            why="something in the tree holds it up: a pipe named .gitignore, a network drive",
            todo="see where git status stops, or scan the folder as it is with --no-git",
        ) from None
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines() or [f"exit {process.returncode}"]
        why = next((line for line in said if line.startswith("fatal: ")), said[0])
        why = why.removeprefix("fatal: ")
        raise UsageError(f"git {command} failed in {root}", why=why, todo=_advice(why))
    return out, err


def _start(
    root: str, arguments: Sequence[str], *, asked: bool = False, without: str = ""
) -> subprocess.Popen[bytes]:
    """`asked`: it answers what it reads from its standard input."""
    import subprocess

    options = [part for setting in _NEUTRAL for part in ("-c", setting)]
    dropped = {*_DROPPED, without}
    environment = {k: v for k, v in os.environ.items() if k not in dropped} | _ENVIRONMENT
    return subprocess.Popen(
        [_program(), *options, *arguments],
        cwd=root,
        # The repository is this folder's or none: not one further up, if this one is broken.
        env=environment | {"GIT_CEILING_DIRECTORIES": os.path.dirname(root)},
        stdin=subprocess.PIPE if asked else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if asked else subprocess.PIPE,
    )


def _program() -> str:
    """git's absolute path: never one from the scanned tree or a relative entry of PATH."""
    suffix = ".exe" if os.name == "nt" else ""
    for folder in os.get_exec_path():
        path = os.path.join(folder, "git" + suffix)
        if os.path.isabs(folder) and os.access(path, os.X_OK):
            return path
    raise UsageError(
        "git is not installed",
        why="there is no git in PATH",
        todo="install git, or scan the folder as it is with --no-git",
    )


def _advice(why: str) -> str:
    if "dubious ownership" in why:
        return "run git config --global --add safe.directory for this folder, or use --no-git"
    if "not a git repository" in why:
        return "run it inside a repository, or scan the folder as it is with --no-git"
    if "index" in why:
        return "rebuild the index: rm .git/index && git reset"
    return "mend the repository (git fsck), or scan the folder as it is with --no-git"
