"""Read keywatch.yaml and configs/secrets/*.yaml, and check them by their schemas in rules/schema/.

A checked file is cached under the hash of its bytes, so that a hook with a warm cache parses no
YAML.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import scanner
from scanner import cache, document
from scanner.document import Document
from scanner.model import Confidence, FailOn, Location, Severity

if TYPE_CHECKING:
    from datetime import timedelta

    from scanner.policy.declarations.model import (
        Audit,
        DeclaredSecret,
        SecretClass,
        SecretEntry,
        Service,
    )
    from scanner.policy.exceptions.accepted_gaps import AcceptedGap
    from scanner.policy.exceptions.allow_entries import AllowEntry
    from scanner.policy.exceptions.foreign_comments import LegacyPragmas

NAME = "keywatch.yaml"
KEYWATCH_BASELINE = ".keywatch.baseline"
SECRETS_BASELINE = ".secrets.baseline"

_FORM = "4"  # version of the cached data: increase it when the data changes
_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


class Config:
    """The settings of a keywatch.yaml. None means that the command decides.

    Values are made on demand, so that a clean hook does not import the modules of exceptions.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._scan = data.get("scan", {})

    @property
    def exclude(self) -> tuple[str, ...]:
        return tuple(self._scan.get("exclude", ()))

    @property
    def archives(self) -> bool:
        return bool(self._scan.get("archives", False))

    @property
    def max_file_size(self) -> int:
        return size_of(self._scan.get("max_file_size", "20MB"))

    @property
    def failing(self) -> FailOn:
        return FailOn(
            severity=Severity[self._scan.get("fail_on", "low").upper()],
            confidence=Confidence[self._scan.get("fail_on_confidence", "medium").upper()],
        )

    @property
    def min_confidence(self) -> Confidence | None:
        confidence = self._scan.get("min_confidence")
        return Confidence[confidence.upper()] if confidence else None

    @property
    def unused_after(self) -> timedelta:
        """How old an exception must be to be reported as unused."""
        from datetime import timedelta

        from scanner.policy.declarations.model import seconds

        return timedelta(seconds=seconds(self._scan.get("unused_after", "14d")))

    @property
    def detect_secrets(self) -> str | None:
        level: str | None = self._scan.get("detect_secrets")
        return level

    @property
    def disable_rules(self) -> Mapping[str, str]:
        """The ids of disabled rules, and the place where each is disabled."""
        places: Mapping[str, str] = self._scan.get("disable_rules", {})
        return places

    @property
    def has_rules(self) -> bool:
        return bool(self._data.get("rules"))

    @property
    def legacy_pragmas(self) -> LegacyPragmas:
        from scanner.policy.exceptions.foreign_comments import LegacyPragmas

        return LegacyPragmas(self._scan.get("legacy_pragmas", "warn"))

    @property
    def allow(self) -> tuple[AllowEntry, ...]:
        from scanner.policy.exceptions.allow_entries import AllowEntry

        return tuple(AllowEntry(**_entry(item)) for item in self._data.get("allow", ()))

    @property
    def accept_gaps(self) -> tuple[AcceptedGap, ...]:
        from scanner.policy.exceptions.accepted_gaps import AcceptedGap

        return tuple(AcceptedGap(**_located(item)) for item in self._data.get("accept_gaps", ()))

    @property
    def classes(self) -> Mapping[str, SecretClass]:
        """The classes by name. The repository's own override those of rules/policy.yaml."""
        return {**default_classes(), **self.own_classes}

    @property
    def own_classes(self) -> Mapping[str, SecretClass]:
        return secret_classes(self._data.get("classes", {}))

    @property
    def audit(self) -> Audit | None:
        from scanner.policy.declarations.model import Audit, seconds

        audit = self._data.get("audit")
        return (
            Audit(every=seconds(audit["every"]), location=Location.parse(audit["location"]))
            if audit
            else None
        )

    @property
    def secrets(self) -> tuple[SecretEntry, ...]:
        from scanner.policy.declarations.model import SecretEntry

        return tuple(
            SecretEntry(
                match=item.get("match", ""),
                tags=tuple(item.get("tags", {}).items()),
                secret_class=item["class"],
                owner=item.get("owner", ""),
                runbook=item.get("runbook", ""),
                location=Location.parse(item["location"]),
                class_location=Location.parse(item["class_location"]),
                runbook_location=Location.parse(item["runbook_location"]),
            )
            for item in self._data.get("secrets", ())
        )

    @property
    def services(self) -> tuple[Service, ...]:
        from scanner.policy.declarations.model import Service

        return tuple(
            Service(
                name=name,
                vault_role=item.get("vault_role", ""),
                policies=tuple(item.get("policies", ())),
                needs=tuple(item["needs"]),
                location=Location.parse(item["location"]),
                needs_locations=tuple(map(Location.parse, item["needs_locations"])),
                sources=tuple(item.get("sources", ())),
            )
            for name, item in self._data.get("services", {}).items()
        )


def load(
    data: bytes | None,
    where: str,
    cache_folder: str | None,
    cached: Callable[[str, Callable[[], bytes], str], bytes] = cache.cached,
) -> Config:
    """The Config of a keywatch.yaml; the defaults if `data` is None. ConfigError with the line.

    `cached` reads or makes an entry of the cache.
    """
    if data is None:
        return Config({})
    if cache_folder is None:
        return Config(json.loads(_checked(data, where)))
    name = f"config-{cache.key(scanner.__version__, _FORM, where, data)}.json"
    return Config(json.loads(cached(name, lambda: _checked(data, where), cache_folder)))


def secret_classes(items: Mapping[str, Any]) -> dict[str, SecretClass]:
    """The classes of a checked file, each with its place in the file."""
    from scanner.policy.declarations.model import SecretClass, seconds

    return {
        name: SecretClass(
            name=name,
            rotate_every=seconds(item["rotate_every"]),
            grace=seconds(item.get("grace", "0s")),
            overlap=seconds(item.get("overlap", item.get("grace", "0s"))),
            location=Location.parse(item["location"]),
        )
        for name, item in items.items()
    }


def default_classes() -> dict[str, SecretClass]:
    """The classes of rules/policy.yaml."""
    return secret_classes(_default_policy()["classes"])


def declared_secrets(data: bytes, where: str) -> tuple[DeclaredSecret, ...]:
    """The secrets that a file of configs/secrets declares. ConfigError with the line."""
    from scanner.policy.declarations import secrets_files

    parsed = document.parse(data, where)
    document.check(parsed, "secrets.schema.json")
    return secrets_files.declared(parsed)


@functools.cache
def _default_policy() -> Mapping[str, Any]:
    name = "policy.yaml"
    with open(os.path.join(document.rules_folder(), name), "rb") as file:
        policy: Mapping[str, Any] = json.loads(_checked(file.read(), name))
    return policy


def _checked(data: bytes, where: str) -> bytes:
    """The checked document as JSON, with the place of each item."""
    from datetime import date

    parsed = document.parse(data, where)
    document.check(parsed, "keywatch.schema.json")
    for section in ("allow", "accept_gaps"):
        for index, item in enumerate(parsed.data.get(section, ())):
            for name in ("until", "added"):
                try:
                    date.fromisoformat(item.get(name, "2000-01-01"))
                except ValueError:
                    raise parsed.error(
                        (section, index, name),
                        f"{section}: {name} is not a day of the calendar",
                        todo=f"write it as {name}: 2027-01-31",
                    ) from None
            item["location"] = str(parsed.at((section, index)))
    _place(parsed)
    return json.dumps(parsed.data).encode()


def _place(parsed: Document) -> None:
    """Add places to everything that findings refer to: the audit, classes, secrets, services and
    disabled rules."""
    scan = parsed.data.get("scan", {})
    if "disable_rules" in scan:
        field = ("scan", "disable_rules")
        scan["disable_rules"] = {
            rule: str(parsed.at((*field, index)))
            for index, rule in enumerate(scan["disable_rules"])
        }
    if "audit" in parsed.data:
        parsed.data["audit"]["location"] = str(parsed.at(("audit", "every")))
    for name, item in parsed.data.get("classes", {}).items():
        item["location"] = str(parsed.at(("classes", name)))
    for index, item in enumerate(parsed.data.get("secrets", ())):
        key = "match" if "match" in item else "tags"
        item["location"] = str(parsed.at(("secrets", index, key)))
        item["class_location"] = str(parsed.at(("secrets", index, "class")))
        item["runbook_location"] = str(parsed.at(("secrets", index, "runbook")))
    for name, item in parsed.data.get("services", {}).items():
        item["location"] = str(parsed.at(("services", name)))
        item["needs_locations"] = [
            str(parsed.at(("services", name, "needs", index)))
            for index in range(len(item["needs"]))
        ]


def _located(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "location": Location.parse(item["location"])}


def _entry(item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an AllowEntry. The prefix `kw-` keeps other scanners from reporting it."""
    return {
        **_located(item),
        "fingerprint": item["fingerprint"].removeprefix("kw-"),
        "tag": int(item["tag"], 16) if "tag" in item else None,
    }


def size_of(text: str) -> int:
    """The bytes of a size such as `20MB`. ValueError for anything else."""
    found = re.fullmatch(r"([0-9]{1,12}) ?([KMG]?B)?", text, re.ASCII)
    if found is None:
        raise ValueError
    return int(found[1]) * _UNITS[found[2] or ""]
