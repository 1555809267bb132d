"""Report: what a reporter is given and what it gives back.

A reporter is a pure function: no I/O, no clock, no environment. The same Outcome and the same
context give the same text, byte for byte; the command line decides where the text goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from scanner.model import Finding, Outcome, RuleInfo, Severity
from scanner.report.text import ended


class ReportContext(NamedTuple):
    """What a reporter must know beyond the Outcome.

    `rules` holds every rule that ran, by id. `now` is aware, in UTC. `command` is the command
    line that repeats this run, quoted for a shell. `open_from` stands before a path so that it
    opens from the current directory, `in_repository` so that it counts from the top of its
    repository; each is "" or ends with a slash. `width` counts terminal cells. `analysis` is what
    the verb does: results of one analysis replace none of another.
    """

    rules: Mapping[str, RuleInfo]
    now: datetime
    version: str
    root: str = "."
    command: str = "keywatch scan"
    fail_on: Severity = Severity.LOW
    open_from: str = ""
    in_repository: str = ""
    color: bool = False
    width: int = 80
    analysis: str = "scan"

    def rule(self, finding: Finding) -> RuleInfo:
        """The finding's rule. One that nobody described still has its id for a title."""
        return self.rules.get(finding.rule) or RuleInfo(
            id=finding.rule,
            title=finding.rule,
            severity=finding.severity,
            confidence=finding.confidence,
            secret_class="",
            why="",
            revoke="",
            rotate="",
            purge="",
        )


class Reporter(Protocol):
    """One format: its text in pieces, in order, so that a long one is never held as a whole."""

    def __call__(self, outcome: Outcome, context: ReportContext) -> Iterable[str]: ...


def whose(finding: Finding) -> tuple[str, ...]:
    """Who answers for a live secret, how it is rotated, and whether that is old news; in words."""
    if not finding.resource:
        return ()
    _, owner, runbook, as_of = finding.resource
    said = {"Not checked again since ": as_of, "Owner: ": owner, "Runbook: ": runbook}
    return tuple(label + words for label, words in said.items() if words)


def sentences(finding: Finding, context: ReportContext) -> list[str]:
    """What was found and how, what to do first, and whose it is; for a sink to make harmless."""
    rule = context.rule(finding)
    first = rule.title
    if finding.preview:
        first += f" '{finding.preview}'"
    if finding.context:
        first += f" in '{finding.context}'"
    more = (finding.detail, rule.fix or rule.revoke, *whose(finding))
    return [ended(words) for words in (first, *more) if words]


def remedy(rule: RuleInfo) -> tuple[tuple[str, str], ...]:
    """What to do after a leak, as (step, words), in the order in which to do it."""
    steps = (
        ("fix", rule.fix),
        ("revoke", rule.revoke),
        ("rotate", rule.rotate),
        ("purge", rule.purge),
    )
    return tuple((step, words) for step, words in steps if words)
