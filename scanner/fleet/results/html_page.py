"""The HTML report of a fleet: its repositories, and each value at its worst place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scanner import files
from scanner.fleet.results.overview import NO_CLASS, Overview
from scanner.fleet.state import Found, State
from scanner.model import (
    Appearance,
    Confidence,
    Coverage,
    Finding,
    Location,
    Outcome,
    RuleInfo,
    Severity,
)
from scanner.report import formats
from scanner.report.html.overview import EarlierRuns, RepositoryRow, RunNumbers
from scanner.report.interface import ReportContext


def write(path: str, state: State, overview: Overview, context: ReportContext) -> None:
    """Write the page. All findings are in memory at once, unlike in the other results.

    OutputError if it cannot be written; UsageError if the library for it is missing.
    """
    values = [max(places, key=_rank) for places in state.values()]
    classes: dict[str, Counter[str]] = {}
    oldest: dict[str, str] = {}
    for found in values:
        name, row = found.repository, found.row
        classes.setdefault(name, Counter())[row.secret_class or NO_CLASS] += 1
        oldest[name] = min(oldest.get(name, row.date) or row.date, row.date or "9")
    outcome = Outcome(
        findings=tuple(map(_finding, values)),
        gaps=tuple(overview.gaps),
        coverage=Coverage(*state.work()),
    )
    shown = context._replace(
        root=f"{len(overview.repositories):,} repositories",
        analysis="fleet",
        rules={found.row.rule: _info(found, context) for found in values},
        repositories=tuple(
            RepositoryRow(
                team=each.team,
                name=each.name,
                findings={level: each.levels.get(level.label, 0) for level in Severity},
                classes=classes.get(each.name, {}),
                oldest=_age(oldest.get(each.name, ""), overview.now),
                gaps=each.gaps,
            )
            for each in overview.repositories
        ),
        earlier=EarlierRuns(runs=tuple(map(_run, overview.trend))),
    )
    pieces = formats.reporter("html")(outcome, shown)
    data = (piece.encode(errors="backslashreplace") for piece in pieces)
    files.write_pieces(path, data, mode=files.PRIVATE)


def _rank(found: Found) -> tuple[int, int]:
    return found.row.severity, found.row.confidence


def _finding(found: Found) -> Finding:
    row = found.row
    place = f"{found.repository}/{row.path}"
    return Finding(
        rule=row.rule,
        location=Location(place, row.line, row.column, row.line, row.column),
        severity=Severity(row.severity),
        confidence=Confidence(row.confidence),
        preview=row.preview,
        context=row.context,
        detail=row.detail,
        fingerprint=row.fingerprint,
        since=Appearance(commit=row.commit, author=row.author, date=row.date, present=row.present),
    )


def _info(found: Found, context: ReportContext) -> RuleInfo:
    row = found.row
    return context.rules.get(row.rule) or RuleInfo(
        id=row.rule,
        title=row.title,
        severity=Severity(row.severity),
        confidence=Confidence(row.confidence),
        secret_class=row.secret_class,
    )


def _age(date: str, now: datetime) -> int | None:
    """The seconds since a day or a moment, None if it is unknown."""
    try:
        since = datetime.fromisoformat(date)
    except ValueError:
        return None
    since = since if since.tzinfo else since.replace(tzinfo=now.tzinfo)
    return max(0, int((now - since).total_seconds()))


def _run(summary: Mapping[str, Any]) -> RunNumbers:
    counts = summary["severities"]
    return RunNumbers(
        at=datetime.fromisoformat(str(summary["at"])),
        is_complete=bool(summary["complete"]),
        findings={level: int(counts.get(level.label, 0)) for level in Severity},
    )
