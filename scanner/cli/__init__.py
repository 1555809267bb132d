"""The command line: parse arguments, build a request, call one use case, print, return a code.

Each command is one module with `add_arguments(parser)` and `run(args, console) -> int`, loaded only
when it is called.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from scanner import __version__
from scanner.cli.parser import Parser, nearest, parser_of
from scanner.console import Console, show_error
from scanner.errors import ExitCode, KeywatchError, UsageError

COMMANDS = {
    "scan": "find secrets in files, the index or standard input",
    "baseline": "accept the current findings, and keep that list up to date",
    "allow": "write an exception with a reason, an owner and an end date; list all exceptions",
    "fix": "replace literal secrets in configuration files with references",
    "explain": "explain why each value on a line was reported or ignored",
    "rules": "list, explain and test the rules",
    "policy": "check keywatch.yaml, configs/secrets, hooks and CI jobs together",
    "access": "show which service can read which secret, and which it needs",
    "audit": "check the age of live secrets in Vault, Kubernetes, AWS and Azure",
    "rotate": "rotate secrets that are due, and prove that the new credential works",
    "evidence": "keep a ledger of audits, verify it, and show which controls were tested",
    "alert": "send findings to whoever must act, and escalate",
    "trail": "find unauthorized access in the audit logs of Vault, AWS, Azure and Kubernetes",
    "fleet": "scan many repositories and audit many stores, on a cluster",
    "report": "convert a saved run to other formats",
    "migrate": "convert the configuration of gitleaks or TruffleHog",
    "init": "write a keywatch.yaml from what is in the repository",
    "doctor": "check that keywatch has everything it needs",
    "hook": "run as a git hook, or install the hook",
    "completion": "print the completion script of a shell",
}
_PARTS = {("allow", "list")}  # commands with two words and a module of their own
_ALSO = {"help": "show the help of a command", "version": "show the version"}


def main(argv: Sequence[str]) -> int:
    """Run one command. Every failure ends here, as a message and an exit code."""
    console = Console.of_process()
    try:
        code = _until_exit(argv, console)
        console.flush()
    except KeywatchError as error:
        show_error(error, console)
        code = error.exit_code
    except KeyboardInterrupt:
        console.error_line("keywatch: interrupted; the run has no result")
        code = ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        show_internal_error(error, console)
        code = ExitCode.INTERNAL
    return int(code)


def _until_exit(argv: Sequence[str], console: Console) -> int:
    """Run a command that may raise SystemExit: argparse does, and so do signal handlers."""
    try:
        return _dispatch(argv, console)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.USAGE


def _dispatch(argv: Sequence[str], console: Console) -> int:
    command = argv[0] if argv else "--help"
    if command == "help":
        return _dispatch([*argv[1:], "--help"], console)
    if command == "version":
        return _dispatch(["--version"], console)
    if command in COMMANDS:
        name, given = command, list(argv[1:])
        if (command, *argv[1:2]) in _PARTS:
            name, given = f"{command}_{argv[1]}", list(argv[2:])
        module = importlib.import_module(f"scanner.cli.{name}")
        args = parser_of(name).parse_args(given)
        chosen = console._replace(color_choice=getattr(args, "color", console.color_choice))
        code: int = module.run(args, chosen)
        return code
    if not command.startswith("-"):
        raise unknown_command(command)
    _top_parser().parse_args(argv)
    return ExitCode.USAGE


def unknown_command(given: str) -> UsageError:
    """The error for a word that is no command: the nearest command, or how to scan a path."""
    if near := nearest(given, (*COMMANDS, *_ALSO)):
        todo = f"did you mean {near}? `keywatch --help` lists all commands"
    elif os.path.exists(given):
        todo = "to scan it, run `keywatch scan` with this path"
    else:
        todo = "`keywatch --help` lists all commands"
    return UsageError(f'there is no command "{given}"', todo=todo)


def _top_parser() -> Parser:
    width = max(map(len, COMMANDS)) + 2
    parser = Parser(
        prog="keywatch",
        description="Find secrets in source code and git history, and check the age of live"
        " secrets.",
        epilog="commands:\n"
        + "\n".join(f"  {command:<{width}}{text}" for command, text in (COMMANDS | _ALSO).items())
        + "\n\nRun `keywatch COMMAND --help` for details. Exit codes: 0 clean, 1 findings, 2 usage"
        "\nor configuration, 3 incomplete, 4 internal error, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"keywatch {__version__}")
    parser.add_argument("command", choices=(*COMMANDS, *_ALSO), metavar="COMMAND", help="see below")
    return parser


def show_internal_error(error: Exception, console: Console) -> None:
    """Print what to report: the kind of error and its place in keywatch.

    The text of the error is not printed, because it may contain a line of a scanned file.
    """
    frames = []
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        frames.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    console.error_line(
        f"keywatch: internal error {type(error).__name__}; this is a defect of keywatch"
    )
    console.error_line(
        f"  keywatch {__version__}, Python {sys.version.split()[0]}: "
        + " < ".join(frames[::-1][:6])
    )
    console.error_line("  please report these two lines; the run has no result (exit code 4)")
