"""Made-up observations for the tests of policy/: what detection would hand over."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from scanner.model import (
    AllowComment,
    CommentKind,
    Confidence,
    DetectSecretsMatch,
    Finding,
    Location,
    Note,
    Observation,
    Outcome,
    Severity,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = "2027-03-31"
PAST = "2026-11-23"


def finding(
    value: str = "a", *, line: int = 1, column: int = 1, lines: int = 1, **fields: Any
) -> Finding:
    """A finding of the value `value`; an empty one is a finding without a value."""
    place = Location(path="app.py", line=line, column=column, end_line=line + lines - 1)
    digest = hashlib.sha256(value.encode()).hexdigest()
    standard: dict[str, Any] = {
        "rule": "generic-password",
        "context": "password",
        "severity": Severity.HIGH,
        "confidence": Confidence.HIGH,
        "tag": int(digest[:4], 16) if value else None,
    }
    return Finding(location=place, **standard | fields)


def seen(
    *findings: Finding, path: str = "app.py", comments: tuple[AllowComment, ...] = ()
) -> Observation:
    """One file's observation, its findings numbered as the engine numbers them."""
    numbers: Counter[tuple[str, str]] = Counter()
    out = []
    for each in findings:
        key = (each.rule, each.context)
        identity = f"{each.rule}/{path}/{each.context}/{numbers[key]}"
        print_ = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32]
        place = each.location._replace(path=path)
        out.append(each._replace(location=place, ordinal=numbers[key], fingerprint=print_))
        numbers[key] += 1
    return Observation(path=path, size=100, findings=tuple(out), comments=comments)


def comment(covers: int = 1, **fields: Any) -> AllowComment:
    standard: dict[str, Any] = {
        "path": "app.py",
        "line": covers,
        "kind": CommentKind.KEYWATCH,
        "rule": "generic-password",
        "reason": "test data",
        "owner": "@team",
        "until": LATER,
    }
    return AllowComment(covers=covers, **standard | fields)


def pragma(covers: int = 1, *, path: str = "app.py", line: int = 0) -> AllowComment:
    return AllowComment(
        path=path, line=line or covers, covers=covers, kind=CommentKind.DETECT_SECRETS
    )


def match(value: str, *, kind: str = "Secret Keyword", line: int = 1) -> DetectSecretsMatch:
    hashed = hashlib.sha1(value.encode()).hexdigest()
    return DetectSecretsMatch(kind=kind, hashed_secret=hashed, line=line)


def found(outcome: Outcome) -> list[tuple[str, int]]:
    """(rule, line) of each finding that stands."""
    return [(each.rule, each.location.line) for each in outcome.findings]


def covered(outcome: Outcome) -> list[tuple[str, int]]:
    """(by, line) of each finding that something covers."""
    return [(each.suppression.by, each.finding.location.line) for each in outcome.suppressed]


def kinds(notes: Iterable[Note]) -> list[str]:
    return [note.kind for note in notes]
