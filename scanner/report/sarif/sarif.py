"""SARIF 2.1.0, in two profiles.

`github` is for GitHub code scanning, which makes an alert of every result, whatever its kind.
Therefore suppressed findings are left out and notes are notifications. Over GitHub's limits, the
most severe findings are kept and the run counts as incomplete. (Findings are not split into several
runs: the alerts of a run that is no longer uploaded would stay open forever.) `full` contains
everything: suppressed results with their reasons, and notes as informational results. Neither
contains a source line, a value or a hash of a value.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from scanner.model import Finding, Gap, Note, Outcome, RuleInfo, Suppressed
from scanner.project import REPOSITORY
from scanner.report import json_writer, text, uris
from scanner.report.interface import ReportContext, sentences
from scanner.report.order import by_place, gap_order, most_severe, note_order, suppressed_order
from scanner.report.sarif import rules as sarif_rules
from scanner.report.sarif.categories import categories

RESULTS, BYTES = (
    25_000,
    10_000_000,
)  # GitHub's limits: results of a run, and compressed bytes of a log
NOTICES = 1000  # of each kind
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_IN_SOURCE = frozenset({"comment", "pragma"})
Json = dict[str, Any]
Profile = Callable[[Outcome, ReportContext], Json]
Shown = tuple[Finding, Json]  # a finding, and the extra fields of its result
_NOT_SUPPRESSED: Json = {"suppressions": []}  # required in all results or in none (3.27.23)


def github(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """The profile for an upload to code scanning."""
    room = RESULTS
    while (size := _zipped(_upload(outcome, context, room))) > BYTES:
        room = room * BYTES // size * 9 // 10
    return _upload(outcome, context, room)


def full(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """The profile for archives and for readers that know suppressions and kinds."""
    return _log(outcome, context, _whole)


def _upload(outcome: Outcome, context: ReportContext, room: int) -> Iterator[str]:
    return _log(outcome, context, partial(_cut, room=room))


def _zipped(pieces: Iterable[str]) -> int:
    """The compressed size that GitHub's uploader would send, before base64."""
    gzip = zlib.compressobj()
    return sum(len(gzip.compress(piece.encode())) for piece in pieces) + len(gzip.flush())


def _log(outcome: Outcome, context: ReportContext, run: Profile) -> Iterator[str]:
    """A run for each category."""
    runs = [
        run(part, context) | {"automationDetails": {"id": f"keywatch/{name}/"}}
        for name, part in categories(outcome, context.analysis)
    ]
    return json_writer.pieces({"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}, lists=2)


def _cut(outcome: Outcome, context: ReportContext, room: int) -> Json:
    """A run with at most `room` results, and notices of each kind."""
    kept = sorted(sorted(outcome.findings, key=most_severe)[:room], key=by_place)
    gaps = sorted(outcome.gaps, key=gap_order)[: min(room, NOTICES)]
    notes = sorted(outcome.notes, key=note_order)[: min(room, NOTICES)]
    left_out = len(outcome.findings) - len(kept)
    hidden = {"finding": left_out, "gap": len(outcome.gaps) - len(gaps)}
    hidden["note"] = len(outcome.notes) - len(notes)
    notices = [*(_gap_notice(gap, context) for gap in gaps), *_left_out(hidden, context)]
    notices += [_note_notice(note, context) for note in notes]
    run = _run(outcome, context, [(finding, {}) for finding in kept], notices)
    if left_out:
        run["properties"] |= {"resultsLeftOut": left_out, "complete": False}
        run["invocations"][0]["executionSuccessful"] = False
    return run


def _whole(outcome: Outcome, context: ReportContext) -> Json:
    hidden = sorted(outcome.suppressed, key=suppressed_order)
    shown = [(finding, _NOT_SUPPRESSED) for finding in sorted(outcome.findings, key=by_place)]
    shown += [(item.finding, {"suppressions": [_suppression(item)]}) for item in hidden]
    gaps = sorted(outcome.gaps, key=gap_order)
    run = _run(outcome, context, shown, [_gap_notice(gap, context) for gap in gaps])
    rules = run["tool"]["driver"]["rules"]
    index = len(rules)
    notes = sorted(outcome.notes, key=note_order)
    told = (_note_result(note, index, context) | _NOT_SUPPRESSED for note in notes)
    run["results"] = chain(run["results"], told)
    if notes:
        rules.append(sarif_rules.of_notice("keywatch-note"))
    return run


def _run(
    outcome: Outcome, context: ReportContext, shown: Sequence[Shown], notices: list[Json]
) -> Json:
    """One run. Its results are made while they are written."""
    rules = _rules((finding for finding, _ in shown), context)
    index = {name: place for place, name in enumerate(rules)}
    invocation = {
        "executionSuccessful": outcome.complete,
        "startTimeUtc": text.moment(context.now),
        "toolExecutionNotifications": notices,
    }
    return {
        "tool": {"driver": _driver(rules, context)},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": (_result(finding, index, context) | more for finding, more in shown),
        "properties": _coverage(outcome),
    }


def _rules(findings: Iterable[Finding], context: ReportContext) -> dict[str, RuleInfo]:
    """The rules of the results. With all rules, the log of a clean run would have 400 kB."""
    return dict(sorted({finding.rule: context.rule(finding) for finding in findings}.items()))


def _driver(rules: Mapping[str, RuleInfo], context: ReportContext) -> Json:
    return {
        "name": "keywatch",
        "informationUri": REPOSITORY,
        "version": context.version,
        "semanticVersion": context.version,
        "rules": [sarif_rules.of_rule(name, rule) for name, rule in rules.items()],
        "notifications": [sarif_rules.of_notice(name) for name in sarif_rules.NOTICES],
    }


def _result(finding: Finding, index: Mapping[str, int], context: ReportContext) -> Json:
    result: Json = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": sarif_rules.LEVELS[finding.severity],
        "message": {"text": _message(finding, context)},
        "locations": [_location(finding, context)],
        "properties": {
            "id": finding.id,
            "severity": finding.severity.label,
            "confidence": finding.confidence.label,
            "preview": finding.preview,
            "context": finding.context,
            **_resource(finding),
            **({"since": finding.since._asdict()} if finding.since else {}),
        },
    }
    if finding.fingerprint:
        result["partialFingerprints"] = {
            "primaryLocationLineHash": finding.fingerprint,
            "keywatch/v1": finding.fingerprint,
        }
    return result


def _resource(finding: Finding) -> Json:
    """What `carried_forward.findings` needs to repeat a live result."""
    if not finding.resource:
        return {}
    return {"resource": finding.resource._asdict() | {"detail": finding.detail}}


def _message(finding: Finding, context: ReportContext) -> str:
    """GitHub shows only the first sentence, which says what was found."""
    return " ".join(map(text.for_sarif, sentences(finding, context)))


def _location(finding: Finding, context: ReportContext) -> Json:
    place = finding.location
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    physical = _physical(place.path, context, region)
    return physical | (_logical(finding.resource.id) if finding.resource else {})


def _physical(path: str, context: ReportContext, region: Json) -> Json:
    address = {"uri": uris.relative(context.in_repository + path)}
    physical = {"artifactLocation": address, **({"region": region} if region else {})}
    return {"physicalLocation": physical}


def _logical(resource: str) -> Json:
    named = {"fullyQualifiedName": text.storable(resource), "kind": "resource"}
    return {"logicalLocations": [named]}


def _suppression(item: Suppressed) -> Json:
    exception = item.suppression
    words = [exception.reason, f"by {exception.by}"]
    words += [f"at {exception.location}"] if exception.location.path else []
    words += [f"owner {exception.owner}"] if exception.owner else []
    words += [f"until {exception.until}"] if exception.until else []
    return {
        "kind": "inSource" if exception.by in _IN_SOURCE else "external",
        "status": "accepted",
        "justification": text.visible("; ".join(word for word in words if word)),
    }


def _gap_notice(gap: Gap, context: ReportContext) -> Json:
    words = f"Not checked, {text.for_sarif(gap.kind)}: {text.for_sarif(gap.reason)}"
    return _notice("keywatch-gap", "error", words, _whereabouts(gap.path, 0, context))


def _left_out(hidden: Mapping[str, int], context: ReportContext) -> list[Json]:
    counts = [text.count(number, noun) for noun, number in hidden.items() if number]
    if not counts:
        return []
    words = (
        f"{', '.join(counts)} left out, of the lowest severities: GitHub takes {RESULTS:,} results"
        f" and {BYTES // 10**6} MB, zipped. For all of them:"
        f" {text.for_sarif(context.command)} --report sarif-full=FILE"
    )
    return [_notice("keywatch-left-out", "error", words, {})]


def _note_notice(note: Note, context: ReportContext) -> Json:
    words = f"{text.for_sarif(note.kind)}: {text.for_sarif(note.text)}"
    return _notice("keywatch-note", "note", words, _whereabouts(note.path, note.line or 1, context))


def _notice(name: str, level: str, words: str, more: Json) -> Json:
    descriptor = {"id": name, "index": list(sarif_rules.NOTICES).index(name)}
    return {
        "descriptor": descriptor,
        "level": level,
        "message": {"text": text.ended(words)},
        **more,
    }


def _note_result(note: Note, index: int, context: ReportContext) -> Json:
    words = f"{text.for_sarif(note.kind)}: {text.for_sarif(note.text)}"
    return {
        "ruleId": "keywatch-note",
        "ruleIndex": index,
        "kind": "informational",
        "level": "none",
        "message": {"text": text.ended(words)},
        **_whereabouts(note.path, note.line or 1, context),
    }


def _whereabouts(path: str, line: int, context: ReportContext) -> Json:
    if not path:
        return {}
    if text.is_live(path):  # no file: a reader takes no physical place of another scheme
        return {"locations": [_logical(path)]}
    return {"locations": [_physical(path, context, {"startLine": line} if line else {})]}


def _access(outcome: Outcome) -> Json:
    """The access matrix, as properties of the run."""
    matrix = outcome.access
    if matrix is None:
        return {}
    rows = [row._asdict() | {"granted": [*row.granted]} for row in matrix.rows]
    changes = [change._asdict() for change in matrix.changes]
    return {"accessMatrix": rows, "accessChanges": changes}


def _coverage(outcome: Outcome) -> Json:
    hidden = Counter(item.suppression.by for item in outcome.suppressed)
    coverage = outcome.coverage
    return {
        "complete": outcome.complete,
        "files": coverage.files,
        "bytes": coverage.size,
        "skipped": dict(sorted(coverage.skipped.items())),
        "suppressed": dict(sorted(hidden.items())),
        **_access(outcome),
    }
