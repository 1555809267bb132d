"""Who can read which secret, and is that more than it needs?

  keywatch access explain --policy FILE... --path P [--capability C]
  keywatch access review [PATH]

`explain` prints what Vault policies grant on a path, and the rule that decides it. `review`
compares the policies of each service in keywatch.yaml with the classes that the service needs.
"""

from __future__ import annotations

import argparse

from scanner.access.explain import BatchRequest, ExplainRequest, batch, explain
from scanner.access.request import ReviewRequest
from scanner.access.review import review
from scanner.audit.operator_config import VARIABLE
from scanner.cli import arguments, output
from scanner.cli.arguments import moment
from scanner.cli.audit import TIMEOUT, add_operator, period
from scanner.console import Console
from scanner.errors import ExitCode, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="explain|review")
    text = "show what policies grant on a path, and which rule decides it"
    _add_explain(actions.add_parser("explain", help=text, description=text))
    text = "compare what each service can do with what it needs"
    _add_review(actions.add_parser("review", help=text, description=text))


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy",
        action="extend",
        nargs="+",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="a Vault policy, in HCL or JSON; repeatable",
    )
    parser.add_argument("--path", metavar="P", help="the API path, such as secret/data/app/db")
    parser.add_argument("--capability", default="", metavar="C", help="only this one, such as read")
    parser.add_argument(
        "--identity", default="", metavar="FILE", help="JSON of the entity that templates refer to"
    )
    parser.add_argument(
        "--batch",
        action="store_true",
        help='answer JSON lines {"policies": ["<policy>", ...], "path": "..."} of standard input',
    )
    arguments.add_now(parser)


def _add_review(parser: argparse.ArgumentParser) -> None:
    arguments.add_folder(parser)
    parser.add_argument("--no-git", action="store_true", help="all files, including ignored ones")
    group = parser.add_argument_group("live stores")
    add_operator(group)
    group.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help="only this backend of the operator config; repeatable",
    )
    group.add_argument(
        "--timeout", default=TIMEOUT, type=period, metavar="TIME", help="time for each backend"
    )
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
        " repeatable",
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
    return _explain(args, console) if args.action == "explain" else _review(args, console)


def _review(args: argparse.Namespace, console: Console) -> int:
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


def _explain(args: argparse.Namespace, console: Console) -> int:
    now = moment(args.now)
    if args.batch:
        if args.policy or args.path or args.capability or args.identity:
            raise UsageError("--batch takes no other option", todo="write everything in the lines")
        console.write_all(batch(BatchRequest(console.stdin, now)))
        return ExitCode.CLEAN
    if not args.policy or not args.path:
        raise UsageError("explain needs a policy and a path", todo="add --policy FILE and --path P")
    request = ExplainRequest(tuple(args.policy), args.path, args.capability, args.identity, now)
    console.write(explain(request, console))
    return ExitCode.CLEAN
