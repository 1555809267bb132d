"""Check that keywatch has everything it needs, and say what to do about each problem.

  keywatch doctor [PATH]
  keywatch doctor --operator FILE    also ask each backend for one secret, as an audit does

Nothing from the repository is executed. Without --operator, no network connection is made. The exit
code is 1 if there is a problem.

Examples:
  keywatch doctor
  keywatch doctor --operator operator.yaml

"""

from __future__ import annotations

import argparse

from scanner.audit import backends
from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.cli.audit import add_operator
from scanner.console import Console, plain
from scanner.doctor.checks import Check, DoctorRequest, checks
from scanner.errors import ExitCode
from scanner.report import text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_folder(parser)
    add_operator(parser.add_argument_group("which stores"))


def run(
    args: argparse.Namespace, console: Console, modules: backends.Modules = backends.BACKENDS
) -> int:
    problems = 0
    request = DoctorRequest(path=args.path, operator=args.operator)
    for check in checks(request, console, modules, moment(None)):
        console.write(_line(check))
        problems += bool(check.todo)
    console.write(f"{text.count(problems, 'problem')}\n" if problems else "no problems found\n")
    return ExitCode.FINDINGS if problems else ExitCode.CLEAN


def _line(check: Check) -> str:
    mark = "problem" if check.todo else "ok"
    line = f"{mark:<8} {plain(check.name):<11} {plain(check.seen)}\n"
    return line + (f"{'':<21}do: {plain(check.todo)}\n" if check.todo else "")
