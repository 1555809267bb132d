"""Detect: compile the structure rules of rule files (`where: …`) to rows of the rule table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scanner import document
from scanner.detect.structure import KINDS, value_paths
from scanner.model import Confidence, Severity

# `require: reference` reports each value with one of these verdicts.
NO_REFERENCE = ("literal", "literal-default", "mixed-literal", "malformed", "placeholder")


def row(raw: dict[str, Any], parsed: document.Document, field: Any, group: str) -> dict[str, Any]:
    """Return the row of one rule. Raises ConfigError (file, line, field) for an invalid path."""
    places = raw["where"] if isinstance(raw["where"], list) else [raw["where"]]
    return {
        "id": raw["id"],
        "severity": Severity[raw.get("severity", "high").upper()],
        "confidence": Confidence[raw.get("confidence", "high").upper()],
        "group": group,
        "selectors": [_selector(place, parsed, (*field, "where")) for place in places],
        "flag": NO_REFERENCE if "require" in raw else raw.get("flag", ()),
        "pattern": raw.get("pattern", ""),
        "check": raw.get("check", ""),
        "once": raw.get("once", False),
    }


def patterns(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return each pattern of a row, with the name of its field."""
    if row["pattern"]:
        yield "pattern", row["pattern"]
    for place in row["selectors"]:
        steps = value_paths.parse(place["path"])
        yield from (("where", step.pattern) for step in steps if step.pattern)
        if place["name"]:
            yield "where", place["name"]


def _selector(place: dict[str, Any], parsed: document.Document, field: Any) -> dict[str, Any]:
    path, kinds, name = place.get("path", ""), place.get("kind", []), place.get("name", "")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise parsed.error(
            field,
            f"where.kind: unknown kind {unknown[0]!r}",
            todo=document.nearest(unknown[0], KINDS) or f"the kinds are {', '.join(sorted(KINDS))}",
        )
    try:
        value_paths.parse(path)
    except ValueError as error:
        raise parsed.error(field, f"where.path: {error}") from None
    return {
        "kinds": kinds,
        "path": path,
        "secret": name == "secret",
        "name": name.removeprefix("=~/").removesuffix("/") if name.startswith("=~/") else "",
    }
