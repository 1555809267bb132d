"""Alerts as findings and notes, with masked names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from scanner.masking import masked, masked_finding, masked_note
from scanner.model import Finding, Location, Note, NoteKind
from scanner.policy.declarations.model import Match
from scanner.records import Resource
from scanner.trail.analysis import Alert
from scanner.trail.sigma.rule_files import Described

Owner = Callable[[str], Match | None]
"""The entry of keywatch.yaml for a secret."""


def made(
    alerts: Iterable[Alert], rules: Mapping[str, Described], owner: Owner
) -> tuple[list[Finding], list[Note]]:
    """Findings without ordinals, and notes for rules of the level informational."""
    found: list[Finding] = []
    notes: list[Note] = []
    for alert in alerts:
        rule = rules[alert.rule]
        if rule.is_note:
            text = f"{rule.info.title}: {said(alert)}"
            note = Note(kind=NoteKind.TRAIL, path=alert.log, text=text, line=alert.line)
            notes.append(masked_note(note))
        else:
            found.append(_finding(alert, rule, owner))
    return found, notes


def _finding(alert: Alert, rule: Described, owner: Owner) -> Finding:
    match = owner(alert.subject.partition("?")[0])
    whose, runbook = (match.entry.owner, match.entry.runbook) if match else ("", "")
    resource = Resource(id=alert.subject, owner=masked(whose), runbook=masked(runbook))
    finding = Finding(
        rule=alert.rule,
        location=Location(path=alert.log, line=alert.line, end_line=alert.line),
        severity=rule.info.severity,
        confidence=rule.info.confidence,
        context=alert.subject,
        detail=said(alert),
        resource=resource,
    )
    return masked_finding(finding)


def said(alert: Alert) -> str:
    """`3 times from … to …, first: …`."""
    first, last = moment(alert.first), moment(alert.last)
    if alert.count == 1:
        return f"at {first}: {alert.detail}"
    return f"{alert.count:,} times from {first} to {last}, first: {alert.detail}"


def moment(time: float) -> str:
    """Unix seconds in UTC, to the second."""
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return "a time out of range"
