"""The command line: the arguments that ask for commits instead of files, and what they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.git import commands
from scanner.inputs.git.stored import NOWHERE, Stored
from scanner.inputs.interface import Source

if TYPE_CHECKING:
    from scanner.inputs.git.revisions import Change


class History(NamedTuple):
    """What is asked of history: a range, "" for all refs; and what goes with it."""

    said: str
    stashes: bool
    notes: bool
    since_last: bool


class Commits(NamedTuple):
    """What is looked at, and the source of the files that steer that. `is_trusted`: they are not
    those that the commits bring, which have no say."""

    source: Source
    changes: tuple[Change, ...] = ()
    history: History | None = None
    is_trusted: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(pushed=None)  # Commits: what git tells a hook
    group = parser.add_argument_group("what to read instead of files")
    group.add_argument(
        "--diff",
        metavar="BASE[..HEAD]",
        help="what HEAD adds to BASE, commit by commit: a pull request; by the policy of their"
        " merge base",
    )
    group.add_argument(
        "--trust", metavar="REF", help="the commit whose policy holds, instead of the merge base"
    )
    group.add_argument(
        "--history",
        nargs="?",
        const="",
        metavar="RANGE",
        help="what each commit added, of all refs or of a range as v1.0..HEAD",
    )
    group.add_argument(
        "--since-last", action="store_true", help="of --history, what no such run has seen yet"
    )
    group.add_argument("--stashes", action="store_true", help="of --history, git's stashes too")
    group.add_argument("--notes", action="store_true", help="of --history, git's notes too")


NOT_ASKED: Mapping[str, Any] = {
    **dict.fromkeys(("diff", "trust", "history", "pushed")),
    **dict.fromkeys(("since_last", "stashes", "notes"), False),
}
"""What the arguments are of a verb that has none of them."""


def are_asked(args: argparse.Namespace) -> bool:
    return args.diff is not None or args.history is not None or args.pushed is not None


def refuse_contradictions(args: argparse.Namespace) -> None:
    """UsageError for arguments that mean nothing together."""
    if args.diff is not None and args.history is not None:
        raise UsageError("--diff and --history exclude each other", todo="leave out one of them")
    if are_asked(args) and (args.paths or args.staged or args.stdin or args.no_git):
        raise UsageError(
            "commits are read from git's objects, and no files beside them",
            todo="leave out paths, --staged, --stdin and --no-git; --exclude leaves files out",
        )
    if args.history is None and (args.since_last or args.stashes or args.notes):
        raise UsageError("--since-last, --stashes and --notes are about --history", todo="add it")
    if args.trust and args.diff is None:
        raise UsageError("--trust is about --diff", todo="add it, or leave --trust out")


def root_of(cwd: str) -> str:
    """The repository around a folder, or the folder itself where it is one without a work tree.
    Such a one inside a work tree may have been planted there."""
    place = os.path.realpath(cwd)
    top = commands.top_of(place)
    if commands.is_bare(place):
        if top and not commands.is_told(place):
            raise UsageError(
                f"{place} looks like a repository, and lies inside of another one",
                todo=f"run it in {top}, or say GIT_DIR={place}",
            )
        return place
    if top is None:
        raise UsageError(f"{place} is in no git repository", todo="run it inside one")
    return top


def chosen(args: argparse.Namespace, root: str) -> Commits:
    """The commits that the arguments mean."""
    if args.history is not None:
        asked = History(args.history, args.stashes, args.notes, args.since_last)
        return Commits(source=_here(root), history=asked)
    if args.pushed is not None:
        pushed: Commits = args.pushed
        return pushed
    from scanner.inputs.git.revisions import of_diff

    change = of_diff(root, args.diff)
    trust = commit(root, args.trust, "--trust") if args.trust else change.base
    return Commits(source=at(root, trust), changes=(change,), is_trusted=True)


def at(root: str, oid: str) -> Stored:
    """What steers a scan, as a commit has it; nothing does with "" for a commit."""
    return Stored(root, {}, f"{oid or NOWHERE}:")


def commit(root: str, name: str, given: str) -> str:
    """The id of a commit. UsageError where the argument `given` names none."""
    found = commands.objects(root).commit(name)
    if found is None:
        raise UsageError(f"{given} {name} names no commit here", todo=f"see git rev-parse {name}")
    return found


def _here(root: str) -> Source:
    """The work tree, or the newest commit where there is none."""
    return at(root, "HEAD") if commands.is_bare(root) else Folder(root, (), use_git=True)
