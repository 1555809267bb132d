"""Policy: what is said of a live secret that was judged: its findings, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner.model import Finding, Location, RuleInfo, Severity
from scanner.policy.live.rotation_age import Condition, Judged, Verdict, explain, severity_of
from scanner.policy.live.rules import BY_ID, OF, STALE_CONSUMER, UNUSED
from scanner.records import Resource, Status

_NAMED = 5
"""So many of those who run on an old value are named."""
Said = tuple[RuleInfo, Severity, str]


def findings(judged: Judged, place: Location) -> Iterator[Finding]:
    """What is wrong with it, each a finding at the place that declares it, without a number."""
    record = judged.record
    resource = Resource(id=record.id, owner=judged.owner, runbook=judged.runbook)
    for rule, severity, detail in (*_judged(judged), *_seen(judged)):
        yield Finding(
            rule=rule.id,
            location=place,
            severity=severity,
            confidence=rule.confidence,
            context=record.id,
            detail=detail,
            resource=resource,
        )


def unused(judged: Judged, place: Location, why: str) -> Finding:
    """The finding that nobody reads the secret."""
    rule = BY_ID[UNUSED]
    record = judged.record
    return Finding(
        rule=rule.id,
        location=place,
        severity=rule.severity,
        confidence=rule.confidence,
        context=record.id,
        detail=why,
        resource=Resource(id=record.id, owner=judged.owner, runbook=judged.runbook),
    )


def _judged(judged: Judged) -> Iterator[Said]:
    if judged.verdict and judged.verdict in OF:
        yield _of(judged, judged.verdict, explain(judged))
    for condition, detail in judged.conditions:
        yield _of(judged, condition, detail)


def _of(judged: Judged, what: Verdict | Condition, detail: str) -> Said:
    rule = OF[what]
    return rule, severity_of(judged, what) or rule.severity, detail


def _seen(judged: Judged) -> Iterator[Said]:
    """What the backend's reader saw, whatever the policy says."""
    for fault in judged.record.faults:
        rule = BY_ID[fault.rule]
        yield rule, rule.severity, fault.detail
    if judged.record.stale:
        rule = BY_ID[STALE_CONSUMER]
        yield rule, rule.severity, _some(judged.record.stale)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def status(judged: Judged, backend: str) -> Status:
    """All of it that reports show and the next run compares."""
    record, dated = judged.record, judged.record.dated
    faults = [fault.rule for fault in record.faults] + [STALE_CONSUMER] * bool(record.stale)
    return Status(
        id=record.id,
        backend=backend,
        kind=record.kind,
        secret_class=judged.secret_class.name if judged.secret_class else "",
        owner=judged.owner,
        verdict=judged.verdict or "",
        conditions=(*(seen.condition.value for seen in judged.conditions), *faults),
        youngest=judged.youngest,
        oldest=judged.oldest,
        limit=judged.limit,
        due=judged.due,
        field=dated.field if dated else "",
        strength=dated.strength if dated else "",
    )
