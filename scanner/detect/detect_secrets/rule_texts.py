"""Detect: read the texts about detect-secrets' findings from rules/detect-secrets.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scanner import document
from scanner.detect.detect_secrets.settings import PLUGINS
from scanner.model import Confidence, RuleInfo, Severity

FILE = "rules/detect-secrets.yaml"


def rule_id(kind: str) -> str:
    """Return the rule id of a type of detect-secrets: `ds-secret-keyword` for "Secret Keyword"."""
    return "ds-" + re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def infos(data: bytes) -> dict[str, RuleInfo]:
    """Return the texts of all 27 types by rule id. `data` is the content of the file."""
    raw = document.parse(data, FILE).data
    by_kind = {one["type"]: {**raw["defaults"], **one} for one in raw["rules"]}
    return {rule_id(kind): _info(by_kind[kind]) for kind in PLUGINS.values()}


def _info(raw: Mapping[str, Any]) -> RuleInfo:
    return RuleInfo(
        id=rule_id(raw["type"]),
        title=raw["title"],
        severity=Severity[raw["severity"].upper()],
        confidence=Confidence[raw["confidence"].upper()],
        secret_class=raw["class"],
        **{name: " ".join(raw[name].split()) for name in ("why", "revoke", "rotate", "purge")},
        source=raw["source"]["url"],
        source_date=raw["source"]["seen"],
        vendor=raw.get("vendor", "detect-secrets"),
    )
