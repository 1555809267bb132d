"""Anchors: a head of the ledger that somebody else keeps or has signed.

`anchor` writes the head to a small file, signs it with ssh-keygen, commits the ledger to its own
git repository and tags the commit. The readers here turn such a file, signature or tag back into a
head that can be trusted. GitPython is used only for the ledger's own repository.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scanner import files
from scanner.errors import ConfigError, OutputError, UsageError, unreadable
from scanner.evidence.ledger import Head, Ledger
from scanner.evidence.verify import Problem

if TYPE_CHECKING:
    import git

HEADS = "heads"
"""The folder of the head files, in the ledger's folder."""
NAMESPACE = "keywatch-evidence"
"""Of the SSH signatures, so that no signature for another purpose counts."""
_SECONDS = 60
_TITLE = "keywatch evidence head"
_STATEMENT = re.compile(
    rf"{_TITLE}\nnumber: ([1-9][0-9]{{0,17}})\nhash: ([0-9a-f]{{64}})\nat: ([0-9T:.+Z-]+)\n?"
)
_HASH = re.compile(r"[0-9a-f]{64}")
_SAFE = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "gpg.format=ssh")


class Anchored(NamedTuple):
    """A new anchor: the head, its file, its tag, and whether it was signed."""

    head: Head
    file: str
    tag: str
    signed: bool


def statement(head: Head) -> str:
    """The text that is signed."""
    return f"{_TITLE}\nnumber: {head.number}\nhash: {head.hash}\nat: {head.at}\n"


def parsed(text: str, where: str) -> Head:
    """The head of a statement. ConfigError if it is not one."""
    found = _STATEMENT.fullmatch(text)
    if not found:
        raise ConfigError(f"{where} is not a head of a ledger", todo="keywatch evidence anchor")
    return Head(number=int(found[1]), hash=found[2], at=found[3])


def expected(given: str, cwd: str) -> Head:
    """The head of `--expect`: its hash, or a file with the statement."""
    if _HASH.fullmatch(given):
        return Head(hash=given)
    path = os.path.join(cwd, given)
    return parsed(_text(path), given)


def anchor(ledger: Ledger, head: Head, key: str | None, now: datetime) -> Anchored:
    """Write, sign, commit and tag the head of a verified ledger.

    `key` is the file of a private SSH key, or a public one whose private key is in ssh-agent.
    OutputError if a step fails; the steps before it stay.
    """
    if not head.number:
        raise UsageError("the ledger is empty", todo="keywatch audit --evidence adds an entry")
    folder = os.path.join(ledger.folder, HEADS)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{head.number:08}.txt")
    files.write_file(path, statement(head).encode())
    if key:
        _sign(path, key)
    tag = _commit(ledger, head, key, now)
    return Anchored(head=head, file=path, tag=tag, signed=bool(key))


def _sign(path: str, key: str) -> None:
    if os.path.exists(f"{path}.sig"):
        os.unlink(f"{path}.sig")  # otherwise ssh-keygen asks whether to overwrite it
    done = _ssh_keygen("sign", "-f", key, "-n", NAMESPACE, path)
    if done.returncode:
        raise OutputError(
            "the head could not be signed",
            why="ssh-keygen refused the key",
            todo="name a private key without a passphrase, or a public key of your ssh-agent",
        )


def _commit(ledger: Ledger, head: Head, key: str | None, now: datetime) -> str:
    import git

    name = f"evidence/{head.number:08}"
    try:
        repository = _repository(ledger.folder)
        who = git.Actor(ledger.writer, "")
        repository.index.add([*map(os.path.abspath, _tracked(ledger))])
        repository.index.commit(
            f"Anchor evidence entry {head.number}",
            author=who,
            committer=who,
            author_date=now,
            commit_date=now,
            skip_hooks=True,
        )
        signing = [f"user.signingKey={key}"] if key else []
        with repository.git.custom_environment(
            GIT_COMMITTER_NAME=ledger.writer,
            GIT_COMMITTER_EMAIL="",
            GIT_COMMITTER_DATE=f"{now:%Y-%m-%dT%H:%M:%S+00:00}",
        ):
            how = "--sign" if key else "--annotate"
            _git(repository, *signing).tag(how, "--force", "-m", statement(head), name)
    except (git.GitError, OSError, ValueError):
        raise OutputError(
            "the ledger's repository could not be written",
            todo=f"run git status in {ledger.folder}, correct it, and anchor again",
        ) from None
    return name


def _repository(folder: str) -> git.Repo:
    """The ledger's own repository, created if needed. Never the one around it."""
    import git

    if os.path.isdir(os.path.join(folder, ".git")):
        return git.Repo(folder, search_parent_directories=False)
    return git.Repo.init(folder, initial_branch="main")


def _git(repository: git.Repo, *settings: str) -> git.Git:
    return repository.git(c=[*_SAFE, *settings])


def _tracked(ledger: Ledger) -> Iterator[str]:
    yield from ledger.files()
    for folder in (ledger.folder, os.path.join(ledger.folder, HEADS)):
        for name in sorted(os.listdir(folder)):
            if name.endswith((".txt", ".sig", ".bin")):
                yield os.path.join(folder, name)


def signed_heads(
    ledger: Ledger, signers: str, writers: frozenset[str]
) -> tuple[list[Head], list[Problem]]:
    """The heads whose files are signed by one of `signers`, and what is wrong with the others.

    `signers` is an allowed_signers file of ssh-keygen. A signature by a writer of the ledger does
    not count: whoever writes the entries must not be the one who confirms them.
    """
    folder = os.path.join(ledger.folder, HEADS)
    heads, problems = [], []
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names:
        if not name.endswith(".sig"):
            continue
        path = os.path.join(folder, name.removesuffix(".sig"))
        try:
            heads.append(signed_head(path, f"{path}.sig", signers, writers))
        except (ConfigError, UsageError) as error:
            problems.append(Problem(f"{HEADS}/{name}", f"{error.what}: {error.why}".rstrip(": ")))
    return heads, problems


def signed_head(path: str, signature: str, signers: str, writers: frozenset[str]) -> Head:
    """The head in a signed file. ConfigError if the signature does not count."""
    text = _text(path)
    who = _ssh_keygen("find-principals", "-s", signature, "-f", signers)
    names = who.stdout.decode(errors="replace").split()
    if who.returncode or not names:
        raise ConfigError(f"{path} is not signed by an allowed signer", todo=f"see {signers}")
    for name in names:
        checked = _ssh_keygen(
            *("verify", "-f", signers, "-I", name, "-n", NAMESPACE, "-s", signature), text=text
        )
        if checked.returncode == 0:
            _refuse_writer(name, writers, path)
            return parsed(text, path)
    raise ConfigError(f"the signature of {path} is invalid", why="it fits another text or purpose")


def tagged_head(ledger: Ledger, tag: str, signers: str, writers: frozenset[str]) -> Head:
    """The head in the message of a signed tag. ConfigError if its signature does not count."""
    import git

    where = f"the tag {tag}"
    if tag.startswith("-"):
        raise UsageError(f"{where} is not a tag", todo="name it as evidence/00000012")
    try:
        repository = git.Repo(ledger.folder, search_parent_directories=False)
        settings = [*_SAFE, f"gpg.ssh.allowedSignersFile={os.path.abspath(signers)}"]
        options = [part for each in settings for part in ("-c", each)]
        said = repository.git.execute(
            ["git", *options, "verify-tag", "--raw", tag], with_extended_output=True
        )
        stored = str(repository.git.cat_file("tag", f"refs/tags/{tag}"))
    except (git.GitError, OSError, ValueError):
        raise ConfigError(f"{where} is not signed by an allowed signer") from None
    signer = re.search(r'Good "git" signature for (\S+) with', str(said[1]) + str(said[2]))
    if not signer:
        raise ConfigError(f"{where} is not signed by an allowed signer")
    _refuse_writer(signer[1], writers, where)
    message = stored.partition("\n\n")[2].partition("-----BEGIN SSH SIGNATURE-----")[0]
    return parsed(message, where)


def _refuse_writer(name: str, writers: frozenset[str], where: str) -> None:
    if name in writers:
        raise ConfigError(f"{where} is signed by {name}", why="the same identity writes the ledger")


def _ssh_keygen(action: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", action, *arguments],
            input=text.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("ssh-keygen is not installed", todo="install OpenSSH 8.9") from None
    except subprocess.TimeoutExpired:
        raise UsageError("ssh-keygen did not answer", todo="use a key without a prompt") from None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(10_000)
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeError:
        raise ConfigError(f"{path} is not a head of a ledger") from None
