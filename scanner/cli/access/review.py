"""`keywatch access review`."""

from __future__ import annotations

import argparse

from scanner.access.request import ReviewRequest
from scanner.access.review import review
from scanner.audit.operator_config import VARIABLE
from scanner.cli import arguments, output
from scanner.cli.arguments import moment
from scanner.cli.audit import add_backends, add_operator
from scanner.console import Console
from scanner.errors import ExitCode, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_folder(parser)
    parser.add_argument("--no-git", action="store_true", help="all files, including ignored ones")
    group = parser.add_argument_group("live stores")
    add_operator(group)
    add_backends(group)
    group.add_argument(
        "--cross-check",
        action="store_true",
        help="compare each answer with sys/capabilities, for tokens that live a minute",
    )
    group.add_argument(
        "--trail",
        action="append",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="shows what was used: what keywatch trail --last-used wrote, or a Vault audit log;"
        " can be repeated",
    )
    group = parser.add_argument_group("what to write")
    group.add_argument(
        "--write-policy", default="", metavar="DIR", help="write a narrower policy for each excess"
    )
    group.add_argument(
        "--record", default="", metavar="DIR", help="write a dated Markdown file to sign off"
    )
    group.add_argument(
        "--compare", default="", metavar="PREVIOUS", help="show what changed since this record"
    )
    group = parser.add_argument_group("how to judge and report")
    arguments.add_fail_on(group)
    group.add_argument(
        "--require-complete",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="exit with 3 if something could not be read, even if there are findings",
    )
    output.add_arguments(group)
    arguments.add_now(group)


def run(args: argparse.Namespace, console: Console) -> int:
    reports = output.output_request(args)
    request = ReviewRequest(
        path=args.path,
        use_git=not args.no_git,
        write_policy=args.write_policy,
        record=args.record,
        compare=args.compare,
        trail=tuple(args.trail),
        operator=args.operator,
        backends=tuple(args.backend),
        timeout=args.timeout,
        cross_check=args.cross_check,
    )
    is_live = args.operator or console.environ.get(VARIABLE)
    if (request.backends or request.cross_check) and not is_live:
        raise UsageError(
            "--backend and --cross-check need an operator config", todo="add --operator FILE"
        )
    finished = review(request, console, moment(args.now))
    if finished is None:
        return ExitCode.USAGE
    context = finished.report_context(console, reports.fail_on)
    written = True
    if not reports.writes_nothing:
        written = output.deliver(reports, console, finished.outcome, context)
    return output.exit_code(
        finished.outcome,
        context.fail_on,
        written=written,
        require_complete=reports.require_complete,
    )
