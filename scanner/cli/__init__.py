"""The command line: parse arguments, build a request, call one use case, print, return a code.

Each command is one module with `add_arguments(parser)` and `run(args, console) -> int`, loaded only
when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from scanner import __version__
from scanner.console import Console, plain, show_error
from scanner.errors import ExitCode, KeywatchError

VERBS = {
    "scan": "find secrets in files, the index or standard input",
    "baseline": "record today's findings as debt, and keep that record",
    "allow": "write an exception with a reason, an owner and an end; list them all",
    "fix": "write references in the place of literals in configuration files",
    "explain": "say what looked at a line, and why each value on it was kept or refused",
    "rules": "list, explain and test the rules",
    "policy": "check keywatch.yaml, configs/secrets and the repository's guard rails together",
    "audit": "judge the age of live secrets in Vault, Kubernetes, AWS and Azure by the policy",
    "trail": "find unauthorized access in the audit logs of Vault, AWS, Azure and Kubernetes",
    "report": "write a saved run in other formats",
    "init": "write a keywatch.yaml from what is in the repository",
    "doctor": "look whether keywatch has all that it needs, and say what to do where not",
    "hook": "what git and pre-commit run; install the hook",
}


def main(argv: Sequence[str]) -> int:
    """Run one verb. Every failure ends here, as a message and an exit code."""
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
    """A SystemExit is argparse's (--help, or a usage message that it printed), or a signal's."""
    try:
        return _dispatch(argv, console)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.USAGE


def _dispatch(argv: Sequence[str], console: Console) -> int:
    verb = argv[0] if argv else "--help"
    if verb in VERBS:
        module = importlib.import_module(f"scanner.cli.{verb}")
        parser = Parser(
            prog=f"keywatch {verb}",
            description=module.__doc__,
            allow_abbrev=False,
            formatter_class=formatter,
        )
        module.add_arguments(parser)
        code: int = module.run(parser.parse_args(argv[1:]), console)
        return code
    _top_parser().parse_args(argv or ["--help"])
    return ExitCode.USAGE


def formatter(prog: str) -> argparse.HelpFormatter:
    """Of a fixed width: argparse measures the terminal for each argument, and imports shutil."""
    return argparse.RawDescriptionHelpFormatter(prog, width=100)


class Parser(argparse.ArgumentParser):
    """argparse, with our exit code and the way to more help."""

    def error(self, message: str) -> NoReturn:
        help_is = f"{self.prog} --help shows what there is"
        self.exit(ExitCode.USAGE, f"{self.prog}: {plain(message)}\n  {help_is}\n")


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, VERBS)) + 2
    parser = Parser(
        prog="keywatch",
        description="Zero secrets in the repository, every exception accounted for.",
        epilog="verbs:\n"
        + "\n".join(f"  {verb:<{width}}{text}" for verb, text in VERBS.items())
        + "\n\nkeywatch VERB --help says more. Exit codes: 0 clean, 1 findings, 2 usage or"
        "\nconfiguration, 3 incomplete, 4 internal error, 130 interrupted.",
        formatter_class=formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"keywatch {__version__}")
    parser.add_argument("verb", choices=tuple(VERBS), metavar="VERB", help="one of those below")
    return parser


def show_internal_error(error: Exception, console: Console) -> None:
    """What to report: the kind of error and its place in keywatch, never its text, which may hold
    a line of a scanned file."""
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
