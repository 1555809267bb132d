"""The command line: what git asks before a push leaves, and before one is let in.

Both hooks get a line on standard input for each ref: what it is to be, and what it was.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from typing import NamedTuple

from scanner.cli import Parser, formatter, scan
from scanner.console import Io
from scanner.errors import ExitCode, UsageError
from scanner.inputs.git import commands, revisions
from scanner.model import Confidence
from scanner.scan import commits
from scanner.scan.commits import Commits

_SECONDS = 60
_FRAMEWORK = "PRE_COMMIT_REMOTE_NAME"  # where it says which remote; only when it runs us
_ADVICE = """\
keywatch: the push is refused: it would publish what is named above, and so would a later commit
  that only removes it. Take it out of the commits themselves (git commit --amend for the last one,
  git rebase -i for others), push again, and revoke what has been seen by others already. What is no
  secret, a maintainer can except on the default branch: keywatch allow"""


class _Update(NamedTuple):
    """A ref that a push makes or moves, from one object to another: ids."""

    new: str
    old: str


def pre_push(arguments: list[str], io: Io) -> int:
    """Git gives the name of the remote and its address. The policy is that of what is pushed."""
    args = _parsed("pre-push", arguments)
    said, args.paths = args.paths, []
    remote = said[0] if said else io.environ.get(_FRAMEWORK, "")
    root = commits.root_of(io.cwd)
    known = f"--remotes={remote}" if remote else "--remotes"
    changes = _changes(root, _outgoing(io), known)
    head = changes[0].head if changes else ""
    args.pushed = Commits(source=commits.at(root, head), changes=changes)
    return scan.scan(args, io, Confidence.MEDIUM, silent_when_clean=True)


def pre_receive(arguments: list[str], io: Io) -> int:
    """On a server: the policy is that of the default branch, or of --trust."""
    args = _parsed("pre-receive", arguments)
    if args.paths:
        raise UsageError("keywatch hook pre-receive takes no paths", todo="leave them out")
    root = os.path.realpath(io.cwd)
    _limit(args.time_limit, io)
    name, args.trust = args.trust, None
    trust = (
        commits.commit(root, name, "--trust")
        if name
        else commands.objects(root).id("HEAD^{commit}")
    )
    updates = [_Update(new, old) for old, new, _ in _lines(io, 3)]
    changes = _changes(root, updates, "--all")
    args.pushed = Commits(commits.at(root, trust or ""), changes, is_trusted=True)
    code = scan.scan(args, io, Confidence.MEDIUM, silent_when_clean=True)
    if code == ExitCode.FINDINGS:
        _explain(io)
    return code


def _parsed(name: str, arguments: list[str]) -> argparse.Namespace:
    parser = Parser(prog=f"keywatch hook {name}", allow_abbrev=False, formatter_class=formatter)
    scan.add_arguments(parser)
    if name == "pre-receive":
        parser.add_argument(
            "--time-limit",
            type=int,
            default=_SECONDS,
            metavar="SECONDS",
            help=f"refuse what takes longer; 0 for no limit; default {_SECONDS}",
        )
    return parser.parse_args(arguments)


def _outgoing(io: Io) -> list[_Update]:
    """What git says on standard input. The pre-commit framework has read that before us, and says
    it in variables, of one ref alone."""
    if _FRAMEWORK not in io.environ:
        return [_Update(new, old) for _, new, _, old in _lines(io, 4)]
    new, old = (io.environ.get(f"PRE_COMMIT_{name}_REF", "") for name in ("TO", "FROM"))
    return [_Update(new or io.environ.get("PRE_COMMIT_LOCAL_BRANCH", "HEAD"), old)]


def _lines(io: Io, words: int) -> Iterator[list[str]]:
    text = io.stdin.read().decode(errors="surrogateescape").removesuffix("\n")
    for line in text.split("\n") if text else ():
        said = line.split(" ")
        if len(said) != words:
            raise UsageError(
                "standard input is not what git gives to this hook", todo="let git run it"
            )
        yield said


def _changes(root: str, updates: list[_Update], known: str) -> tuple[revisions.Change, ...]:
    """What the refs that are not deleted add."""
    kept = dict.fromkeys(each for each in updates if each.new.strip("0"))
    return tuple(revisions.of_push(root, each.new, each.old, known) for each in kept)


def _limit(seconds: int, io: Io) -> None:
    """End the run after so many seconds, as incomplete: what was not checked is not let in."""

    def end(_number: int, _frame: object) -> None:
        io.error_line(f"keywatch: the check did not end within {seconds} seconds: refused")
        io.error_line("  do:  push fewer commits at once, or ask for a higher --time-limit")
        sys.exit(ExitCode.INCOMPLETE)

    if seconds > 0 and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _explain(io: Io) -> None:
    """GitLab shows in its pages only the lines that begin with this mark."""
    mark = "GL-HOOK-ERR: " if "GL_ID" in io.environ else ""
    for line in _ADVICE.splitlines():
        io.error_line(mark + line)
