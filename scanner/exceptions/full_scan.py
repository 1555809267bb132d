"""A scan that reports nothing itself: the base for baselines and for the list of exceptions."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from scanner import cache
from scanner.console import Console
from scanner.errors import ExitCode, UsageError
from scanner.model import Outcome
from scanner.policy.variables import RULE_IDS
from scanner.report.text import count
from scanner.scan import run as scanning
from scanner.scan import sources
from scanner.scan.baselines import Baselines
from scanner.scan.request import ScanRequest
from scanner.scan.result import ScanResult
from scanner.scan.sources import Selection


class FullScan(NamedTuple):
    """A judged scan with findings of every confidence. `rules` are the ids of rules that ran."""

    rules: frozenset[str]
    baselines: Baselines
    result: ScanResult
    outcome: Outcome


def select(request: ScanRequest, console: Console) -> Selection:
    return sources.select(request, console, cache.folder())


def scan(request: ScanRequest, console: Console, selection: Selection, now: datetime) -> FullScan:
    """Scan what was selected, and judge it."""
    finished = scanning.run(request, console, selection=selection)
    plan = finished.plan
    rulebook = plan.workers.rulebook
    detect_secrets = rulebook.detect_secrets_rules.values() if plan.baselines.settings else ()
    ran = {rule.id for rule in (*rulebook.active, *rulebook.config_rules, *detect_secrets)}
    if selection.whole_tree:
        ran |= RULE_IDS.difference(selection.config.disable_rules)
    outcome = finished.judge(now)
    return FullScan(frozenset(ran), plan.baselines, finished.result, outcome)


def demand_whole_tree(selection: Selection, what: str) -> None:
    """UsageError if only a part of the tree was selected."""
    if not selection.whole_tree:
        raise UsageError(
            f"{what} needs the whole tree",
            why="what a part of the tree does not contain may be in another part",
            todo="leave out paths, --staged, --stdin and --exclude",
        )


def completeness(outcome: Outcome, console: Console) -> int:
    """The exit code of a command whose result covers only what could be read."""
    if outcome.complete:
        return ExitCode.CLEAN
    number = count(len(outcome.gaps), "place")
    console.error_line(
        f"keywatch: incomplete: {number} could not be scanned; keywatch scan lists them"
    )
    return ExitCode.INCOMPLETE
