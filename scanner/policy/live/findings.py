"""Policy: the findings about a judged live secret, and its status for reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner.model import Finding, Location, RuleInfo, Severity
from scanner.policy.live.rotation_age import Condition, JudgedSecret, Verdict, explain, severity_of
from scanner.policy.live.rules import BY_ID, OF, STALE_CONSUMER, UNUSED
from scanner.records import Resource, Status

_NAMED = 5
"""How many consumers of an old value are named in a finding."""
Problem = tuple[RuleInfo, Severity, str]


def findings(judged: JudgedSecret, place: Location) -> Iterator[Finding]:
    """The findings about a secret, located at its declaration. They have no ordinals yet."""
    record = judged.record
    resource = Resource(id=record.id, owner=judged.owner, runbook=judged.runbook)
    for rule, severity, detail in (*_of_verdict(judged), *_of_reader(judged)):
        yield Finding(
            rule=rule.id,
            location=place,
            severity=severity,
            confidence=rule.confidence,
            context=record.id,
            detail=detail,
            resource=resource,
        )


def unused(judged: JudgedSecret, place: Location, why: str) -> Finding:
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


def _of_verdict(judged: JudgedSecret) -> Iterator[Problem]:
    if judged.verdict and judged.verdict in OF:
        yield _of(judged, judged.verdict, explain(judged))
    for condition, detail in judged.conditions:
        yield _of(judged, condition, detail)


def _of(judged: JudgedSecret, what: Verdict | Condition, detail: str) -> Problem:
    rule = OF[what]
    return rule, severity_of(judged, what) or rule.severity, detail


def _of_reader(judged: JudgedSecret) -> Iterator[Problem]:
    """Problems that the backend's reader found. They do not depend on the policy."""
    for fault in judged.record.faults:
        rule = BY_ID[fault.rule]
        yield rule, rule.severity, fault.detail
    if judged.record.stale:
        rule = BY_ID[STALE_CONSUMER]
        yield rule, rule.severity, _some(judged.record.stale)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def status(judged: JudgedSecret, backend: str) -> Status:
    """The status that reports show and that the next run compares."""
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
        grace=judged.secret_class.grace if judged.secret_class else None,
    )
