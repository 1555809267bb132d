"""`keywatch access explain`."""

from __future__ import annotations

import argparse

from scanner.access.explain import BatchRequest, ExplainRequest, batch, explain
from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.console import Console
from scanner.errors import ExitCode, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
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


def run(args: argparse.Namespace, console: Console) -> int:
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
