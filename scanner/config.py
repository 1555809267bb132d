"""keywatch.yaml -> a frozen Config, checked by rules/schema/keywatch.schema.json.

Stands between cli/ and the columns. A checked file is cached under the hash of its bytes, so that a
hook with a warm cache parses no YAML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import scanner
from scanner import cache, document
from scanner.model import Confidence, Severity
from scanner.policy.allow import AllowEntry
from scanner.policy.gaps import AcceptedGap
from scanner.policy.pragmas import LegacyPragmas

NAME = "keywatch.yaml"

_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the repository asks for. None where it says nothing and the verb decides.

    """

    exclude: tuple[str, ...] = ()
    max_file_size: int = 20_000_000
    fail_on: Severity = Severity.LOW
    min_confidence: Confidence | None = None
    legacy_pragmas: LegacyPragmas = LegacyPragmas.WARN
    detect_secrets: str | None = None
    disable_rules: tuple[str, ...] = ()
    allow: tuple[AllowEntry, ...] = ()
    accept_gaps: tuple[AcceptedGap, ...] = ()
    has_rules: bool = False


def load(data: bytes | None, where: str, cache_folder: str | None) -> Config:
    """The Config of a keywatch.yaml; the defaults where there is none. ConfigError with the line."""
    if data is None:
        return Config()
    if cache_folder is None:
        return _config(json.loads(_checked(data, where)))
    key = cache.digest(scanner.__version__.encode() + b"\0" + where.encode() + b"\0" + data).hex()
    name = f"config-{key[:32]}.json"
    return _config(json.loads(cache.cached(name, lambda: _checked(data, where), cache_folder)))


def _checked(data: bytes, where: str) -> bytes:
    """The document as JSON, each exception with the place where it stands."""
    parsed = document.parse(data, where)
    document.check(parsed, "keywatch.schema.json")
    for section in ("allow", "accept_gaps"):
        for index, item in enumerate(parsed.data.get(section, ())):
            field = (section, index, "until")
            try:
                date.fromisoformat(item["until"])
            except ValueError:
                raise parsed.error(field, f"{section}: until is not a day of the calendar") from None
            item["where"] = parsed.at((section, index))
    return json.dumps(parsed.data).encode()


def _config(data: Mapping[str, Any]) -> Config:
    scan = data.get("scan", {})
    confidence = scan.get("min_confidence")
    return Config(
        exclude=tuple(scan.get("exclude", ())),
        max_file_size=_size(scan.get("max_file_size", "20MB")),
        fail_on=Severity[scan.get("fail_on", "low").upper()],
        min_confidence=Confidence[confidence.upper()] if confidence else None,
        legacy_pragmas=LegacyPragmas(scan.get("legacy_pragmas", "warn")),
        detect_secrets=scan.get("detect_secrets"),
        disable_rules=tuple(scan.get("disable_rules", ())),
        allow=tuple(map(_entry, data.get("allow", ()))),
        accept_gaps=tuple(AcceptedGap(**item) for item in data.get("accept_gaps", ())),
        has_rules=bool(data.get("rules")),
    )


def _entry(item: dict[str, Any]) -> AllowEntry:
    tag = item.pop("tag", None)
    return AllowEntry(**item, tag=int(tag, 16) if tag else None)


def _size(text: str) -> int:
    number = text.rstrip(" BKMG")
    return int(number) * _UNITS[text[len(number) :].strip()]
