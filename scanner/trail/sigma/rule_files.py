"""The files of rules/trail: Sigma rules, and what keywatch adds to each.

A file holds one detection and the base rules that it counts, as YAML documents. `name` is the rule
ID of findings. `keywatch` is a section of our own, which other tools ignore: `fix` says what to do,
`tuning` how to make it fit, `subject` what one finding is about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner import document
from scanner.errors import ConfigError
from scanner.model import Confidence, RuleInfo, Severity

LEVELS = {
    "informational": None,
    "low": Severity.LOW,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}
"""Sigma's levels. `informational` makes a note, not a finding."""
_BETWEEN = re.compile(rb"^---[ \t]*$", re.MULTILINE)
_NAME = re.compile(r"trail-[a-z0-9-]{1,60}")


class RuleFile(NamedTuple):
    """The documents of one file, as plain data."""

    where: str
    documents: tuple[Mapping[str, Any], ...]


class Described(NamedTuple):
    """A detection in words. `is_note`: it makes notes and no findings."""

    info: RuleInfo
    false_positives: str
    tuning: str
    source: str = ""
    is_note: bool = False


def folder() -> str:
    return os.path.join(document.rules_folder(), "trail")


def shipped() -> list[RuleFile]:
    """All files of rules/trail, in the order of their names."""
    names = sorted(name for name in os.listdir(folder()) if name.endswith(".yml"))
    return [_read(os.path.join(folder(), name), f"rules/trail/{name}") for name in names]


def _read(path: str, where: str) -> RuleFile:
    with open(path, "rb") as file:
        return parse(file.read(), where)


def parse(data: bytes, where: str) -> RuleFile:
    """The documents of a file. ConfigError if it is not YAML, or a document is not a rule."""
    parsed = [document.parse(part, where).data for part in _BETWEEN.split(data) if part.strip()]
    for each in parsed:
        if not isinstance(each, dict) or not {"detection", "correlation"} & each.keys():
            raise ConfigError(
                f"{where} contains a document that is not a Sigma rule",
                why="each one needs `detection` or `correlation`",
                where=f"{where}:1",
            )
    return RuleFile(where, tuple(parsed))


def replaced(files: Iterable[RuleFile], own: Iterable[RuleFile]) -> list[Mapping[str, Any]]:
    """All documents. One of `own` takes the place of a shipped one with the same name."""
    by_name: dict[str, Mapping[str, Any]] = {}
    for file in (*files, *own):
        for each in file.documents:
            name = str(each.get("name", ""))
            if not name:
                raise ConfigError(
                    f"{file.where} contains a rule without a name", todo="add name: …"
                )
            by_name[name] = each
    return list(by_name.values())


def described(documents: Iterable[Mapping[str, Any]]) -> Iterator[Described]:
    """The rules that make findings or notes; base rules only count for others."""
    documents = list(documents)
    counted = {name for each in documents for name in _counted(each)}
    for each in documents:
        name = str(each["name"])
        if name in counted and not each.get("correlation", {}):
            continue
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"the rule name {name[:80]!r} is invalid",
                todo="begin it with trail-, and use small letters, digits and hyphens",
            )
        yield _described(name, each)


def _counted(each: Mapping[str, Any]) -> Iterator[str]:
    rules = each.get("correlation", {}).get("rules", ())
    yield from map(str, [rules] if isinstance(rules, str) else rules)


def _described(name: str, each: Mapping[str, Any]) -> Described:
    level = str(each.get("level", "medium"))
    if level not in LEVELS:
        raise ConfigError(f"{name}: level {level!r} is unknown", todo=f"use {', '.join(LEVELS)}")
    own = each.get("keywatch", {})
    info = RuleInfo(
        id=name,
        title=str(each.get("title", name)),
        severity=LEVELS[level] or Severity.LOW,
        confidence=Confidence[str(own.get("confidence", "high")).upper()],
        why=" ".join(str(each.get("description", "")).split()),
        fix=" ".join(str(own.get("fix", "")).split()),
    )
    return Described(
        info=info,
        false_positives=" ".join(". ".join(map(str, each.get("falsepositives", ()))).split()),
        tuning=" ".join(str(own.get("tuning", "")).split()),
        is_note=LEVELS[level] is None,
    )
