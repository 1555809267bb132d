"""JSON, version 1, as described in rules/schema/report.schema.json.

It contains the whole Outcome except tags and hashes of values, which must not leave the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from scanner.model import Finding, Gap, Note, Outcome, Severity, Skip, Suppressed, Suppression
from scanner.records import AccessMatrix, Audited, Reach, Status
from scanner.report import json_writer, text, uris
from scanner.report.interface import ReportContext, remedy
from scanner.report.order import (
    by_place,
    entry_order,
    gap_order,
    note_order,
    reach_order,
    skip_order,
    status_order,
    suppressed_order,
)

SCHEMA_VERSION = 1
Json = dict[str, Any]


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """The whole outcome. Each list is sorted by place and has one entry on each line."""
    document: Json = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "keywatch", "version": context.version},
        "generated_at": text.moment(context.now),
        "root": context.root,
        "command": context.command,
        "open_from": context.open_from,
        "analysis": context.analysis,
        "fail_on": context.fail_on.severity.label,
        "fail_on_confidence": context.fail_on.confidence.label,
        "acceptance": context.acceptance.value,
        "complete": outcome.complete,
        "summary": counts(outcome),
        "coverage": _coverage(outcome),
        "rules": _rules(outcome, context),
    }
    live = {"live": _live(outcome.live)} if outcome.live else {}
    access = {"access": _access(outcome.access)} if outcome.access else {}
    return json_writer.pieces(document | _lists(outcome, context) | live | access, lists=1)


def _lists(outcome: Outcome, context: ReportContext) -> Json:
    """The lists, whose items are made while they are written."""
    found = sorted(outcome.findings, key=by_place)
    hidden = sorted(outcome.suppressed, key=suppressed_order)
    return {
        "findings": (_finding(item, context) for item in found),
        "suppressed": (_suppressed(item, context) for item in hidden),
        "gaps": map(_gap, sorted(outcome.gaps, key=gap_order)),
        "skips": map(_skip, sorted(outcome.skips, key=skip_order)),
        "notes": map(_note, sorted(outcome.notes, key=note_order)),
        "register": map(_entry, sorted(outcome.register, key=entry_order)),
    }


def counts(outcome: Outcome) -> Json:
    """The numbers of findings, suppressed findings and gaps."""
    severities = Counter(finding.severity for finding in outcome.findings)
    hidden = Counter(item.suppression.by for item in outcome.suppressed)
    return {
        "findings": {level.label: severities[level] for level in reversed(Severity)},
        "suppressed": dict(sorted(hidden.items())),
        "gaps": len(outcome.gaps),
    }


def _coverage(outcome: Outcome) -> Json:
    coverage = outcome.coverage
    skipped = dict(sorted(coverage.skipped.items()))
    return {"files": coverage.files, "bytes": coverage.size, "skipped": skipped}


def _rules(outcome: Outcome, context: ReportContext) -> Json:
    broken = [*outcome.findings, *(item.finding for item in outcome.suppressed)]
    rules = {finding.rule: context.rule(finding) for finding in sorted(broken, key=by_place)}
    return {
        name: {
            "title": rule.title,
            "severity": rule.severity.label,
            "confidence": rule.confidence.label,
            "secret_class": rule.secret_class,
            "vendor": rule.vendor,
            "why": rule.why,
            **dict(remedy(rule)),
            "source": rule.source,
        }
        for name, rule in sorted(rules.items())
    }


def _finding(finding: Finding, context: ReportContext) -> Json:
    place = finding.location
    more = {"since": finding.since, "resource": finding.resource}
    return {
        "rule": finding.rule,
        "title": context.rule(finding).title,
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "location": {
            **_path(place.path),
            "line": place.line,
            "column": place.column,
            "end_line": place.end_line,
            "end_column": place.end_column,
        },
        "preview": finding.preview,
        "context": finding.context,
        "detail": finding.detail,
        "id": finding.id,
        "fingerprint": finding.fingerprint,
        **{name: value._asdict() for name, value in more.items() if value},
    }


def _suppressed(item: Suppressed, context: ReportContext) -> Json:
    return {
        "finding": _finding(item.finding, context),
        "suppression": _entry(item.suppression),
    }


def _entry(item: Suppression) -> Json:
    return {
        "by": item.by,
        "where": str(item.location),
        "rule": item.rule,
        **_path(item.path),
        "reason": item.reason,
        "owner": item.owner,
        "until": item.until,
        "used": item.used,
    }


def _gap(gap: Gap) -> Json:
    return {"kind": gap.kind, **_path(gap.path), "reason": gap.reason}


def _skip(skip: Skip) -> Json:
    return {"kind": skip.kind, **_path(skip.path)}


def _note(note: Note) -> Json:
    return {"kind": note.kind, **_path(note.path), "line": note.line, "text": note.text}


def _live(live: Audited) -> Json:
    return {
        "since": text.moment(live.since) if live.since else None,
        "backends": map(_reach, sorted(live.reach, key=reach_order)),
        "changes": (change._asdict() for change in sorted(live.changes)),
        "classes": live.classes,
        "secrets": map(_status, sorted(live.secrets, key=status_order)),
    }


def _access(matrix: AccessMatrix) -> Json:
    return {
        "since": matrix.since,
        "rows": (row._asdict() | {"granted": [*row.granted]} for row in matrix.rows),
        "proposals": (proposal._asdict() for proposal in matrix.proposals),
        "changes": (change._asdict() for change in matrix.changes),
    }


def _reach(reach: Reach) -> Json:
    success = reach.last_success
    return {
        "backend": reach.backend,
        "kind": reach.kind,
        "read": reach.read,
        "known": reach.known,
        "unread": dict(sorted(reach.unread.items())),
        "last_success": text.moment(success) if success else None,
        "problem": reach.problem,
        "remedy": reach.remedy,
    }


def _status(status: Status) -> Json:
    """Ages and the limit in seconds."""
    due = text.moment(status.due) if status.due else None
    return status._asdict() | {"conditions": [*status.conditions], "due": due}


def _path(path: str) -> Json:
    """A path. If it is not valid Unicode, its percent-encoded bytes are added."""
    if text.storable(path) == path:
        return {"path": path}
    return {"path": path, "path_encoded": uris.relative(path)}
