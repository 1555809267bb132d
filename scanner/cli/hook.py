"""Run as a git hook, or install the hook.

  keywatch hook pre-commit [OPTIONS] [FILE ...]    check what is staged, or these files
  keywatch hook commit-msg [OPTIONS] FILE          check the message of a commit
  keywatch hook pre-push [OPTIONS] [REMOTE URL]    check the commits that a push adds to the remote
  keywatch hook pre-receive [OPTIONS]              the same on a server, with the server's policy
  keywatch hook install [HOOK ...]                 install hooks here; default: pre-commit

The options are those of keywatch scan (see keywatch hook pre-commit --help). Findings of low
confidence are left out by default. A staged file is read from git's index, any other file from the
working tree, so that `pre-commit run --all-files` checks all files.

Examples:
  keywatch hook install
  keywatch hook install pre-commit pre-push
  keywatch hook pre-commit --fail-on high

"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import stat
import sys
from io import BytesIO

from scanner import files
from scanner.cli import output, scan
from scanner.cli.parser import Parser
from scanner.console import Console
from scanner.errors import ExitCode, UsageError
from scanner.inputs.git import commands
from scanner.model import Confidence
from scanner.scan import commits
from scanner.scan.request import ScanRequest

_SECONDS = 60
_ADVICE = """\
keywatch: the push is refused. It would publish the secrets that are named above, even if a later
  commit removes them. Remove them from the commits (git commit --amend for the last one, git rebase
  -i for others) and push again. Revoke every secret that others may have seen. If a finding is not
  a secret, a maintainer can add an exception on the default branch: keywatch allow"""
_MARK = "keywatch hook"
_SCRIPT = """\
#!/bin/sh
# Written by `keywatch hook install`.
exec {python} {isolated} -m scanner hook {name} "$@"
"""
# Standard input is what git tells pre-push and pre-receive: both hooks must get it.
_CHAIN = """\
#!/bin/sh
# Written by `keywatch hook install`. It first runs the hook that was here before.
case {name} in
pre-push|pre-receive)
    input=$(cat; echo x)
    input=${{input%x}}
    printf %s "$input" | {former} "$@" || exit $?
    printf %s "$input" | {python} {isolated} -m scanner hook {name} "$@"
    exit $? ;;
esac
{former} "$@" || exit $?
exec {python} {isolated} -m scanner hook {name} "$@"
"""
_FORMER = ".before-keywatch"
_HOOKS = {
    "pre-commit": "checks each commit; git commit --no-verify skips it",
    "commit-msg": "checks the message of each commit; git commit --no-verify skips it",
    "pre-push": "checks each push; git push --no-verify skips it",
    "pre-receive": "checks each push to this repository before git accepts it",
}
# The line above the diff that `git commit --verbose` adds, after any comment character.
_SCISSORS = re.compile(rb"(?m)^\S -{24} >8 -{24}$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=(*_HOOKS, "install"), help="what to do")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(args: argparse.Namespace, console: Console) -> int:
    match args.action:
        case "install":
            return _install(args.rest, console)
        case "pre-commit":
            return _pre_commit(args.rest, console)
        case "commit-msg":
            return _commit_msg(args.rest, console)
        case "pre-push":
            return _pre_push(args.rest, console)
    return _pre_receive(args.rest, console)


def _pre_commit(options: list[str], console: Console) -> int:
    """Scan the staged files, or the files that are named. A clean hook prints nothing.

    An argument that looks like an option and exists as a file is a file: a repository may hold one.
    """
    files = [a for a in options if a[:1] == "-" and os.path.lexists(os.path.join(console.cwd, a))]
    args = _parser("pre-commit").parse_args([a for a in options if a not in files])
    args.paths += files
    return _scan(args, console, _request(args)._replace(staged=True, staged_first=True))


def _commit_msg(options: list[str], console: Console) -> int:
    """Scan a commit message, without what `git commit --verbose` adds below it."""
    args = _parser("commit-msg").parse_args(options)
    if len(args.paths) != 1:
        raise UsageError("keywatch hook commit-msg takes one file", todo="let git run the hook")
    (path,) = args.paths
    message = BytesIO(_SCISSORS.split(console.file(path), maxsplit=1)[0])
    request = _request(args)._replace(paths=(), stdin_name=os.path.basename(path))
    return _scan(args, console._replace(stdin=message), request)


def _pre_push(options: list[str], console: Console) -> int:
    """Scan what a push adds. Git passes the remote's name and its address."""
    from scanner.scan import push

    args = _parser("pre-push").parse_args(options)
    commits = push.outgoing(args.paths[0] if args.paths else "", console)
    return _scan(args, console, _request(args)._replace(paths=(), push=commits))


def _pre_receive(options: list[str], console: Console) -> int:
    """Scan what a push adds to this server, by the server's policy, within a time limit."""
    from scanner.scan import push

    parser = _parser("pre-receive")
    parser.add_argument(
        "--time-limit",
        type=int,
        default=_SECONDS,
        metavar="SECONDS",
        help=f"refuse what takes longer; 0 for no limit; default {_SECONDS}",
    )
    args = parser.parse_args(options)
    if args.paths:
        raise UsageError("keywatch hook pre-receive takes no paths", todo="leave them out")
    _limit(args.time_limit, console)
    commits = push.incoming(args.trust, console)
    code = _scan(args, console, _request(args)._replace(trust=None, push=commits))
    if code == ExitCode.FINDINGS:
        _advise(console)
    return code


def _parser(name: str) -> Parser:
    parser = Parser(prog=f"keywatch hook {name}")
    scan.add_arguments(parser)
    return parser


def _request(args: argparse.Namespace) -> ScanRequest:
    return scan.scan_request(args, Confidence.MEDIUM)


def _scan(args: argparse.Namespace, console: Console, request: ScanRequest) -> int:
    reports = output.output_request(args)
    return scan.scan(request, reports, console, now=args.now, silent_when_clean=True)


def _limit(seconds: int, console: Console) -> None:
    """End the run after so many seconds as incomplete: what was not checked is not accepted."""

    def end(_number: int, _frame: object) -> None:
        console.error_line(f"keywatch: the check did not finish within {seconds} seconds: refused")
        console.error_line("  do:  push fewer commits at once, or ask for a higher --time-limit")
        sys.exit(ExitCode.INCOMPLETE)

    if seconds > 0 and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _advise(console: Console) -> None:
    """Tell the person who pushes what to do. GitLab shows only lines that begin with a mark."""
    mark = "GL-HOOK-ERR: " if "GL_ID" in console.environ else ""
    for line in _ADVICE.splitlines():
        console.error_line(mark + line)


def _install(arguments: list[str], console: Console) -> int:
    parser = Parser(prog="keywatch hook install")
    parser.add_argument("hooks", nargs="*", metavar="HOOK", help=f"of: {', '.join(_HOOKS)}")
    parser.add_argument(
        "--force",
        action="store_true",
        help="install beside another tool's hook: it is kept and runs first",
    )
    args = parser.parse_args(arguments)
    root = commits.root_of(console.cwd)
    if unknown := sorted(set(args.hooks) - set(_HOOKS)):
        raise UsageError(f"there is no hook {unknown[0]}", todo=f"choose from: {' '.join(_HOOKS)}")
    folder = os.path.join(root, commands.hooks_folder(root))
    paths = {name: _place(folder, name) for name in args.hooks or ("pre-commit",)}
    for name, path in paths.items():
        if os.path.lexists(path) and not args.force and not _is_ours(path):
            raise UsageError(
                f"{path} exists already",
                why="it is another tool's hook",
                todo=f"add the line `keywatch hook {name}` to it, or keep it and run both with"
                " --force",
            )
    os.makedirs(folder, exist_ok=True)
    for name, path in paths.items():
        python, isolated = shlex.quote(sys.executable), _isolated()
        former = _kept(path)
        script = (_CHAIN if former else _SCRIPT).format(
            python=python, isolated=isolated, name=name, former=former and shlex.quote(former)
        )
        files.write_file(path, script.encode(), mode=0o755)
        console.write(f"{os.path.relpath(path, console.cwd)} now {_HOOKS[name]}\n")
        if former:
            console.write(f"  it first runs the former hook, {os.path.basename(former)}\n")
    return ExitCode.CLEAN


def _kept(path: str) -> str:
    """Move another tool's hook out of the way, and return its new path. "" if there is none.

    An earlier installation may have moved it already.
    """
    former = path + _FORMER
    if os.path.lexists(path) and not _is_ours(path):
        os.replace(path, former)
    return former if os.access(former, os.X_OK) else ""


def _place(folder: str, name: str) -> str:
    """The path of a hook. Gitea runs every hook in a folder next to its own."""
    several = os.path.join(folder, f"{name}.d")
    return os.path.join(several, "keywatch") if os.path.isdir(several) else f"{folder}/{name}"


def _is_ours(path: str) -> bool:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return _MARK in file.read(4096)


def _isolated() -> str:
    """The options that keep PYTHON* variables and files of the checkout from changing what runs.

    -I would also hide the user's site-packages, where `pip install --user` puts keywatch.
    """
    import site

    user = site.getusersitepackages()
    return "-EP" if os.path.realpath(__file__).startswith(os.path.realpath(user)) else "-I"
