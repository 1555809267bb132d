"""Find the commits that a push adds, from what git tells its hooks.

Git writes one line for each ref to standard input: its new and its old object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from scanner.console import Console
from scanner.errors import UsageError
from scanner.inputs.git import commands, revisions
from scanner.scan import commits
from scanner.scan.request import CommitSelection

_FRAMEWORK = "PRE_COMMIT_REMOTE_NAME"  # set by the pre-commit framework only


class _Update(NamedTuple):
    """The ids of the new and the old object of a ref that a push creates or moves."""

    new: str
    old: str


def outgoing(remote: str, console: Console) -> CommitSelection:
    """What a push adds to `remote`, judged by the policy of what is pushed.

    Git and the pre-commit framework say which refs are pushed; the framework also names the remote.
    """
    remote = remote or console.environ.get(_FRAMEWORK, "")
    root = commits.root_of(console.cwd)
    known = f"--remotes={remote}" if remote else "--remotes"
    changes = _changes(root, _outgoing(console), known)
    head = changes[0].head if changes else ""
    return CommitSelection(source=commits.at(root, head), changes=changes)


def incoming(trust: str | None, console: Console) -> CommitSelection:
    """What a push adds to this server, judged by the policy of `trust` or of the default branch."""
    root = os.path.realpath(console.cwd)
    if trust:
        policy = commits.commit(root, trust, "--trust")
    else:
        policy = commands.objects(root).id("HEAD^{commit}") or ""
    updates = [_Update(new, old) for old, new, _ in _lines(console, 3)]
    changes = _changes(root, updates, "--all")
    return CommitSelection(commits.at(root, policy), changes, is_trusted=True)


def _outgoing(console: Console) -> list[_Update]:
    """The updates that git lists on standard input.

    The pre-commit framework reads standard input itself and passes one ref in variables.
    """
    if _FRAMEWORK not in console.environ:
        return [_Update(new, old) for _, new, _, old in _lines(console, 4)]
    new, old = (console.environ.get(f"PRE_COMMIT_{name}_REF", "") for name in ("TO", "FROM"))
    return [_Update(new or console.environ.get("PRE_COMMIT_LOCAL_BRANCH", "HEAD"), old)]


def _lines(console: Console, words: int) -> Iterator[list[str]]:
    text = console.stdin.read().decode(errors="surrogateescape").removesuffix("\n")
    for line in text.split("\n") if text else ():
        fields = line.split(" ")
        if len(fields) != words:
            raise UsageError(
                "standard input is not what git gives to this hook", todo="let git run the hook"
            )
        yield fields


def _changes(root: str, updates: list[_Update], known: str) -> tuple[revisions.Change, ...]:
    """The changes of all refs that are not deleted."""
    kept = dict.fromkeys(each for each in updates if each.new.strip("0"))
    return tuple(revisions.of_push(root, each.new, each.old, known) for each in kept)
