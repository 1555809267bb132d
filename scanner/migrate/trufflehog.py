"""Convert the custom detectors of TruffleHog, and its file for --exclude-paths."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from scanner import document
from scanner.migrate import gitleaks, rule_drafts
from scanner.migrate.model import BY_FINDING, Converted, Left
from scanner.migrate.rule_drafts import Pattern

_BY_PATTERN = ("keywatch does not hide values by a pattern", BY_FINDING)
_NOT_CARRIED: Mapping[str, tuple[str, str]] = {
    "verify": (
        "keywatch never sends a value to a server",
        "check a finding by hand, or revoke the credential at once",
    ),
    "exclude_words": (
        "keywatch does not hide values by a word that they contain",
        BY_FINDING,
    ),
    "exclude_regexes_capture": _BY_PATTERN,
    "exclude_regexes_match": _BY_PATTERN,
    "validations": _BY_PATTERN,
}


def is_config(data: bytes) -> bool:
    """Is it a config file, and not the list of expressions for --exclude-paths?"""
    return any(line.startswith(b"detectors:") for line in data.splitlines())


def convert(data: bytes, name: str, known: Collection[str]) -> Converted:
    """Convert a config file. ConfigError if it is not YAML."""
    parsed = document.parse(data, name).data
    found = parsed.get("detectors") if isinstance(parsed, dict) else None
    rules: list[dict[str, Any]] = []
    left: list[Left] = []
    for raw in found if isinstance(found, list) else ():
        made = _rule(raw, {*known, *(rule["id"] for rule in rules)}, name)
        if isinstance(made, Left):
            left.append(made)
        else:
            rules.append(made)
        left += _of_detector(raw)
    return Converted(rules=tuple(rules), left=tuple(left))


def convert_paths(data: bytes) -> Converted:
    """Convert a file for --exclude-paths: one expression in each line."""
    lines = [line.strip() for line in data.decode(errors="replace").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    found, left = gitleaks.excluded(patterns, "exclude-paths")
    return Converted(exclude=tuple(dict.fromkeys(found)), left=tuple(left))


def _rule(raw: Any, known: Collection[str], name: str) -> dict[str, Any] | Left:
    raw = raw if isinstance(raw, dict) else {}
    title = str(raw.get("name", ""))
    patterns = raw.get("regex")
    if not isinstance(patterns, dict) or len(patterns) != 1:
        return Left(
            f"detector {title}",
            "it has no regex, or several that must match near each other",
            "write one rule for the secret, with `beside` for what is near it (docs/own-rules.md)",
        )
    (pattern,) = patterns.values()
    keywords = raw.get("keywords")
    given = Pattern(
        name=title,
        title=str(raw.get("description") or title),
        pattern=str(pattern),
        keywords=tuple(map(str, keywords)) if isinstance(keywords, list) else (),
        entropy=float(raw.get("entropy") or 0),
    )
    return rule_drafts.draft(given, known, name)


def _of_detector(raw: Any) -> Iterator[Left]:
    for key, (why, todo) in _NOT_CARRIED.items():
        if isinstance(raw, dict) and raw.get(key):
            yield Left(f"detector {raw.get('name', '')}: {key}", why, todo)
