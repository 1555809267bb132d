"""Convert a saved run (`--report json=FILE`) to other formats, as the run would have written them.

  keywatch report FILE                        print it
  keywatch report FILE --report FMT=FILE      write it in another format

Nothing is scanned or evaluated again, so the exit code does not depend on the findings: 0 if
everything was written, 2 if the file is not a complete report, 3 if a report could not be written.

Examples:
  keywatch report run.json
  keywatch report run.json --report sarif=run.sarif --report csv=run.csv
  keywatch report run.json -f markdown

"""

from __future__ import annotations

import argparse

from scanner.cli import arguments, output
from scanner.console import Console
from scanner.errors import ExitCode
from scanner.report import saved


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=arguments.path,
        metavar="FILE",
        help="a JSON report, or - for standard input",
    )
    output.add_arguments(parser.add_argument_group("what to write"))


def run(args: argparse.Namespace, console: Console) -> int:
    reports = output.output_request(args)
    data = console.stdin.read() if args.file == "-" else console.file(args.file)
    outcome, context = saved.read(data, args.file)
    shown = context._replace(color=console.color, width=console.width, program=console.program)
    written = output.deliver(reports, console, outcome, shown)
    return ExitCode.CLEAN if written else ExitCode.INCOMPLETE
