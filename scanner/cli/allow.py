"""Write an exception with a reason, an owner and an end date.

  keywatch allow ID [PATH ...] --reason "why" --owner @team --until 2027-01-31
  keywatch allow list [--expiring 30d] [--json]     list all exceptions: see allow list --help

ID is the finding ID that a scan prints. PATH limits where the finding is looked for. The exception
is added to keywatch.yaml and covers this one value. Another value in the same place is a new
finding.

Examples:
  keywatch allow 8c1f0a2b --reason "key of the public sandbox" --owner @payments --until 2027-01-31
  keywatch allow 8c1f0a2b config/ --reason "sample from the vendor's manual" --owner @payments
  keywatch allow list --expiring 30d

"""

from __future__ import annotations

import argparse

from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.console import Console
from scanner.errors import ExitCode
from scanner.exceptions.allow import AllowRequest, allow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the finding ID that a report shows, or: list")
    arguments.add_full_scan(parser, "paths", "--history", "--diff", "--archives", "--config")
    group = parser.add_argument_group("the exception")
    group.add_argument("--reason", metavar="TEXT", help="why the finding is accepted")
    group.add_argument("--owner", metavar="WHO", help="who is responsible: @team, or an address")
    group.add_argument("--until", metavar="DATE", help="the last day on which it applies, in UTC")
    group.add_argument(
        "--audit",
        metavar="FILE",
        help="for a live secret: the file that keywatch audit --report sarif=FILE wrote",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    request = AllowRequest(
        id=args.id,
        reason=args.reason or "",
        owner=args.owner or "",
        until=args.until or "",
        scan=arguments.scan_request(args),
        audit=args.audit,
    )
    done = allow(request, console, moment(args.now))
    entry = done.entry
    console.write(f"{done.file}: {entry.rule} in {entry.path} is allowed until {entry.until}\n")
    return ExitCode.CLEAN
