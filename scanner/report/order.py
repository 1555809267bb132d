"""The order of every list. It depends on all fields, so that reports never depend on timing."""

from __future__ import annotations

from scanner.model import Finding, Gap, Note, Skip, Suppressed, Suppression
from scanner.records import Reach, Status

Key = tuple[str | int, ...]


def by_place(finding: Finding) -> Key:
    place = finding.location
    span = (place.path, place.line, place.column, place.end_line, place.end_column)
    words = (finding.rule, finding.fingerprint, finding.context, finding.preview, finding.detail)
    rest = (finding.ordinal, finding.severity, finding.confidence)
    return (*span, *words, *rest, *(finding.resource or ()))


def most_severe(finding: Finding) -> Key:
    return (-finding.severity, -finding.confidence, *by_place(finding))


def suppressed_order(item: Suppressed) -> Key:
    return (*by_place(item.finding), *entry_order(item.suppression))


def entry_order(item: Suppression) -> Key:
    words = (item.reason, item.owner, item.until)
    return (str(item.location), item.by, item.rule, item.path, *words, item.used)


def gap_order(gap: Gap) -> Key:
    return (gap.path, gap.kind, gap.reason)


def skip_order(skip: Skip) -> Key:
    return (skip.path, skip.kind)


def note_order(note: Note) -> Key:
    return (note.path, note.line, note.kind, note.text)


def status_order(status: Status) -> Key:
    return (status.id, status.backend, status.kind, status.verdict)


def reach_order(reach: Reach) -> Key:
    return (reach.backend, reach.kind, reach.read)
