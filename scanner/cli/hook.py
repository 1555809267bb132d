"""What git and the pre-commit framework run, and how to install it.

  keywatch hook pre-commit [OPTIONS] [FILE ...]   check what is staged, or these files
  keywatch hook install                           make git run it before each commit

Options are those of keywatch scan (keywatch hook pre-commit --help); findings of low confidence are
left out by default. A file that is staged is read from git's index; any other from the work tree,
so that `pre-commit run --all-files` checks them all.
"""

from __future__ import annotations

import argparse
import os
import shlex
import stat
import sys

from scanner.cli import Parser, formatter, output, scan
from scanner.cli.terminal import Io
from scanner.errors import ExitCode, UsageError
from scanner.inputs import git
from scanner.model import Confidence

_MARK = "keywatch hook"
_SCRIPT = """\
#!/bin/sh
# Written by `keywatch hook install`: checks what is about to be committed.
exec {python} {isolated} -m scanner hook pre-commit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("pre-commit", "install"), help="what to do")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(args: argparse.Namespace, io: Io) -> int:
    if args.action == "install":
        return _install(args.rest, io)
    return _pre_commit(args.rest, io)


def _pre_commit(arguments: list[str], io: Io) -> int:
    """Scan the staged files, or the named ones. A clean hook says nothing.

    What looks like an option and exists as a file is a file: a repository may hold one.
    """
    files = [a for a in arguments if a[:1] == "-" and os.path.lexists(os.path.join(io.cwd, a))]
    parser = Parser(prog="keywatch hook pre-commit", allow_abbrev=False, formatter_class=formatter)
    scan.add_arguments(parser)
    args = parser.parse_args([a for a in arguments if a not in files])
    args.paths += files
    args.staged = args.or_work_tree = True
    return scan.scan(args, io, Confidence.MEDIUM, silent_when_clean=True)


def _install(arguments: list[str], io: Io) -> int:
    parser = Parser(prog="keywatch hook install", allow_abbrev=False, formatter_class=formatter)
    parser.add_argument("--force", action="store_true", help="replace a hook that is there")
    args = parser.parse_args(arguments)
    root = git.top_of(os.path.realpath(io.cwd))
    if root is None:
        raise UsageError(f"{io.cwd} is in no git repository", todo="run it inside one")
    folder = os.path.join(root, git.hooks_folder(root))
    path = os.path.join(folder, "pre-commit")
    if os.path.lexists(path) and not args.force and not _is_ours(path):
        raise UsageError(
            f"{path} exists already",
            why="it is another tool's hook",
            todo="add the line `keywatch hook pre-commit` to it, or replace it with --force",
        )
    os.makedirs(folder, exist_ok=True)
    script = _SCRIPT.format(python=shlex.quote(sys.executable), isolated=_isolated())
    output.write_file(path, script.encode())
    os.chmod(path, 0o755)  # noqa: S103 - git runs it, as whoever commits
    io.write(
        f"{os.path.relpath(path, io.cwd)} now checks each commit; git commit --no-verify skips it\n"
    )
    return ExitCode.CLEAN


def _is_ours(path: str) -> bool:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return _MARK in file.read(4096)


def _isolated() -> str:
    """No PYTHON* variable and no file of the checkout may change what runs. -I would also hide
    the user's own site-packages, where `pip install --user` puts keywatch."""
    import site

    user = site.getusersitepackages()
    return "-EP" if os.path.realpath(__file__).startswith(os.path.realpath(user)) else "-I"
