"""List all exceptions and baselines, and say which end soon and which cover nothing.

keywatch allow list [--expiring 30d] [--json]

Examples:
  keywatch allow list
  keywatch allow list --expiring 30d
  keywatch allow list --json

"""

from __future__ import annotations

import argparse

from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.console import Console
from scanner.exceptions import full_scan, listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expiring",
        metavar="30d",
        help="only exceptions that have ended or will end within this time",
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    arguments.add_full_scan(parser, "--archives", "--config", "--no-git")


def run(args: argparse.Namespace, console: Console) -> int:
    now, request = moment(args.now), arguments.scan_request(args)
    selection = full_scan.select(request, console)
    full_scan.demand_whole_tree(selection, "the list")
    outcome = full_scan.scan(request, console, selection, now).outcome
    console.write(
        listing.text(outcome.register, now.date(), expiring=args.expiring, as_json=args.json)
    )
    return full_scan.completeness(outcome, console)
