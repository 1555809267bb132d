"""Find secrets in files, in git's index, in commits or on standard input.

  keywatch scan                  the repository: tracked files, and untracked ones not ignored
  keywatch scan src app.env      these files and folders
  keywatch scan src/app.py:12    explain this line, as keywatch explain does
  keywatch scan -                standard input
  keywatch scan --diff main      the changes of this branch since it branched from main

A finding is one line: path:line:column  severity  rule  message  (ID).

Examples:
  keywatch scan --report sarif=keywatch.sarif
  keywatch scan --diff origin/main --fail-on high
  keywatch scan --history --since-last

"""

from __future__ import annotations

import argparse
import os

from scanner.cli import arguments, output
from scanner.cli.arguments import moment
from scanner.cli.output import OutputRequest
from scanner.console import Console
from scanner.errors import ExitCode
from scanner.model import Confidence
from scanner.scan import run as scanning
from scanner.scan.request import ScanRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_inputs(parser)
    arguments.add_detection(parser)
    arguments.add_baselines(parser)
    group = parser.add_argument_group("how to check and report")
    arguments.add_fail_on(group)
    arguments.add_strict(group)
    group.add_argument(
        "--min-confidence",
        choices=arguments.CONFIDENCES,
        help="lowest confidence to report; default: low, and medium in keywatch hook",
    )
    group.add_argument(
        "--require-complete",
        action="store_true",
        help="exit with 3 if something could not be scanned, even if there are findings",
    )
    output.add_arguments(group)
    arguments.add_now(group)


def run(args: argparse.Namespace, console: Console) -> int:
    request = scan_request(args, Confidence.LOW)
    if _names_a_line(request, console):
        from scanner.cli import explain  # it loads what a scan does not need

        line = explain.line_of(request.paths[0], console.cwd)
        return explain.show(line, request._replace(paths=()), console, args.now)
    return scan(request, output.output_request(args), console, now=args.now)


def _names_a_line(request: ScanRequest, console: Console) -> bool:
    """Is the only path `FILE:LINE` or `FILE:LINE:COLUMN`, as a report prints it?"""
    path = request.paths[0] if len(request.paths) == 1 else ""
    if os.path.lexists(os.path.join(console.cwd, path)):
        return False
    file, _, last = path.rpartition(":")
    before, _, line = file.rpartition(":")
    if not (file and last.isdecimal()):
        return False
    found = (before if line.isdecimal() and before else "", file)
    return any(each and os.path.isfile(os.path.join(console.cwd, each)) for each in found)


def scan_request(args: argparse.Namespace, default_confidence: Confidence) -> ScanRequest:
    """The scan that the options of `add_arguments` ask for."""
    asked = args.min_confidence
    return arguments.scan_request(args)._replace(
        min_confidence=Confidence[asked.upper()] if asked else None,
        default_confidence=default_confidence,
    )


def scan(
    request: ScanRequest,
    reports: OutputRequest,
    console: Console,
    *,
    now: str | None,
    silent_when_clean: bool = False,
) -> int:
    """Scan, judge and report. `now` is the text of --now."""
    finished = scanning.run(request, console)
    if silent_when_clean and finished.result.is_clean and not reports.reports:
        return ExitCode.CLEAN  # nothing was found, so there is nothing to judge or to print
    time = moment(now)
    outcome = finished.judge(time)
    fail_on = reports.failing(finished.plan.selection.config)
    if silent_when_clean and not (outcome.findings or outcome.gaps or outcome.notes):
        reports = reports._replace(detail=None)
    written = True
    if not reports.writes_nothing:
        context = scanning.report_context(finished.plan, console, time, fail_on)
        written = output.deliver(reports, console, outcome, context)
    if finished.result.when_delivered and written and outcome.complete:
        finished.result.when_delivered()
    return output.exit_code(
        outcome, fail_on, written=written, require_complete=reports.require_complete
    )
