"""Write a saved run in other formats: `--report json=FILE` keeps one, and what comes of it is what
the run itself would have written.

  keywatch report FILE                        show it
  keywatch report FILE --report FMT=FILE      write it in another format

Nothing is scanned or judged anew, so the exit code says nothing of the findings: 0 where all was
written, 2 for a file that is no whole report, 3 where something could not be written.
"""

from __future__ import annotations

import argparse

from scanner.cli import output
from scanner.console import Io
from scanner.errors import ExitCode
from scanner.report import saved
from scanner.scan import sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=sources.given_path,
        metavar="FILE",
        help="a JSON report, or - for standard input",
    )
    output.add_arguments(parser.add_argument_group("what to write"))


def run(args: argparse.Namespace, io: Io) -> int:
    output.targets(args.report)
    data = io.stdin.read() if args.file == "-" else io.file(args.file)
    outcome, context = saved.read(data, args.file)
    shown = context._replace(color=io.color, width=io.width)
    written = output.deliver(args, io, outcome, shown)
    return ExitCode.CLEAN if written else ExitCode.INCOMPLETE
