"""keywatch.yaml -> a frozen Config, checked by rules/schema/keywatch.schema.json.

Stands between cli/ and the columns. A checked file is cached under the hash of its bytes, so that a
hook with a warm cache parses no YAML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import scanner
from scanner import cache, document
from scanner.model import Confidence, Severity

if TYPE_CHECKING:
    from scanner.policy.allow import AllowEntry
    from scanner.policy.gaps import AcceptedGap
    from scanner.policy.pragmas import LegacyPragmas

NAME = "keywatch.yaml"

_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


class Config:
    """What the repository asks for. None where it says nothing and the verb decides.

    Values are made when asked for: the exceptions' own modules load only when there is something
    to judge.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._scan = data.get("scan", {})

    @property
    def exclude(self) -> tuple[str, ...]:
        return tuple(self._scan.get("exclude", ()))

    @property
    def max_file_size(self) -> int:
        return _size(self._scan.get("max_file_size", "20MB"))

    @property
    def fail_on(self) -> Severity:
        return Severity[self._scan.get("fail_on", "low").upper()]

    @property
    def min_confidence(self) -> Confidence | None:
        said = self._scan.get("min_confidence")
        return Confidence[said.upper()] if said else None

    @property
    def detect_secrets(self) -> str | None:
        said: str | None = self._scan.get("detect_secrets")
        return said

    @property
    def disable_rules(self) -> tuple[str, ...]:
        return tuple(self._scan.get("disable_rules", ()))

    @property
    def has_rules(self) -> bool:
        return bool(self._data.get("rules"))

    @property
    def legacy_pragmas(self) -> LegacyPragmas:
        from scanner.policy.pragmas import LegacyPragmas

        return LegacyPragmas(self._scan.get("legacy_pragmas", "warn"))

    @property
    def allow(self) -> tuple[AllowEntry, ...]:
        from scanner.policy.allow import AllowEntry

        return tuple(AllowEntry(**_entry(item)) for item in self._data.get("allow", ()))

    @property
    def accept_gaps(self) -> tuple[AcceptedGap, ...]:
        from scanner.policy.gaps import AcceptedGap

        return tuple(AcceptedGap(**item) for item in self._data.get("accept_gaps", ()))


def load(data: bytes | None, where: str, cache_folder: str | None) -> Config:
    """The Config of a keywatch.yaml, the defaults where there is none. ConfigError by line."""
    if data is None:
        return Config({})
    if cache_folder is None:
        return Config(json.loads(_checked(data, where)))
    key = cache.digest(scanner.__version__.encode() + b"\0" + where.encode() + b"\0" + data).hex()
    name = f"config-{key[:32]}.json"
    return Config(json.loads(cache.cached(name, lambda: _checked(data, where), cache_folder)))


def _checked(data: bytes, where: str) -> bytes:
    """The document as JSON, each exception with the place where it stands."""
    from datetime import date

    parsed = document.parse(data, where)
    document.check(parsed, "keywatch.schema.json")
    for section in ("allow", "accept_gaps"):
        for index, item in enumerate(parsed.data.get(section, ())):
            field = (section, index, "until")
            try:
                date.fromisoformat(item["until"])
            except ValueError:
                raise parsed.error(
                    field, f"{section}: until is not a day of the calendar"
                ) from None
            item["where"] = parsed.at((section, index))
    return json.dumps(parsed.data).encode()


def _entry(item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an AllowEntry: `kw-` only keeps other scanners from taking it for a key."""
    return {
        **item,
        "fingerprint": item["fingerprint"].removeprefix("kw-"),
        "tag": int(item["tag"], 16) if "tag" in item else None,
    }


def _size(text: str) -> int:
    number = text.rstrip(" BKMG")
    return int(number) * _UNITS[text[len(number) :].strip()]
