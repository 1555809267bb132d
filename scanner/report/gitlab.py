"""GitLab's secret detection report, in version 15.2.1 of its schema.

Suppressed findings are left out, because GitLab would make a vulnerability of each. The optional
extract of the source is left out, because it would contain the value.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from scanner.model import Finding, Gap, Note, Outcome, RuleInfo
from scanner.report import json_writer, summary, text, uris
from scanner.report.interface import ReportContext, remedy, sentences
from scanner.report.order import by_place, gap_order, note_order

VERSION = "15.2.1"
_NAME, _DESCRIPTION, _SOLUTION = 255, 10_000, 7000  # characters; escaping may double them
_NO_COMMIT = "0000000"  # the value of GitLab's own analyzer for a scan without history
_IDS = uuid.UUID("5a4b1c52-9a5e-4d0c-8f0b-6e3a1c7d2f94")
_CWE = {
    "type": "cwe",
    "name": "CWE-798",
    "value": "798",
    "url": "https://cwe.mitre.org/data/definitions/798.html",
}
Json = dict[str, Any]


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """A vulnerability for each finding; gaps and notes are messages of the scan."""
    found = sorted(outcome.findings, key=by_place)
    document = {
        "version": VERSION,
        "scan": _scan(outcome, context),
        "vulnerabilities": (_vulnerability(finding, context) for finding in found),
    }
    return json_writer.pieces(document, lists=1)


def _scan(outcome: Outcome, context: ReportContext) -> Json:
    when = context.now.strftime("%Y-%m-%dT%H:%M:%S")
    tool = {
        "id": "keywatch",
        "name": "keywatch",
        "version": context.version,
        "vendor": {"name": "keywatch"},
    }
    return {
        "type": "secret_detection",
        "status": "success" if outcome.complete else "failure",
        "start_time": when,
        "end_time": when,
        "analyzer": tool,
        "scanner": tool,
        "messages": [*_messages(outcome, context)],
    }


def _messages(outcome: Outcome, context: ReportContext) -> Iterator[Json]:
    _, verdict = summary.verdict(outcome, context.fail_on)
    facts = [verdict, *summary.read(outcome), *summary.remarks(outcome)]
    yield _message("info", " · ".join(facts))
    for gap in sorted(outcome.gaps, key=gap_order):
        yield _message("warn", _unread(gap))
    for note in sorted(outcome.notes, key=note_order):
        yield _message("info", _noted(note))


def _message(level: str, words: str) -> Json:
    return {"level": level, "value": text.visible(words)}


def _unread(gap: Gap) -> str:
    return " ".join(filter(None, (f"Not checked, {gap.kind}:", gap.path, gap.reason)))


def _noted(note: Note) -> str:
    place = f"{note.path}:{note.line}" if note.line else note.path
    return " ".join(filter(None, (f"{note.kind}:", place, note.text)))


def _vulnerability(finding: Finding, context: ReportContext) -> Json:
    rule, place = context.rule(finding), finding.location
    description = " ".join([*sentences(finding, context), f"Id: {finding.id}."])
    solution = " ".join(words for _, words in remedy(rule))
    return {
        "id": str(uuid.uuid5(_IDS, text.storable(finding.fingerprint))),
        "name": text.shorten(text.visible(rule.title), _NAME),
        "description": text.for_markdown(text.shorten(description, _DESCRIPTION)),
        "severity": finding.severity.label.capitalize(),
        "solution": text.shorten(text.for_markdown(solution), _SOLUTION),
        "identifiers": [_identifier(finding.rule), *([_CWE] if rule.secret_class else [])],
        "links": _links(rule),
        "location": {
            "file": context.in_repository + place.path,
            "start_line": place.line,
            "end_line": place.end_line,
            "commit": {"sha": _commit(finding)},
        },
    }


def _commit(finding: Finding) -> str:
    """The commit of a finding that is only in the history: its line numbers refer to it."""
    since = finding.since
    return (since.commit if since and not since.present else "") or _NO_COMMIT


def _identifier(rule: str) -> Json:
    """GitLab requires a value, and a user's rule may have any id."""
    name = text.visible(rule) or "-"
    return {"type": "keywatch_rule_id", "name": f"keywatch rule {name}", "value": name}


def _links(rule: RuleInfo) -> list[Json]:
    """GitLab only accepts web addresses."""
    source = rule.source
    if not source.startswith("https://") or source == "https://":
        return []
    return [{"name": "Where the format is described", "url": uris.web(source)}]
