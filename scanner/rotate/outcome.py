"""The result of a run as an outcome, so that it can be reported and sent like that of an audit."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.fingerprints import identify
from scanner.masking import masked_finding, masked_gap, masked_id
from scanner.model import Finding, Location, Outcome, RuleInfo, Severity
from scanner.records import Audited, Resource, Status
from scanner.rotate.model import Policy, Progress, State
from scanner.rotate.plan import Action
from scanner.rotate.rules import MANUAL, STUCK
from scanner.rotate.run import Applied

_NOBODY_NEEDED = frozenset({State.WAITING, State.FINISHED, State.ABANDONED})


def outcome(applied: Applied) -> Outcome:
    """A finding for each rotation that needs somebody. `live` has all secrets of the run, so that
    an earlier alert about one without a finding is resolved."""
    found = identify(map(masked_finding, _findings(applied)))
    rotations = [each.progress.rotation for each in applied.results]
    statuses = [_status(each.secret, each.kind, each.policy) for each in rotations]
    statuses += [_status(item.secret, item.kind, item.policy) for item, _ in applied.left]
    return Outcome(
        findings=tuple(found),
        gaps=tuple(map(masked_gap, applied.gaps)),
        live=Audited(secrets=tuple(statuses)),
    )


def _findings(applied: Applied) -> Iterator[Finding]:
    for result in applied.results:
        progress = result.progress
        if progress.state not in _NOBODY_NEEDED:
            severity = Severity.CRITICAL if progress.rotation.emergency else STUCK.severity
            rotation = progress.rotation
            yield _finding(STUCK, severity, rotation.secret, rotation.policy, _said(progress))
    for item, why in applied.left:
        if item.action is Action.MANUAL:
            yield _finding(MANUAL, MANUAL.severity, item.secret, item.policy, why)


def _said(progress: Progress) -> str:
    step = f" at the step {progress.step}" if progress.step else ""
    why = f": {progress.reason}" if progress.reason else ""
    todo = f"; {progress.todo}" if progress.todo else ""
    return f"{progress.rotation.id} is {progress.state.value}{step}{why}{todo}"


def _finding(
    rule: RuleInfo, severity: Severity, secret: str, policy: Policy, detail: str
) -> Finding:
    return Finding(
        rule=rule.id,
        location=Location.parse(policy.where or "keywatch.yaml:1"),
        severity=severity,
        confidence=rule.confidence,
        context=secret,
        detail=detail,
        resource=Resource(id=secret),
    )


def _status(secret: str, kind: str, policy: Policy) -> Status:
    backend = secret.partition("://")[2].partition("/")[0]
    name = masked_id(secret)
    return Status(id=name, backend=backend, kind=kind, secret_class=policy.secret_class)
