"""What an entry of the ledger says. Names and texts are masked before they get here.

Kinds of entries: `audit`, `scan`, `policy-check` and others for a run, `attestation` for what a
person states, `rotation` for a rotation, `alert-state` for alerts, `damage` for a repaired crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from scanner.masking import masked
from scanner.model import Finding, Outcome
from scanner.records import Audited, Reach, Status, ValueMark
from scanner.report import text
from scanner.report.interface import ReportContext
from scanner.report.json import counts

Json = dict[str, Any]
ABOUT = ("rotation", "access-review", "control")
"""What an attestation can be about."""


def of_run(
    outcome: Outcome,
    context: ReportContext,
    policy: Mapping[str, str],
    marks: Mapping[str, ValueMark],
) -> tuple[str, Json]:
    """Kind and data of the entry for a judged run.

    `policy` holds the SHA-256 of each policy file by name; it is empty for a saved report, which
    does not contain them. `marks` are those of values whose store gives no date.
    """
    data: Json = {
        "subject": text.storable(context.root),
        "ran_at": text.moment(context.now),
        "ran_by": context.version,
        "policy": dict(sorted(policy.items())),
        "complete": outcome.complete,
        "summary": counts(outcome),
        "files": outcome.coverage.files,
        "findings": [_finding(each) for each in outcome.findings],
        "gaps": [
            {"kind": each.kind, "path": text.storable(each.path), "reason": each.reason}
            for each in outcome.gaps
        ],
        "exceptions": _exceptions(outcome),
    }
    if outcome.live:
        data |= _live(outcome.live)
    if marks:
        data["marks"] = {name: _mark(each) for name, each in sorted(marks.items())}
    return context.analysis, data


def _finding(finding: Finding) -> Json:
    item: Json = {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity.label,
        "where": text.storable(str(finding.location)),
        "detail": text.storable(finding.detail),
    }
    if finding.resource:
        item |= {"secret": finding.resource.id, "owner": finding.resource.owner}
    return item


def _exceptions(outcome: Outcome) -> list[Json]:
    """Those that suppressed a finding, and all others that are in force."""
    used = [item.suppression for item in outcome.suppressed]
    unique = dict.fromkeys((*outcome.register, *used))
    return [
        {
            "by": each.by,
            "where": text.storable(str(each.location)),
            "rule": each.rule,
            "reason": each.reason,
            "owner": each.owner,
            "until": each.until,
        }
        for each in unique
    ]


def _live(live: Audited) -> Json:
    return {
        "backends": [_reach(each) for each in live.reach],
        **({"classes": [*live.classes]} if live.classes else {}),
        "secrets": [_status(each) for each in live.secrets],
    }


def _reach(reach: Reach) -> Json:
    return {
        "backend": reach.backend,
        "kind": reach.kind,
        "read": reach.read,
        "known": reach.known,
        "unread": dict(reach.unread),
    }


def _status(status: Status) -> Json:
    return {
        "id": status.id,
        "class": status.secret_class,
        "owner": status.owner,
        "verdict": status.verdict,
        "conditions": [*status.conditions],
        "due": text.moment(status.due) if status.due else None,
        "youngest": status.youngest,
        "oldest": status.oldest,
        "limit": status.limit,
        "field": status.field,
    }


def _mark(mark: ValueMark) -> Json:
    return {
        "mark": mark.mark,
        "after": text.moment(mark.after) if mark.after else None,
        "by": text.moment(mark.by),
        "last": text.moment(mark.last),
    }


def attestation(  # noqa: PLR0913 - the parts of a statement
    *,
    by: str,
    about: str,
    statement: str,
    when: datetime,
    secrets: Iterable[str] = (),
    control: str = "",
) -> tuple[str, Json]:
    """What a named person states. `when` is the time that the statement is about."""
    data = {
        "by": masked(by),
        "about": about,
        "statement": masked(statement),
        "when": text.moment(when),
        "secrets": [masked(each) for each in secrets],
        "control": control,
    }
    return "attestation", data


def rotation(record: Mapping[str, Any]) -> tuple[str, Json]:
    """A rotation that ended: the record that `keywatch rotate` writes for it."""
    free_text = {key: masked(record[key]) for key in ("secret", "who", "reason")}
    return "rotation", {**record, **free_text}
