"""Write entries for people and other tools: JSON, CSV, and OSCAL assessment results (1.2.1)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from scanner import __version__
from scanner.evidence.controls import FAILED, NOT_TESTED, Assessed, Period
from scanner.evidence.ledger import Head
from scanner.report import text

FORMATS = ("json", "csv", "oscal")
OSCAL = "1.2.1"
_SPACE = uuid.UUID("a2a7d5c0-3f5d-5b43-9d0e-6b6579776174")  # of the UUIDs that keywatch makes
_COLUMNS = (
    *("number", "at", "kind", "writer", "complete", "row", "id", "rule", "severity", "secret"),
    *("class", "owner", "verdict", "conditions", "due", "detail", "hash"),
)
_NONE = "urn:keywatch:no-plan"
Json = dict[str, Any]
Entry = Mapping[str, Any]


def as_json(entries: Iterable[Entry]) -> Iterator[str]:
    """One list, with one entry on each line."""
    separator = "[\n"
    for entry in entries:
        yield separator + json.dumps(entry)
        separator = ",\n"
    yield "\n]\n" if separator != "[\n" else "[]\n"


def as_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """A row for each entry, and one for each of its findings, gaps, exceptions and secrets."""
    yield ",".join(_COLUMNS) + "\n"
    for entry in entries:
        common = {key: str(entry[key]) for key in ("number", "at", "kind", "writer", "hash")}
        for row in _rows(entry):
            cells = common | row
            yield ",".join(text.for_csv(cells.get(name, "")) for name in _COLUMNS) + "\n"


def _rows(entry: Entry) -> Iterator[dict[str, str]]:
    data = entry["data"]
    complete = {"complete": str(data["complete"]).lower()} if "complete" in data else {}
    yield {"row": "entry", **complete, "detail": said(entry)}
    for item in data.get("findings", ()):
        keys = ("id", "rule", "severity", "secret", "owner", "detail")
        yield {"row": "finding", **{key: str(item.get(key, "")) for key in keys}}
    for item in data.get("gaps", ()):
        yield {"row": "gap", "id": item["path"], "rule": item["kind"], "detail": item["reason"]}
    for item in data.get("exceptions", ()):
        detail = f"{item['reason']} until {item['until']}" if item["until"] else item["reason"]
        more = {"rule": item["rule"], "owner": item["owner"], "detail": detail}
        yield {"row": "exception", "id": item["where"], **more}
    secrets = data.get("secrets", ())
    for item in secrets if entry["kind"] == "audit" else ():
        yield {
            "row": "secret",
            "secret": item["id"],
            "conditions": ", ".join(item["conditions"]),
            "due": item["due"] or "",
            **{key: item[key] for key in ("class", "owner", "verdict")},
        }


def said(entry: Entry) -> str:
    """An entry in one line."""
    data, kind = entry["data"], entry["kind"]
    if kind == "attestation":
        return f"{data['by']} states on {data['about']}: {data['statement']}"
    if kind == "rotation":
        return f"{data['secret']}: its rotation ended as {data['result']}, {data['reason']}"
    if kind == "damage":
        return f"{data['bytes']} bytes of an unfinished line were moved to {data['moved_to']}"
    if "summary" not in data:
        return str(kind)
    counts = data["summary"]["findings"]
    found = ", ".join(f"{number} {level}" for level, number in counts.items() if number)
    parts = [data["subject"], found or "no findings"]
    if "backends" in data:
        read = sum(each["read"] for each in data["backends"])
        parts.append(text.count(read, "live secret"))
    if data["gaps"]:
        parts.append(f"INCOMPLETE: {text.count(len(data['gaps']), 'gap')}")
    return ", ".join(parts)


def as_oscal(
    assessed: Sequence[Assessed],
    entries: Iterable[Entry],
    head: Head,
    period: Period,
    now: datetime,
) -> Iterator[str]:
    """OSCAL assessment results: one observation for each entry, one finding for each control.

    The same ledger, period and time give the same UUIDs.
    """
    wanted = {number for each in assessed for number in each.entries}
    seed = f"{head.hash} {period.start} {period.end}"
    observations = [
        _observation(entry, seed)
        for entry in entries
        if entry["number"] in wanted and period.has(entry)
    ]
    result: Json = {
        "uuid": _uuid(seed, "result"),
        "title": "Secrets management",
        "description": f"Entries of the ledger with head {head.hash} (number {head.number}).",
        "start": _moment(period.start),
        "end": _moment(period.end),
        "reviewed-controls": {
            "control-selections": [
                {
                    "include-controls": [
                        {"control-id": name}
                        for name in dict.fromkeys(each.control.oscal for each in assessed)
                    ]
                }
            ]
        },
        "findings": [_finding(each, seed) for each in assessed],
    }
    if observations:
        result["observations"] = observations
    document = {
        "assessment-results": {
            "uuid": _uuid(seed, "document"),
            "metadata": {
                "title": "keywatch evidence",
                "last-modified": _moment(now),
                "version": f"{head.number}",
                "oscal-version": OSCAL,
                "remarks": f"Written by keywatch {__version__}.",
            },
            "import-ap": {"href": _NONE, "remarks": "There is no assessment plan in OSCAL."},
            "results": [result],
        }
    }
    yield json.dumps(document, indent=2) + "\n"


def _observation(entry: Entry, seed: str) -> Json:
    return {
        "uuid": _uuid(seed, f"entry {entry['number']}"),
        "title": f"Ledger entry {entry['number']}: {entry['kind']}",
        "description": said(entry),
        "methods": ["INTERVIEW" if entry["kind"] == "attestation" else "TEST"],
        "types": ["control-objective"],
        "collected": entry["at"],
        "relevant-evidence": [
            {"href": f"#{entry['hash']}", "description": f"SHA-256 of the entry: {entry['hash']}"}
        ],
    }


def _finding(assessed: Assessed, seed: str) -> Json:
    control = assessed.control
    reasons = {FAILED: "fail", NOT_TESTED: "other"}
    satisfied = "not-satisfied" if assessed.result in reasons else "satisfied"
    finding: Json = {
        "uuid": _uuid(seed, control.id),
        "title": f"{control.framework} {control.control}: {assessed.result}",
        "description": f"{control.shows} {assessed.why[0].upper()}{assessed.why[1:]}.",
        "target": {
            "type": "objective-id",
            "target-id": control.oscal,
            "status": {"state": satisfied, "reason": reasons.get(assessed.result, "pass")},
        },
    }
    if assessed.entries:
        finding["related-observations"] = [
            {"observation-uuid": _uuid(seed, f"entry {number}")} for number in assessed.entries
        ]
    return finding


def _uuid(seed: str, name: str) -> str:
    """Version 5: derived from the ledger, so that an export can be repeated."""
    return str(uuid.uuid5(_SPACE, f"{seed} {name}"))


def _moment(when: datetime) -> str:
    return text.moment(when)
