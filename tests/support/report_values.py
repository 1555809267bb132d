"""Outcomes and contexts that the tests of reports share. Made up; every value is masked."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from scanner.model import (
    Confidence,
    Coverage,
    DetectSecretsMatch,
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
from scanner.report.interface import ReportContext

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
CLASS = "api-key"
PURGE = "Take it out of the file and out of the history."
HASH = hashlib.sha1(
    b"a detect-secrets hash that no report shows", usedforsecurity=False
).hexdigest()
TAG = 54321


def rule(name: str, severity: Severity = Severity.HIGH, **more: Any) -> RuleInfo:
    words: dict[str, Any] = {
        "title": f"Credential of {name}",
        "confidence": Confidence.HIGH,
        "secret_class": CLASS,
        "why": f"Whoever holds it acts as the owner of {name}.",
        "revoke": f"Delete it at {name}.",
        "rotate": f"Make a new one at {name}.",
        "purge": PURGE,
        "source": f"https://{name}.invalid/formats?id=1#tokens",
    }
    return RuleInfo(id=name, severity=severity, **words | more)


RULES = {
    name: rule(name, severity)
    for name, severity in (
        ("acme-token", Severity.CRITICAL),
        ("bolt-key", Severity.HIGH),
        ("cord-hook", Severity.MEDIUM),
        ("dune-id", Severity.LOW),
    )
}


def finding(
    name: str = "acme-token", path: str = "src/app.py", line: int = 1, **more: Any
) -> Finding:
    known = RULES.get(name) or rule(name)
    words: dict[str, Any] = {
        "location": Location(path=path, line=line, column=7, end_line=line, end_column=47),
        "severity": known.severity,
        "confidence": known.confidence,
        "preview": "acme_…x9",
        "context": "API_KEY",
        "fingerprint": hashlib.sha256(f"{name} {path!r} {line}".encode()).hexdigest(),
        "tag": TAG,
        "detect_secrets": (
            DetectSecretsMatch(kind="Secret Keyword", hashed_secret=HASH, line=line),
        ),
    }
    return Finding(rule=name, **words | more)


def suppressed(by: str, where: str, line: int, **more: Any) -> Suppressed:
    return Suppressed(
        finding=finding("bolt-key", "old.py", line),
        suppression=Suppression(
            by=by, location=Location.parse(where), rule="bolt-key", path="old.py", **more
        ),
    )


def outcome(*findings: Finding, **more: Any) -> Outcome:
    coverage = Coverage(files=214, size=3_412_345, skipped={"binary": 5, "excluded": 2})
    return Outcome(findings=findings, **{"coverage": coverage} | more)


def eventful() -> Outcome:
    """One of everything that a report can hold."""
    hidden = (
        suppressed("entry", "keywatch.yaml:9", 1, reason="a test", owner="@qa", until="2027-06-30"),
        suppressed("comment", "old.py:2", 2, reason="rotated", owner="@dev", until="2027-03-01"),
        suppressed("baseline", ".keywatch.baseline:3", 3),
        suppressed("pragma", "old.py:4", 4),
    )
    return outcome(
        finding("acme-token", "src/app.py", 3, detail="found in a base64 layer"),
        finding("bolt-key", "src/app.py", 1),
        finding("dune-id", "lib/a.py", 9),
        suppressed=hidden,
        gaps=(Gap(kind="unreadable", path="secrets/prod.yaml", reason="Permission denied"),),
        skips=(Skip(kind="binary", path="logo.png"), Skip(kind="excluded", path="third_party/x")),
        notes=(
            Note(kind="structure", path="chart.yaml", line=3, text="No valid YAML"),
            Note(kind="below-confidence", path="", text="2 findings are left out"),
        ),
        register=(
            *(item.suppression for item in hidden),
            Suppression(
                by="rule-disabled", location=Location.parse("keywatch.yaml:4"), rule="cord-hook"
            ),
            Suppression(
                by="pragma", location=Location.parse("lib/b.py:7"), path="lib/b.py", used=False
            ),
        ),
    )


def context(**more: Any) -> ReportContext:
    words: dict[str, Any] = {"rules": RULES, "now": NOW, "version": "0.1.0"}
    return ReportContext(**words | more)
