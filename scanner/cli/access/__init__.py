"""Who can read which secret, and is that more than it needs?

  keywatch access explain --policy FILE... --path P [--capability C]
  keywatch access review [PATH]

`explain` prints what Vault policies grant on a path, and the rule that decides it. `review`
compares the policies of each service in keywatch.yaml with the classes that the service needs.

Examples:
  keywatch access review
  keywatch access review --write-policy narrower/
  keywatch access explain --policy payments.hcl --path secret/data/payments/stripe

"""

from __future__ import annotations

import argparse

from scanner.cli.access import explain, review
from scanner.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="explain|review")
    text = "show what policies grant on a path, and which rule decides it"
    explain.add_arguments(actions.add_parser("explain", help=text, description=text))
    text = "compare what each service can do with what it needs"
    review.add_arguments(actions.add_parser("review", help=text, description=text))


def run(args: argparse.Namespace, console: Console) -> int:
    return explain.run(args, console) if args.action == "explain" else review.run(args, console)
