"""Run git commands, so that the configuration of a hostile repository cannot execute anything."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from scanner.errors import UsageError

if TYPE_CHECKING:
    import subprocess  # imported late, because a folder without git does not need it

# These override the repository's own config: no program of its choice, no network.
NEUTRAL = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.alternateRefsCommand=false",
    "core.commitGraph=false",  # an untrusted file that could hide commits
    "diff.external=",
    "diff.renameLimit=1000",  # git's default: without a limit, a commit could take hours
    "log.showSignature=false",  # it would run gpg.program
    "protocol.allow=never",
    "submodule.recurse=false",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_FLUSH": "0",  # git need not flush its output after each commit
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # read the objects themselves, not their replacements
    "GIT_GRAFT_FILE": os.devnull,  # and the parents that a commit names
    "LC_ALL": "C",
}
# In a hook, these variables name the hook's repository, but another one may be scanned.
_DROPPED = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_TRACE"),
    *("GIT_ATTR_SOURCE", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE"),
}
# Where a server keeps pushed objects until its hooks accept them.
_QUARANTINE = {"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
_PATIENCE = 600
EMPTY_TREE = {  # the tree without files, by the length of an id
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_BUFFER = 1 << 18
_AHEAD = 500  # names that fit into a pipe, so that both sides never wait for each other
_UNOPENED = re.compile(rb"(?ms)^warning: could not open directory '(.*?)/': [^'\n]*$")
_SUFFIX = re.compile(r"[~^:]|@\{")  # the end of a ref's name, as in main~2 or main@{1}
_BROKEN = re.compile(rb"(?m)^warning: ignoring broken ref (.*)$")


def top_of(path: str) -> str | None:
    """The working tree that holds `path` (an absolute folder), or None."""
    while True:
        if os.path.lexists(os.path.join(path, ".git")):
            return path
        parent = os.path.dirname(path)
        if parent == path:
            return None
        path = parent


def is_bare(path: str) -> bool:
    """Does the folder look like a bare repository, as on a server?"""
    parts = ("HEAD", "objects", "refs")
    there, *rest = (os.path.lexists(os.path.join(path, part)) for part in (".git", *parts))
    return all(rest) and not there


def is_git_dir(root: str) -> bool:
    """Does GIT_DIR name this repository? Git and GitLab set it in the hooks of a server, together
    with the folder of the pushed objects."""
    place = os.environ.get("GIT_DIR")
    return place is not None and os.path.realpath(place) == root


def run(root: str, *arguments: str, fed: bytes = b"") -> bytes:
    """The output of a git command, with `fed` as its standard input. UsageError with git's own
    message if it fails."""
    return _finish(root, _start(root, arguments, feeds=bool(fed)), arguments[0], fed)[0]


def run_briefly(root: str, most: int, *arguments: str) -> bytes | None:
    """Like `run`, but None if the output is over `most` bytes."""
    process = _start(root, arguments)
    output = process.stdout.read(most + 1) if process.stdout else b""
    if len(output) > most:
        process.kill()
        process.communicate()
        return None
    return output + _finish(root, process, arguments[0])[0]


def refs(root: str) -> Iterator[tuple[str, str]]:
    """The id and the name of each ref. The id of a broken ref is ""."""
    process = _start(root, ("for-each-ref", "--format=%(objectname) %(refname)"))
    out, err = _finish(root, process, "for-each-ref")
    for line in os.fsdecode(out).split("\n")[:-1]:
        oid, _, name = line.partition(" ")
        yield oid, name
    yield from (("", os.fsdecode(match[1])) for match in _BROKEN.finditer(err))


def ask(root: str, *arguments: str) -> str | None:
    """The line that a git command prints, or None if it fails."""
    process = _start(root, arguments)
    out, _ = process.communicate()
    return None if process.returncode else os.fsdecode(out).strip()


def listed(root: str, folders: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """(is tracked, path) of each file that git tracks or does not ignore, in `folders` or anywhere.

    A folder that git could not open is listed like a file, so that reading it becomes a Gap. The
    index is the repository's own, not the one that a running `git commit` uses.
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
    return ask(root, "rev-parse", "--quiet", "--verify", "HEAD") is not None


def hooks_folder(root: str) -> str:
    """The folder of git's hooks, relative to `root`: core.hooksPath of the user or the repository
    (not the one on our own command lines), or else the default."""
    output = run(root, "config", "--show-origin", "--type=path", "--get-all", "core.hooksPath")
    paths = [line.partition("\t") for line in os.fsdecode(output).splitlines()]
    own = [path for origin, _, path in paths if not origin.startswith("command line:")]
    common = os.fsdecode(run(root, "rev-parse", "--git-common-dir")).strip()
    return own[-1] if own else os.path.join(common, "hooks")


def objects_folder(root: str) -> str:
    """The folder of the repository's own objects."""
    path = ask(root, "rev-parse", "--git-path", "objects")
    return os.path.join(root, path or ".git/objects")


class GitProcess:
    """A git process that answers requests. A forked worker starts its own, because it must not
    share its parent's pipes."""

    def __init__(self, root: str, *arguments: str) -> None:
        self._root = root
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """The pipes for requests and for answers."""
        if self._process is None or self._owner != os.getpid():
            self._process = _start(self._root, self._arguments, answers=True)
            self._owner = os.getpid()
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            raise OSError("a pipe is missing")
        return asked, answers

    def close(self) -> None:
        """End the process. The next request starts another one."""
        process, self._process = self._process, None
        if process and self._owner == os.getpid():
            process.kill()
            process.communicate()


class Objects(GitProcess):
    """One `git cat-file --batch`: contents by object name or `:path` in the index."""

    def __init__(self, root: str) -> None:
        super().__init__(root, "cat-file", "--batch")

    def read(self, name: str, most: int, kind: bytes = b"blob") -> bytes | int | None:
        """The bytes of an object of this kind, its size if that is over `most`, or None if there is
        no such object."""
        answers = self._ask([name])
        return self._content(answers, most, kind) if answers else None

    def read_all(
        self, names: Sequence[str], most: int, kind: bytes = b"blob"
    ) -> Iterator[bytes | int | None]:
        """Like `read` for many objects. Take all results before the next request."""
        for first in range(0, len(names), _AHEAD):
            some = names[first : first + _AHEAD]
            answers = self._ask(some)
            for number in range(1, len(some) + 1):
                yield self._content(answers, most, kind) if answers else None
                if self._process is None:  # git ended because this object is damaged
                    answers = self._ask(some[number:])

    def id(self, name: str) -> str | None:
        """The id of the object that a name such as `HEAD^{commit}` means, or None."""
        answers = self._ask([name])
        header = self._header(answers) if answers else None
        if header is None or answers is None:
            return None
        _discard(answers, header[2] + 1)
        return header[0].decode()

    def commit(self, name: str) -> str | None:
        """The id of the commit that a name means, or None.

        UsageError if the name is ambiguous: git would prefer a tag, which more people may push, to
        the branch.
        """
        ref = _SUFFIX.split(name)[0]
        places = () if ref == "HEAD" else ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
        if len({self.id(f"{place}{ref}^{{commit}}") for place in places} - {None}) > 1:
            raise UsageError(
                f"{ref[:200]} is the name of several refs, of different commits",
                todo="name the branch in full, as refs/heads/main or refs/remotes/origin/main",
            )
        return self.id(f"{name}^{{commit}}")

    def _ask(self, names: Sequence[str]) -> IO[bytes] | None:
        """Send a request; returns the pipe of the answers, or None if git is gone."""
        if any("\n" in name for name in names):
            return None
        try:
            asked, answers = self.pipes()
            asked.write("".join(f"{name}\n" for name in names).encode(errors="surrogateescape"))
            asked.flush()
        except OSError:
            self.close()
            return None
        return answers

    def _header(self, answers: IO[bytes]) -> tuple[bytes, bytes, int] | None:
        """An object's id, kind and size. Its bytes and a newline follow in the pipe."""
        line = answers.readline()
        if not line:
            self.close()
        words = line.split()
        if len(words) != 3 or not words[2].isdigit():
            return None
        return words[0], words[1], int(words[2])

    def _content(self, answers: IO[bytes], most: int, kind: bytes) -> bytes | int | None:
        header = self._header(answers)
        if header is None:
            return None
        _, found, size = header
        if size > most or found != kind:
            _discard(answers, size + 1)
            return size if found == kind else None
        data = answers.read(size)
        if len(data) < size or not answers.read(1):
            self.close()
            return None
        return data


@functools.cache
def objects(root: str) -> Objects:
    """One shared process for single requests about a repository."""
    return Objects(root)


def end_processes(root: str) -> None:
    """End the shared process of a repository: for a process that reads many repositories."""
    objects(root).close()
    objects.cache_clear()
    _without_attributes.cache_clear()


def _discard(stream: IO[bytes], size: int) -> None:
    while size > 0:
        got = len(stream.read(min(size, 1 << 20)))
        if not got:
            return
        size -= got


def _finish(
    root: str, process: subprocess.Popen[bytes], command: str, fed: bytes = b""
) -> tuple[bytes, bytes]:
    import subprocess

    try:
        out, err = process.communicate(fed or None, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise UsageError(
            f"git {command} did not end within {_PATIENCE} seconds in {root}",
            why="something in the tree holds it up: a pipe named .gitignore, a network drive",
            todo="see where git status stops, or scan the folder as it is with --no-git",
        ) from None
    if process.returncode:
        errors = err.decode(errors="replace").strip().splitlines() or [f"exit {process.returncode}"]
        why = next((line for line in errors if line.startswith("fatal: ")), errors[0])
        why = why.removeprefix("fatal: ")
        raise UsageError(f"git {command} failed in {root}", why=why, todo=_advice(why))
    return out, err


def _start(
    root: str,
    arguments: Sequence[str],
    *,
    feeds: bool = False,
    answers: bool = False,
    without: str = "",
) -> subprocess.Popen[bytes]:
    """`feeds`: the command reads its standard input. `answers`: it also answers each line."""
    import subprocess

    options = [part for setting in NEUTRAL for part in ("-c", setting)]
    dropped = {*_DROPPED, without, *(() if is_git_dir(root) else _QUARANTINE)}
    environment = {k: v for k, v in os.environ.items() if k not in dropped} | _ENVIRONMENT
    return subprocess.Popen(
        [program(), *options, *arguments],
        cwd=root,
        # If the repository is broken, git must not use another one in a parent folder.
        env=environment
        | {"GIT_CEILING_DIRECTORIES": os.path.dirname(root)}
        | ({} if arguments[0] == "check-attr" else _without_attributes(root)),
        bufsize=_BUFFER if answers else -1,
        stdin=subprocess.PIPE if feeds or answers else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if answers else subprocess.PIPE,
    )


@functools.cache
def _without_attributes(root: str) -> dict[str, str]:
    """Let git read attributes from the tree without files, not from the work tree.

    A pipe named .gitattributes would block git, and nothing here needs attributes. Git before 2.41
    ignores the variable.
    """
    for place in (os.path.join(root, ".git", "config"), os.path.join(root, "config")):
        try:
            with open(os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
                return {"GIT_ATTR_SOURCE": EMPTY_TREE[64 if b"sha256" in file.read() else 40]}
        except OSError:
            continue
    return {}


def program() -> str:
    """The absolute path of git, never from the scanned tree or a relative entry of PATH."""
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
