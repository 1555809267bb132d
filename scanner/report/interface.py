"""The interface of all reporters.

A reporter is a pure function: it uses no I/O, no clock and no environment. The same Outcome and the
same context give the same text, byte for byte. The command line decides where the text goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from scanner.model import Acceptance, Detail, FailOn, Finding, Outcome, RuleInfo
from scanner.report.text import ended


class ReportContext(NamedTuple):
    """What a reporter must know in addition to the Outcome.

    `rules` contains every rule that ran, by id. `now` is in UTC. `command` is the command line that
    repeats this run, quoted for a shell. `open_from` is the path from the current folder to the
    root, `in_repository` the path from the top of the repository to the root; each is "" or ends
    with a slash. `links` is the URL of the current folder for links to files, or "" for no links.
    `width` counts terminal cells. `analysis` names the kind of run: results of one
    analysis never replace those of another.

    `acceptance` is APPROVAL for a change that is judged by an earlier policy, and NONE for text
    that is in no file, such as a commit message. `program` is how the user can run keywatch.
    """

    rules: Mapping[str, RuleInfo]
    now: datetime
    version: str
    root: str = "."
    command: str = "keywatch scan"
    fail_on: FailOn = FailOn()
    open_from: str = ""
    in_repository: str = ""
    color: bool = False
    links: str = ""
    width: int = 80
    analysis: str = "scan"
    acceptance: Acceptance = Acceptance.ALLOW
    detail: Detail = Detail.NORMAL
    program: str = "keywatch"

    def rule(self, finding: Finding) -> RuleInfo:
        """The finding's rule. The title of an unknown rule is its id."""
        return self.rules.get(finding.rule) or RuleInfo(
            id=finding.rule,
            title=finding.rule,
            severity=finding.severity,
            confidence=finding.confidence,
        )


class Reporter(Protocol):
    """One format. It returns its text in pieces, so that a long report is never in memory."""

    def __call__(self, outcome: Outcome, context: ReportContext) -> Iterable[str]: ...


def whose(finding: Finding) -> tuple[str, ...]:
    """Sentences on a live secret: its owner, its runbook, and whether the result is an old one."""
    if not finding.resource:
        return ()
    resource = finding.resource
    labelled = {
        "Not checked again since ": resource.as_of,
        "Owner: ": resource.owner,
        "Runbook: ": resource.runbook,
    }
    return tuple(label + words for label, words in labelled.items() if words)


def sentences(finding: Finding, context: ReportContext) -> list[str]:
    """What was found, what to do first, and who owns it. The reporter must escape the sentences."""
    rule = context.rule(finding)
    first = rule.title
    if finding.preview:
        first += f" '{finding.preview}'"
    if finding.context:
        first += f" in '{finding.context}'"
    more = (finding.detail, rule.fix or rule.revoke, *whose(finding))
    return [ended(words) for words in (first, *more) if words]


def remedy(rule: RuleInfo) -> tuple[tuple[str, str], ...]:
    """What to do after a leak, as (step, words) in order."""
    steps = (
        ("fix", rule.fix),
        ("revoke", rule.revoke),
        ("rotate", rule.rotate),
        ("purge", rule.purge),
    )
    return tuple((step, words) for step, words in steps if words)
