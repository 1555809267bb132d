"""CSV for spreadsheets. Cells that a spreadsheet would run as formulas stay text."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.model import Finding, Gap, Note, Outcome, Suppressed
from scanner.records import AccessChange, AccessRow, Audited, Status
from scanner.report import summary, text
from scanner.report.interface import ReportContext
from scanner.report.order import by_place, gap_order, note_order, status_order, suppressed_order

# `kind` is the rule of a finding, or the kind of another row. Ages are in seconds.
COLUMNS = (
    *("row", "severity", "confidence", "kind", "title", "path", "line", "column"),
    *("preview", "context", "detail", "id", "fingerprint", "secret", "owner", "runbook", "as_of"),
    *("excepted_by", "excepted_at", "reason", "excepted_until"),
    *("class", "verdict", "conditions", "youngest", "oldest", "limit", "due"),
    *("service", "role", "needed", "granted", "used", "rule", "rule_at"),
)
Row = dict[str, str]


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """A row for the run, then one for each finding, suppressed finding, gap and note.

    In an audit, also one for each live secret; in an access review, one for each row of the matrix
    and each change.
    """
    yield _line(dict(zip(COLUMNS, COLUMNS, strict=True)))
    yield from map(_line, _rows(outcome, context))


def _line(row: Row) -> str:
    cells = (row.get(column, "") for column in COLUMNS)
    return ",".join(text.for_csv(cell) if cell else '""' for cell in cells) + "\n"


def _rows(outcome: Outcome, context: ReportContext) -> Iterator[Row]:
    yield _run(outcome, context)
    for finding in sorted(outcome.findings, key=by_place):
        yield {"row": "finding"} | _finding(finding, context)
    for item in sorted(outcome.suppressed, key=suppressed_order):
        yield _suppressed(item, context)
    yield from map(_gap, sorted(outcome.gaps, key=gap_order))
    yield from map(_note, sorted(outcome.notes, key=note_order))
    yield from _live(outcome.live) if outcome.live else ()
    if outcome.access:
        yield from map(_access, outcome.access.rows)
        yield from map(_change, outcome.access.changes)


def _run(outcome: Outcome, context: ReportContext) -> Row:
    _, verdict = summary.verdict(outcome, context.fail_on)
    facts = [verdict, *summary.read(outcome), *summary.remarks(outcome)]
    return {"row": "run", "title": context.command, "detail": " · ".join(facts)}


def _finding(finding: Finding, context: ReportContext) -> Row:
    place, resource = finding.location, finding.resource
    row = {
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "kind": finding.rule,
        "title": context.rule(finding).title,
        "path": place.path,
        "line": str(place.line),
        "column": str(place.column),
        "preview": finding.preview,
        "context": finding.context,
        "detail": finding.detail,
        "id": finding.id,
        "fingerprint": finding.fingerprint,
    }
    if not resource:
        return row
    of = {"secret": resource.id, "owner": resource.owner, "runbook": resource.runbook}
    return row | of | {"as_of": resource.as_of}


def _suppressed(item: Suppressed, context: ReportContext) -> Row:
    exception = item.suppression
    row = {"row": "suppressed"} | _finding(item.finding, context)
    row["owner"] = exception.owner or row.get("owner", "")
    return row | {
        "excepted_by": exception.by,
        "excepted_at": str(exception.location),
        "reason": exception.reason,
        "excepted_until": exception.until,
    }


def _gap(gap: Gap) -> Row:
    return {"row": "gap", "kind": gap.kind, "path": gap.path, "detail": gap.reason}


def _note(note: Note) -> Row:
    line = str(note.line) if note.line else ""
    return {"row": "note", "kind": note.kind, "path": note.path, "line": line, "detail": note.text}


def _live(live: Audited) -> Iterator[Row]:
    return map(_status, sorted(live.secrets, key=status_order))


def _status(status: Status) -> Row:
    return {
        "row": "secret",
        "kind": status.kind,
        "detail": status.field,
        "secret": status.id,
        "owner": status.owner,
        "class": status.secret_class,
        "verdict": status.verdict,
        "conditions": ", ".join(status.conditions),
        "youngest": _number(status.youngest),
        "oldest": _number(status.oldest),
        "limit": _number(status.limit),
        "due": text.moment(status.due) if status.due else "",
    }


def _access(row: AccessRow) -> Row:
    return {
        "row": "access",
        "service": row.service,
        "role": row.role,
        "secret": row.secret,
        "class": row.secret_class,
        "needed": "yes" if row.needed else "no",
        "granted": ", ".join(row.granted),
        "used": row.used or "not known",
        "verdict": row.verdict,
        "rule": row.rule,
        "rule_at": row.where,
    }


def _change(change: AccessChange) -> Row:
    return {
        "row": "access-change",
        "kind": change.how,
        "service": change.service,
        "secret": change.secret,
        "detail": f"{change.before or '-'} -> {change.after or '-'}",
    }


def _number(seconds: int | None) -> str:
    return "" if seconds is None else str(seconds)
