"""Find unauthorized access in the audit logs of Vault, OpenBao, AWS, Azure and Kubernetes.

  keywatch trail FILE...
  vault-logs | keywatch trail -

The logs may be compressed, rotated and repeated by several audit devices. The detections are the
Sigma rules of rules/trail and those that need more than a log line; docs/trail.md lists them.

Examples:
  keywatch trail /var/log/openbao/audit.log*
  keywatch trail --follow --state trail.json /var/log/openbao/audit.log
  zcat cloudtrail/*.json.gz | keywatch trail -

"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from scanner import project
from scanner.cli import arguments, output
from scanner.cli.arguments import moment
from scanner.console import Console, show_error
from scanner.errors import ExitCode, OutputError, UsageError
from scanner.policy.declarations.model import seconds

if TYPE_CHECKING:
    from scanner.trail.run import TrailRequest

_PERIOD = re.compile(r"([0-9]{1,6}[smhd])+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "logs",
        nargs="*",
        type=arguments.path,
        metavar="FILE",
        help="audit logs: files, globs such as 'audit.log*', or - for standard input",
    )
    group = parser.add_argument_group("which logs")
    group.add_argument(
        "--repository",
        default=".",
        type=arguments.path,
        metavar="PATH",
        help="the repository whose keywatch.yaml maps services to secrets; default: the"
        " current folder",
    )
    group.add_argument(
        "--backend",
        default="-",
        metavar="NAME",
        help="the store's name in the operator config, which is part of the IDs of its secrets",
    )
    group.add_argument(
        "--follow", action="store_true", help="keep reading a live file, until it is interrupted"
    )
    group = parser.add_argument_group("how to detect")
    group.add_argument(
        "--rules",
        action="append",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="your own Sigma rules; a rule replaces the shipped rule of the same name; can be"
        " repeated",
    )
    group.add_argument(
        "--heartbeat",
        default="1h",
        type=_period,
        metavar="TIME",
        help="report a longer silence of a log; default: 1h; 0s turns it off",
    )
    group.add_argument(
        "--learn",
        default="7d",
        type=_period,
        metavar="TIME",
        help="how long an identity is watched before anything is unusual; default: 7d",
    )
    _add_more(parser)


def _add_more(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("is everything logged?")
    group.add_argument(
        "--logging",
        action="append",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="check this configuration of audit logs (see docs/trail.md); can be repeated",
    )
    group.add_argument(
        "--operator", metavar="FILE", help="ask the stores of this operator config what they log"
    )
    group = parser.add_argument_group("earlier and later runs")
    group.add_argument(
        "--state", metavar="FILE", help="continue where the last run with this file stopped"
    )
    group.add_argument(
        "--last-used", metavar="OUT", help="write when each secret and grant was last used"
    )
    group = parser.add_argument_group("how to check and report")
    arguments.add_fail_on(group)
    group.add_argument(
        "--require-complete",
        action="store_true",
        help="exit with 3 if something could not be read, even if there are findings",
    )
    output.add_arguments(group)
    arguments.add_now(group)


def _period(text: str) -> int:
    if not _PERIOD.fullmatch(text):
        raise argparse.ArgumentTypeError("write a number and s, m, h or d, such as 30m")
    return seconds(text)


def run(args: argparse.Namespace, console: Console) -> int:
    reports = output.output_request(args)
    now = moment(args.now)
    try:
        from scanner.trail.run import trail

        request = _request(args)
    except ImportError as error:
        raise UsageError(
            "keywatch trail needs a library that is not installed",
            why=f"{(error.name or '').partition('.')[0]} is missing",
            todo=f"pip install {project.requirement('trail')}",
        ) from None
    finished = trail(request, console, now)
    if finished is None:
        return ExitCode.USAGE
    context = finished.report_context(console, reports.fail_on)
    written = True
    if not reports.writes_nothing:
        written = output.deliver(reports, console, finished.outcome, context)
    if written:  # what was not reported is found again by the next run
        try:
            finished.save()
        except OutputError as error:
            show_error(error, console)
            written = False
    return output.exit_code(
        finished.outcome,
        context.fail_on,
        written=written,
        require_complete=reports.require_complete,
    )


def _request(args: argparse.Namespace) -> TrailRequest:
    from scanner.trail.run import TrailRequest

    return TrailRequest(
        logs=tuple(args.logs),
        path=args.repository,
        backend=args.backend,
        rules=tuple(args.rules),
        configurations=tuple(args.logging),
        operator=args.operator,
        state=args.state,
        last_used=args.last_used,
        follow=args.follow,
        heartbeat=args.heartbeat,
        learning=args.learn,
    )
