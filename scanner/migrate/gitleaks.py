"""Convert a `.gitleaks.toml`, and look up the places of a `.gitleaksignore`."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.migrate import path_globs, rule_drafts
from scanner.migrate.model import BY_FINDING, Converted, Left
from scanner.migrate.rule_drafts import Pattern

_ALLOWLISTS: Mapping[str, tuple[str, str]] = {
    "regexes": ("keywatch does not hide values by a pattern", BY_FINDING),
    "stopwords": ("keywatch does not hide values by a word that they contain", BY_FINDING),
    "commits": (
        "keywatch does not hide whole commits",
        "scan a range (keywatch scan --history A..B), or " + BY_FINDING,
    ),
}
_NAMES = ("title", "description", "minVersion", "extend", "rules", "allowlist", "allowlists")
_NAMES_IN_RULE = (
    *("id", "title", "description", "regex", "secretGroup", "entropy", "keywords", "path", "tags"),
    *("required", "skipReport", "allowlist", "allowlists"),
)
_NAMES_IN_ALLOWLIST = (
    *("id", "description", "paths", "regexes", "stopwords", "commits"),
    *("condition", "regexTarget", "targetRules"),
)


class Fingerprint(NamedTuple):
    """A line of .gitleaksignore. `commit` is "" for a finding in the files of the tree."""

    commit: str
    path: str
    rule: str
    line: int


def convert(data: bytes, name: str, known: Collection[str]) -> Converted:
    """Convert the text of a `.gitleaks.toml`. ConfigError if it is not TOML.

    `known` are the IDs of rules that exist already.
    """
    try:
        settings = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{name} is not valid TOML", why=str(error), todo="name a .gitleaks.toml", where=name
        ) from None
    rules: list[dict[str, Any]] = []
    left: list[Left] = []
    for raw in _tables(settings, "rules"):
        made = _rule(raw, {*known, *(rule["id"] for rule in rules)}, name)
        if isinstance(made, Left):
            left.append(made)
        else:
            rules.append(made)
        left += _of_rule(raw)
    exclude: list[str] = []
    for raw in (*_tables(settings, "allowlist"), *_tables(settings, "allowlists")):
        if narrower := _narrower(raw):
            left.append(narrower)
            continue
        found, not_found = excluded(_texts(raw, "paths"), "allowlist.paths")
        exclude += found
        left += [*not_found, *_of_allowlist(raw, "allowlist")]
    return Converted(
        exclude=tuple(dict.fromkeys(exclude)),
        rules=tuple(rules),
        left=(*left, *_of_extend(settings), *_unknown(settings, _NAMES, "")),
    )


def excluded(patterns: Iterable[str], setting: str) -> tuple[list[str], list[Left]]:
    """The globs for the expressions of paths, and the expressions that have none."""
    found: list[str] = []
    left: list[Left] = []
    for pattern in patterns:
        globs = path_globs.globs(pattern)
        found += globs
        if not globs:
            left.append(
                Left(
                    f"{setting}: {pattern}",
                    "no glob matches the same paths",
                    "write the folders or files that you mean under scan.exclude",
                )
            )
    return found, left


def fingerprints(data: bytes, name: str) -> Iterator[Fingerprint]:
    """The lines of a .gitleaksignore. ConfigError with the line that is none."""
    for number, text in enumerate(data.decode(errors="replace").splitlines(), 1):
        line = text.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        parts = line.rsplit(":", 2)
        if len(parts) != 3 or not parts[2].isdecimal():
            raise ConfigError(
                f"{name} has a line that is not a fingerprint of gitleaks",
                why="expected path:rule:line, or commit:path:rule:line",
                todo="name a .gitleaksignore",
                where=f"{name}:{number}",
            )
        before, _, path = parts[0].partition(":")
        is_commit = len(before) >= 7 and not before.strip("0123456789abcdef") and bool(path)
        yield Fingerprint(
            commit=before if is_commit else "",
            path=path if is_commit else parts[0],
            rule=parts[1],
            line=int(parts[2]),
        )


def _rule(raw: Mapping[str, Any], known: Collection[str], name: str) -> dict[str, Any] | Left:
    pattern = str(raw.get("regex", ""))
    if not pattern:
        return Left(
            f"rule {raw.get('id', '')}",
            "it has no regex: it reports files by their path",
            "keywatch reports key stores and .env files by their names already",
        )
    given = Pattern(
        name=str(raw.get("id", "")),
        title=str(raw.get("description", "")),
        pattern=pattern,
        keywords=tuple(_texts(raw, "keywords")),
        group=int(raw.get("secretGroup", 0)),
        entropy=float(raw.get("entropy", 0)),
        files=str(raw.get("path", "")),
    )
    return rule_drafts.draft(given, known, name)


def _of_rule(raw: Mapping[str, Any]) -> Iterator[Left]:
    name = f"rule {raw.get('id', '')}"
    yield from _unknown(raw, _NAMES_IN_RULE, f"{name}: ")
    for each in (*_tables(raw, "allowlist"), *_tables(raw, "allowlists")):
        yield from _of_allowlist(each, f"{name}: allowlist")
        for pattern in _texts(each, "paths"):
            yield Left(
                f"{name}: allowlist.paths: {pattern}",
                "keywatch excludes a path for all rules or for none",
                BY_FINDING,
            )
    if raw.get("required"):
        yield Left(
            f"{name}: required",
            "keywatch has one pattern beside the value, and not other rules",
            "add `beside` and `lines` to the rule (docs/own-rules.md)",
        )


def _of_allowlist(raw: Mapping[str, Any], name: str) -> Iterator[Left]:
    yield from _unknown(raw, _NAMES_IN_ALLOWLIST, f"{name}.")
    for key, (why, todo) in _ALLOWLISTS.items():
        for each in _texts(raw, key):
            yield Left(f"{name}.{key}: {each}", why, todo)


def _narrower(raw: Mapping[str, Any]) -> Left | None:
    """An allowlist that holds for some rules only, or where several conditions must be true."""
    if raw.get("targetRules"):
        why = "keywatch excludes a path for all rules or for none"
        return Left("allowlist with targetRules", why, BY_FINDING)
    if str(raw.get("condition", "")).upper() in ("AND", "&&"):
        why = "keywatch excludes a path whatever the value is"
        return Left("allowlist with condition AND", why, BY_FINDING)
    return None


def _unknown(raw: Mapping[str, Any], names: Collection[str], where: str) -> Iterator[Left]:
    for name in raw.keys() - {*names}:
        yield Left(
            f"{where}{name}",
            "this is no setting of gitleaks 8 that keywatch knows",
            "if it is of an older version (whitelist, files), use its new name: allowlist, paths",
        )


def _of_extend(settings: Mapping[str, Any]) -> Iterator[Left]:
    extend = settings.get("extend")
    extend = extend if isinstance(extend, dict) else {}
    for rule in _texts(extend, "disabledRules"):
        yield Left(
            f"extend.disabledRules: {rule}",
            "keywatch has rules of its own, with other names",
            "find the rule with keywatch rules list, and add its ID to scan.disable_rules",
        )
    for key in ("path", "url"):
        if extend.get(key):
            yield Left(
                f"extend.{key}: {extend[key]}",
                "the file that it extends was not read",
                "run keywatch migrate gitleaks on that file, too",
            )


def _tables(settings: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The tables `[[key]]`, or the one table `[key]`."""
    found = settings.get(key, [])
    items = found if isinstance(found, list) else [found]
    return [item for item in items if isinstance(item, dict)]


def _texts(settings: Mapping[str, Any], key: str) -> list[str]:
    found = settings.get(key, [])
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]
