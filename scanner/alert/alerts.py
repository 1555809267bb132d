"""The alerts of a run: one for each live secret with findings, and one for each other finding."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from scanner.alert.state import Open
from scanner.model import Finding, Gap, Outcome, Severity
from scanner.records import Status
from scanner.report.interface import ReportContext
from scanner.report.text import count

INCOMPLETE = "audit-incomplete"
ROTATE = "rotate"
TRAIL = "trail"
"""The analysis of audit logs. Its findings are events: they stay open until somebody acts."""
_LATENESS = {
    ("rotation-overdue", Severity.CRITICAL): 3,
    ("rotation-overdue", Severity.HIGH): 2,
}


class Alert(NamedTuple):
    """What is wrong with one thing.

    `id` is what `keywatch alert ack` takes. `name` is a canonical ID or `path:line`. `tier` is 1 in
    the grace period and for what is not about lateness, 2 after it, 3 after twice the grace period.
    """

    id: str
    name: str
    severity: Severity
    rules: tuple[str, ...]
    title: str
    details: tuple[str, ...] = ()
    secret_class: str = ""
    backend: str = ""
    owner: str = ""
    runbook: str = ""
    next_step: str = ""
    due: datetime | None = None
    tier: int = 1

    @property
    def state(self) -> str:
        """It changes when the alert must be sent again."""
        return f"{self.severity.label} {self.tier} {' '.join(self.rules)}"


class Seen(NamedTuple):
    """The alerts of a run by ID, and the stores that it read completely.

    `present` are the IDs of secrets that it judged. `classes`: it judged only secrets of these
    classes; empty for all.
    """

    alerts: dict[str, Alert]
    complete: frozenset[str]
    present: frozenset[str]
    analysis: str
    is_complete: bool
    classes: frozenset[str] = frozenset()

    def settles(self, old: Open) -> bool:
        """Does it prove that an earlier alert, which it does not repeat, is resolved?"""
        if old.analysis != self.analysis or old.analysis == TRAIL:
            return False
        if old.name in self.present:
            return True
        # A run of some classes reads its stores to the end, but does not judge what else they have.
        is_judged = INCOMPLETE in old.state.split() or old.secret_class in self.classes
        if self.classes and not is_judged:
            return False
        return old.backend in self.complete if old.backend else self.is_complete


def seen(outcome: Outcome, context: ReportContext) -> Seen:
    live = outcome.live
    statuses = {status.id: status for status in live.secrets} if live else {}
    grouped: dict[str, list[Finding]] = {}
    for finding in outcome.findings:
        name = finding.resource.id if finding.resource else finding.fingerprint
        grouped.setdefault(name, []).append(finding)
    found = [
        _alert(name, findings, statuses.get(name), context) for name, findings in grouped.items()
    ]
    found += _gaps(outcome.gaps, context)
    return Seen(
        alerts={alert.id: alert for alert in found},
        complete=frozenset(
            each.backend for each in (live.reach if live else ()) if not each.unread
        ),
        present=frozenset(statuses),
        analysis=context.analysis,
        is_complete=outcome.complete,
        classes=frozenset(live.classes if live else ()),
    )


def identity(name: str) -> str:
    """A short ID that stays the same from run to run."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:12]


def _alert(
    name: str, findings: list[Finding], status: Status | None, context: ReportContext
) -> Alert:
    findings.sort(key=lambda finding: (-finding.severity, finding.rule))
    worst = findings[0]
    rule, resource = context.rule(worst), worst.resource
    # A rotation that is stuck is another alert than the age of the secret.
    of_rotation = context.analysis == ROTATE
    return Alert(
        id=identity(f"{ROTATE} {name}" if of_rotation else name),
        name=name if resource else str(worst.location),
        severity=worst.severity,
        rules=tuple(dict.fromkeys(finding.rule for finding in findings)),
        title=rule.title,
        details=tuple(finding.detail for finding in findings if finding.detail)[:5],
        secret_class=status.secret_class if status else rule.secret_class,
        backend=status.backend if status else _backend(name) if resource else "",
        owner=resource.owner if resource else "",
        runbook=resource.runbook if resource else "",
        next_step=rule.fix or rule.revoke,
        due=status.due if status else None,
        tier=max(_LATENESS.get((each.rule, each.severity), 1) for each in findings),
    )


def _backend(name: str) -> str:
    """`prod` for `vault://prod/…`."""
    return name.partition("://")[2].partition("/")[0]


def _gaps(gaps: Iterable[Gap], context: ReportContext) -> Iterator[Alert]:
    """One alert for each backend or run in which something was not read."""
    grouped: dict[str, list[Gap]] = {}
    for gap in gaps:
        grouped.setdefault(_backend(gap.path) if "://" in gap.path else "", []).append(gap)
    for backend, some in grouped.items():
        yield Alert(
            id=identity(f"{INCOMPLETE} {context.analysis} {backend}"),
            name=f"{context.analysis} of {backend or context.root}",
            severity=Severity.HIGH,
            rules=(INCOMPLETE,),
            title=f"{count(len(some), 'path')} could not be checked",
            details=tuple(f"{gap.path}: {gap.reason}" for gap in some[:5]),
            backend=backend,
            next_step="Find out why, correct it, and run keywatch again.",
        )
