"""The command line: a scan for the verbs that keep records of findings and report none.

`add_arguments` gives them the arguments of `keywatch scan` that say what is read and how.
"""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import NamedTuple

from scanner import cache
from scanner.cli import scan
from scanner.console import Io
from scanner.errors import ExitCode, UsageError
from scanner.model import Confidence, Outcome
from scanner.policy.variables import RULE_IDS
from scanner.report.text import count
from scanner.scan import baselines, files, sources
from scanner.scan.baselines import Debt
from scanner.scan.files import Swept
from scanner.scan.sources import Selection


class Survey(NamedTuple):
    """What ran, what was seen, and what it comes to."""

    rules: frozenset[str]
    owed: Debt
    swept: Swept
    outcome: Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sources.add_arguments(parser)
    files.add_arguments(parser)
    baselines.add_arguments(parser)
    parser.add_argument("--now", metavar="TIME", help="act as of this time (ISO 8601)")
    parser.set_defaults(min_confidence="low")


def select(args: argparse.Namespace, io: Io) -> Selection:
    return sources.select(args, io, cache.folder())


def survey(args: argparse.Namespace, io: Io, selection: Selection, now: datetime) -> Survey:
    """Scan and judge: findings of every confidence."""
    plan = files.plan(args, io, selection)
    swept = scan.swept(plan, io)
    outcome = scan.judged(args, plan, swept, now, Confidence.LOW)
    book = plan.recipe.book
    detect_secrets = book.detect_secrets_rules.values() if plan.owed.settings else ()
    ran = {rule.id for rule in (*book.active, *book.config_rules, *detect_secrets)}
    if selection.whole_tree:
        ran |= RULE_IDS.difference(selection.config.disable_rules)
    return Survey(frozenset(ran), plan.owed, swept, outcome)


def demand_whole_tree(selection: Selection, what: str) -> None:
    """UsageError where only a part of the tree was selected."""
    if not selection.whole_tree:
        raise UsageError(
            f"{what} needs the whole tree",
            why="what is not in a part of it may be in another",
            todo="leave out paths, --staged, --stdin and --exclude",
        )


def completeness(outcome: Outcome, io: Io) -> int:
    """The exit code of a verb whose result is what could be read."""
    if outcome.complete:
        return ExitCode.CLEAN
    io.error_line(
        f"keywatch: {count(len(outcome.gaps), 'gap')}: what could not be read is not in this; "
        "keywatch scan names the places"
    )
    return ExitCode.INCOMPLETE
