"""What git and the pre-commit framework run, and how to install it.

  keywatch hook pre-commit [OPTIONS] [FILE ...]    check what is staged, or these files
  keywatch hook commit-msg [OPTIONS] FILE          check the message of a commit
  keywatch hook pre-push [OPTIONS] [REMOTE URL]    check what a push adds to the remote
  keywatch hook pre-receive [OPTIONS]              the same on a server, by the server's policy
  keywatch hook install [HOOK ...]                 make git run them here; default: pre-commit

Options are those of keywatch scan (keywatch hook pre-commit --help); findings of low confidence are
left out by default. A file that is staged is read from git's index; any other from the work tree,
so that `pre-commit run --all-files` checks them all.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import stat
import sys
from io import BytesIO

from scanner import files
from scanner.cli import Parser, formatter, scan
from scanner.console import Io
from scanner.errors import ExitCode, UsageError
from scanner.inputs.git import commands
from scanner.model import Confidence
from scanner.scan import commits

_MARK = "keywatch hook"
_SCRIPT = """\
#!/bin/sh
# Written by `keywatch hook install`.
exec {python} {isolated} -m scanner hook {name} "$@"
"""
_SAID = {
    "pre-commit": "checks each commit; git commit --no-verify skips it",
    "commit-msg": "checks the message of each commit; git commit --no-verify skips it",
    "pre-push": "checks each push; git push --no-verify skips it",
    "pre-receive": "checks each push to this repository, before it is let in",
}
# As a comment, in whatever character begins one: git drops what follows, the diff of commit -v.
_SCISSORS = re.compile(rb"(?m)^\S -{24} >8 -{24}$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=(*_SAID, "install"), help="what to do")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(args: argparse.Namespace, io: Io) -> int:
    match args.action:
        case "install":
            return _install(args.rest, io)
        case "pre-commit":
            return _pre_commit(args.rest, io)
        case "commit-msg":
            return _commit_msg(args.rest, io)
    from scanner.scan import push

    return (push.pre_push if args.action == "pre-push" else push.pre_receive)(args.rest, io)


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


def _commit_msg(arguments: list[str], io: Io) -> int:
    """Scan a message, without what `git commit --verbose` puts below it."""
    parser = Parser(prog="keywatch hook commit-msg", allow_abbrev=False, formatter_class=formatter)
    scan.add_arguments(parser)
    args = parser.parse_args(arguments)
    if len(args.paths) != 1:
        raise UsageError("keywatch hook commit-msg takes one file", todo="let git run it")
    (path,), args.paths = args.paths, []
    args.stdin, args.stdin_name = True, os.path.basename(path)
    stdin = BytesIO(_SCISSORS.split(io.file(path), maxsplit=1)[0])
    return scan.scan(args, io._replace(stdin=stdin), Confidence.MEDIUM, silent_when_clean=True)


def _install(arguments: list[str], io: Io) -> int:
    parser = Parser(prog="keywatch hook install", allow_abbrev=False, formatter_class=formatter)
    parser.add_argument("hooks", nargs="*", metavar="HOOK", help=f"of: {', '.join(_SAID)}")
    parser.add_argument("--force", action="store_true", help="replace a hook that is there")
    args = parser.parse_args(arguments)
    root = commits.root_of(io.cwd)
    if unknown := sorted(set(args.hooks) - set(_SAID)):
        raise UsageError(f"there is no hook {unknown[0]} to install", todo=" ".join(_SAID))
    folder = os.path.join(root, commands.hooks_folder(root))
    paths = {name: _place(folder, name) for name in args.hooks or ("pre-commit",)}
    for name, path in paths.items():
        if os.path.lexists(path) and not args.force and not _is_ours(path):
            raise UsageError(
                f"{path} exists already",
                why="it is another tool's hook",
                todo=f"add the line `keywatch hook {name}` to it, or replace it with --force",
            )
    os.makedirs(folder, exist_ok=True)
    for name, path in paths.items():
        python, isolated = shlex.quote(sys.executable), _isolated()
        script = _SCRIPT.format(python=python, isolated=isolated, name=name)
        files.write_file(path, script.encode())
        os.chmod(path, 0o755)  # noqa: S103 - git runs it, as whoever commits
        io.write(f"{os.path.relpath(path, io.cwd)} now {_SAID[name]}\n")
    return ExitCode.CLEAN


def _place(folder: str, name: str) -> str:
    """Where a hook goes: Gitea's own runs all that lie in a folder beside it."""
    several = os.path.join(folder, f"{name}.d")
    return os.path.join(several, "keywatch") if os.path.isdir(several) else f"{folder}/{name}"


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
