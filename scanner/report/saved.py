"""Read a JSON report back as an outcome and a context.

Reports that are made from these are the same, byte for byte, as those of the run itself. The file
may come from anywhere: the type of each field is checked, and the lists must match the counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from scanner.errors import ConfigError
from scanner.model import (
    Acceptance,
    Appearance,
    Confidence,
    Coverage,
    FailOn,
    Finding,
    Gap,
    Location,
    Note,
    Outcome,
    RuleInfo,
    Severity,
    Skip,
    Suppressed,
    Suppression,
)
from scanner.records import (
    AccessChange,
    AccessMatrix,
    AccessRow,
    Audited,
    Change,
    Proposal,
    Reach,
    Resource,
    Status,
)
from scanner.report import uris
from scanner.report.interface import ReportContext
from scanner.report.json import SCHEMA_VERSION, counts

_MOST = 2**63
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
_STATUS = ("id", "backend", "kind", "secret_class", "owner", "verdict", "field", "strength")
_EXCEPTION = ("by", "rule", "reason", "owner", "until")
_WORDS = ("title", "secret_class", "vendor", "why", "source")
_STEPS = ("fix", "revoke", "rotate", "purge")


def read(data: bytes, where: str) -> tuple[Outcome, ReportContext]:
    """Parse the report in `data`. ConfigError if it is not a complete report of keywatch."""
    document = _document(data, where)
    try:
        outcome, context = _outcome(document), _context(document)
        whole = document["summary"] == counts(outcome)
    except _BROKEN:
        whole = False
    if not whole or document["complete"] is not outcome.complete:
        raise ConfigError(
            f"{where} is not a complete report of keywatch",
            why="it was changed: its lists do not match its counts",
            todo="run keywatch again to write it",
        )
    return outcome, context


def _document(data: bytes, where: str) -> Any:
    """The JSON object. ConfigError for another version or another file."""
    todo = "name the file that `--report json=FILE` wrote"
    try:
        document = json.loads(data)
        version, name = document["schema_version"], document["tool"]["name"]
    except json.JSONDecodeError as error:
        at = f"{where}:{error.lineno}"
        raise ConfigError(f"{where} is not JSON, or was cut off", where=at, todo=todo) from None
    except _BROKEN:
        version, name = None, None
    if name != "keywatch" or not isinstance(version, int):
        raise ConfigError(f"{where} is not a JSON report of keywatch", todo=todo)
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"{where} is a report of version {version}",
            why=f"this keywatch reads version {SCHEMA_VERSION}",
            todo="use the release of keywatch that wrote it, or a newer one",
        )
    return document


def _context(document: Any) -> ReportContext:
    rules = {_text(name): _rule(name, item) for name, item in document["rules"].items()}
    return ReportContext(
        rules=rules,
        now=_time(document["generated_at"]),
        version=_text(document["tool"]["version"]),
        root=_text(document["root"]),
        command=_text(document["command"]),
        fail_on=FailOn(
            severity=_severity(document["fail_on"]),
            confidence=Confidence[document.get("fail_on_confidence", "low").upper()],
        ),
        acceptance=Acceptance(document.get("acceptance", "allow")),
        open_from=_text(document["open_from"]),
        analysis=_text(document["analysis"]),
    )


def _rule(name: str, item: Any) -> RuleInfo:
    return RuleInfo(
        id=name,
        severity=_severity(item["severity"]),
        confidence=Confidence[item["confidence"].upper()],
        **{key: _text(item[key]) for key in _WORDS},
        **{key: _text(item.get(key, "")) for key in _STEPS},
    )


def _outcome(document: Any) -> Outcome:
    coverage = document["coverage"]
    return Outcome(
        findings=tuple(map(_finding, document["findings"])),
        suppressed=tuple(map(_suppressed, document["suppressed"])),
        gaps=tuple(
            Gap(kind=_text(each["kind"]), path=_path(each), reason=_text(each["reason"]))
            for each in document["gaps"]
        ),
        skips=tuple(Skip(kind=_text(each["kind"]), path=_path(each)) for each in document["skips"]),
        notes=tuple(map(_note, document["notes"])),
        register=tuple(map(_exception, document["register"])),
        coverage=Coverage(
            files=_number(coverage["files"]),
            size=_number(coverage["bytes"]),
            skipped=_numbers(coverage["skipped"]),
        ),
        live=_live(document["live"]) if "live" in document else None,
        access=_access(document["access"]) if "access" in document else None,
    )


def _finding(item: Any) -> Finding:
    resource, since = item.get("resource"), item.get("since")
    return Finding(
        rule=_text(item["rule"]),
        location=_location(item["location"]),
        severity=_severity(item["severity"]),
        confidence=Confidence[item["confidence"].upper()],
        preview=_text(item["preview"]),
        context=_text(item["context"]),
        fingerprint=_text(item["fingerprint"]),
        detail=_text(item["detail"]),
        resource=Resource(**_texts(resource, Resource._fields)) if resource else None,
        since=_since(since) if since else None,
    )


def _since(item: Any) -> Appearance:
    texts = _texts(item, ("commit", "author", "date"))
    return Appearance(present=item["present"] is True, **texts)


def _location(item: Any) -> Location:
    span = (_number(item[name]) for name in ("line", "column", "end_line", "end_column"))
    return Location(_path(item), *span)


def _suppressed(item: Any) -> Suppressed:
    return Suppressed(_finding(item["finding"]), _exception(item["suppression"]))


def _exception(item: Any) -> Suppression:
    return Suppression(
        location=Location.parse(_text(item["where"])),
        path=_path(item),
        used=item["used"] is True,
        **_texts(item, _EXCEPTION),
    )


def _note(item: Any) -> Note:
    return Note(path=_path(item), line=_number(item["line"]), **_texts(item, ("kind", "text")))


def _live(item: Any) -> Audited:
    return Audited(
        secrets=tuple(map(_status, item["secrets"])),
        reach=tuple(map(_reach, item["backends"])),
        changes=tuple(map(_change, item["changes"])),
        since=_moment(item["since"]),
        classes=tuple(map(_text, item.get("classes", ()))),
    )


_ACCESS = ("service", "role", "secret", "secret_class", "used", "rule", "where", "verdict")


def _access(item: Any) -> AccessMatrix:
    return AccessMatrix(
        since=_text(item["since"]),
        rows=tuple(
            AccessRow(
                needed=row["needed"] is True,
                granted=tuple(map(_text, row["granted"])),
                **_texts(row, _ACCESS),
            )
            for row in item["rows"]
        ),
        proposals=tuple(Proposal(**_texts(one, Proposal._fields)) for one in item["proposals"]),
        changes=tuple(AccessChange(**_texts(one, AccessChange._fields)) for one in item["changes"]),
    )


def _status(item: Any) -> Status:
    return Status(
        conditions=tuple(map(_text, item["conditions"])),
        youngest=_seconds(item["youngest"]),
        oldest=_seconds(item["oldest"]),
        limit=_seconds(item["limit"]),
        grace=_seconds(item.get("grace")),
        due=_moment(item["due"]),
        **_texts(item, _STATUS),
    )


def _reach(item: Any) -> Reach:
    return Reach(
        read=_number(item["read"]),
        known=_number(item["known"]),
        unread=_numbers(item["unread"]),
        last_success=_moment(item["last_success"]),
        problem=_text(item.get("problem", "")),
        remedy=_text(item.get("remedy", "")),
        **_texts(item, ("backend", "kind")),
    )


def _change(item: Any) -> Change:
    change = Change(**_texts(item, Change._fields))
    if change.how not in ("new", "worse", "better", "gone"):
        raise ValueError
    return change


def _path(item: Any) -> str:
    """The exact path, even if it is not valid Unicode."""
    shown = _text(item["path"])
    if "path_encoded" not in item:
        return shown
    return uris.path(_text(item["path_encoded"]))


def _texts(item: Any, keys: Iterable[str]) -> dict[str, str]:
    return {key: _text(item[key]) for key in keys}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST:
        raise TypeError
    return value


def _seconds(value: Any) -> int | None:
    return None if value is None else _number(value)


def _numbers(item: Any) -> Mapping[str, int]:
    return {_text(name): _number(value) for name, value in item.items()}


def _severity(label: Any) -> Severity:
    return Severity[label.upper()]


def _moment(value: Any) -> datetime | None:
    return None if value is None else _time(value)


def _time(value: Any) -> datetime:
    """A time with a time zone, between 1971 and 8999. ValueError for any other."""
    when = datetime.fromisoformat(value)
    if when.tzinfo is None or not 1970 < when.year < 9000:
        raise ValueError
    return when
