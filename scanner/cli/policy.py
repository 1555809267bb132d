"""Check the policy: keywatch.yaml, configs/secrets/*.yaml, Vault policies, hooks and CI jobs.

  keywatch policy check [PATH] [--diff BASE]
  keywatch policy explain ID [--tag NAME=VALUE]

Exit codes of the check: 2 if a file is invalid (each is named with its line); 1 if the files
contradict each other, nothing rotates a declared secret, or a hook, its baseline or a CI job is
missing, or a service can read more than it needs. `explain` shows which entry of `secrets` applies
to a live secret.

Examples:
  keywatch policy check
  keywatch policy check --diff origin/main
  keywatch policy explain vault://prod/secret/payments/stripe

"""

from __future__ import annotations

import argparse
from datetime import datetime

from scanner.access.policy_check import RULES, CheckRequest, check
from scanner.audit import explain_entry
from scanner.audit.explain_entry import EntryRequest
from scanner.cli import arguments, output
from scanner.cli.arguments import moment
from scanner.console import Console
from scanner.errors import ExitCode, UsageError
from scanner.model import FailOn
from scanner.report.interface import ReportContext
from scanner.repository.tree import Tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="check|explain")
    text = "show which entry of `secrets` applies to a live secret, and why"
    _add_explain(actions.add_parser("explain", help=text, description=text))
    text = "check all files of the policy against each other"
    checking = actions.add_parser("check", help=text, description=text)
    arguments.add_folder(checking)
    checking.add_argument("--no-git", action="store_true", help="all files, including ignored ones")
    group = checking.add_argument_group("check a change")
    group.add_argument(
        "--diff",
        default="",
        metavar="BASE[..HEAD]",
        help="only what the commits since BASE widen in Vault policies and needs, by the policy"
        " of their merge base",
    )
    group.add_argument(
        "--trust",
        default="",
        metavar="REF",
        help="with --diff: use the policy of this commit instead of the merge base",
    )
    group = checking.add_argument_group("how to check and report")
    arguments.add_fail_on(group)
    output.add_arguments(group)
    arguments.add_now(group)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="a canonical id, as audit prints it, with or without #key"
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a tag, label or custom metadata of the secret; can be repeated",
    )
    parser.add_argument(
        "--operator", metavar="FILE", help="also apply the minimum policy of this operator config"
    )


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "explain":
        request = EntryRequest(id=args.id, tags=_tags(args.tag), operator=args.operator)
        console.write(explain_entry.explain(request, console))
        return ExitCode.CLEAN
    reports = output.output_request(args)
    now = moment(args.now)
    asked = CheckRequest(args.path, not args.no_git, args.diff, args.trust)
    checked = check(asked, console, now)
    if checked is None:
        return ExitCode.USAGE
    outcome, tree = checked.outcome, checked.tree
    fail_on = reports.failing(checked.config)
    written = True
    if not reports.writes_nothing:
        context = _context(console, tree, now, fail_on)
        written = output.deliver(reports, console, outcome, context)
    return output.exit_code(outcome, fail_on, written=written, require_complete=False)


def _tags(given: list[str]) -> dict[str, str]:
    for each in given:
        if "=" not in each:
            raise UsageError(f"--tag {each} has no value", todo="write it as --tag team=payments")
    return dict(each.split("=", 1) for each in given)


def _context(console: Console, tree: Tree, now: datetime, fail_on: FailOn) -> ReportContext:
    infos = {rule.id: rule for rule in RULES}
    context = console.report_context(infos, now, tree.root, fail_on, "policy-check")
    return context._replace(open_from=tree.open_from)
