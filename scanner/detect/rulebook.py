"""Detect: rule files -> the rule table that the engine runs, and the words that reports print.

The table is cached as JSON under a hash of every rule file, so a warm start parses no YAML.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import scanner
from scanner import cache, document
from scanner.detect import stems
from scanner.errors import ConfigError
from scanner.model import Confidence, RuleInfo, Severity

_PURGE = (
    "Take it out of the file, then out of the history (git filter-repo --replace-text) once it is "
    "revoked; forks, clones and CI caches keep it, so revoking comes first."
)
_EDGES = "0-9A-Za-z_"
# Between a name and its value: the rest of the name, closing quotes, a type, an operator.
_ASSIGNMENT = (
    r"""[\w.\-]{0,40}["'`\])\\]{0,3}[ \t]{0,8}(?::[ \t]{0,2}[\w<>\[\]?.*]{1,30}[ \t]{0,4})?"""
    r"""(?:=>|:=|->|\|\|=|\?\?=|={1,3}|!={1,2}|:|,|\(|>)[ \t]{0,8}[rbuf@$]{0,2}\\?"""
)
_QUOTES = r"""["'`]{0,3}"""
# A value of any shape, with its quotes where it has some: the engine takes them off.
_LITERAL = (
    r"""(?P<secret>"[^"\r\n]{4,256}"|'[^'\r\n]{4,256}'|`[^`\r\n]{4,256}`|[^\s"'`,;<>\\]{4,256})"""
)
_LITERAL_ANCHOR = r"""["'`]?[^\s"'`,;<>\\]{2}"""


class Source(NamedTuple):
    """A rule file: its name for messages and its bytes. `part`: the document holds more than
    rules, as keywatch.yaml does."""

    where: str
    data: bytes
    part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the engine needs of one rule. `pattern` may hold the group `secret`."""

    id: str
    severity: Severity
    confidence: Confidence
    pattern: str
    anchor: str
    keywords: tuple[str, ...]
    ignore_case: bool
    multiline: bool
    edges: str
    entropy: float
    check: str
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """The rules of a run, their words, and the hash that names everything compiled from them."""

    rules: tuple[Rule, ...]
    infos: Mapping[str, RuleInfo]
    key: str

    def without(self, rules: Sequence[str]) -> Rulebook:
        """The same without these rules, under a key of its own."""
        if not rules:
            return self
        key = cache.digest("\0".join([self.key, *sorted(rules)]).encode()).hex()
        kept = tuple(rule for rule in self.rules if rule.id not in rules)
        return Rulebook(rules=kept, infos=self.infos, key=key)


def shipped() -> tuple[Source, ...]:
    """The rule files that come with keywatch, sorted by name."""
    folder = os.path.join(document.rules_folder(), "secrets")
    return tuple(
        Source(f"rules/secrets/{name}", _read(os.path.join(folder, name)))
        for name in sorted(os.listdir(folder))
        if name.endswith(".yaml")
    )


def load(extra: Sequence[Source] = (), *, cache_folder: str | None = None) -> Rulebook:
    """The shipped rules and `extra` ones. ConfigError (file, line, field) for a bad one."""
    sources = (*shipped(), *extra)
    hashed = [scanner.__version__.encode()]
    for source in sources:
        hashed += [source.where.encode(), source.data]
    key = cache.digest(b"\0".join(hashed)).hex()
    if cache_folder is None:
        table = _compile(sources)
    else:
        table = cache.cached(f"rules-{key[:32]}.json", lambda: _compile(sources), cache_folder)
    rules, infos = json.loads(table)
    return Rulebook(rules=tuple(map(_rule, rules)), infos=_Infos(infos), key=key)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _compile(sources: Sequence[Source]) -> bytes:
    rules: dict[str, dict[str, Any]] = {}
    infos: dict[str, dict[str, Any]] = {}
    for source in sources:
        parsed = document.parse(source.data, source.where)
        if source.part:
            parsed = parsed.part("rules")
        document.check(parsed, "rule.schema.json")
        defaults = parsed.data.get("defaults", {})
        for index, own in enumerate(parsed.data["rules"]):
            raw = {"vendor": parsed.data.get("vendor", ""), "purge": _PURGE, **defaults, **own}
            field = ("rules", index)
            if raw["id"] in rules:
                raise parsed.error((*field, "id"), f"the rule {raw['id']!r} exists already")
            rules[raw["id"]] = _table_row(raw, parsed, field)
            infos[raw["id"]] = _info_row(raw, parsed, field)
    return json.dumps([list(rules.values()), infos], separators=(",", ":")).encode()


def _table_row(raw: dict[str, Any], parsed: document.Document, field: Any) -> dict[str, Any]:
    try:
        pattern, anchor = _patterns(raw)
    except ValueError as error:
        raise parsed.error((*field, "pattern"), f"pattern: {error}", todo="add an anchor") from None
    _demand_linear(pattern, parsed, (*field, "pattern"))
    _demand_linear(anchor, parsed, (*field, "anchor"))
    _demand_check(raw.get("check", ""), parsed, (*field, "check"))
    return {
        "id": raw["id"],
        "severity": Severity[raw.get("severity", "high").upper()],
        "confidence": Confidence[raw.get("confidence", "high").upper()],
        "pattern": pattern,
        "anchor": anchor,
        "keywords": raw["keywords"],
        "ignore_case": raw.get("ignore_case", False),
        "multiline": raw.get("multiline", False),
        "edges": raw.get("edges", _EDGES).removeprefix("[").removesuffix("]"),
        "entropy": raw.get("entropy", 0),
        "check": raw.get("check", ""),
        "named": "named" in raw,
    }


def _patterns(raw: dict[str, Any]) -> tuple[str, str]:
    """The exact pattern and the anchor of a rule. ValueError where the pattern has no stem."""
    pattern = raw.get("pattern", "")
    if "named" not in raw:
        return pattern, raw.get("anchor") or stems.stem(pattern)
    before = f"(?i:{raw['named']}){_ASSIGNMENT}"
    if not pattern:
        return before + _LITERAL, raw.get("anchor") or before + _LITERAL_ANCHOR
    secret = pattern if "(?P<secret>" in pattern else f"(?P<secret>{pattern})"
    pattern = before + _QUOTES + secret
    return pattern, raw.get("anchor") or stems.stem(pattern)


def _info_row(raw: dict[str, Any], parsed: document.Document, field: Any) -> dict[str, Any]:
    for name in ("class", "why", "revoke", "rotate"):
        if name not in raw:
            raise parsed.error(field, f"{raw['id']}: {name} is missing, here and in defaults")
    source = raw.get("source", {})
    return {
        "id": raw["id"],
        "title": raw["title"],
        "severity": Severity[raw.get("severity", "high").upper()],
        "confidence": Confidence[raw.get("confidence", "high").upper()],
        "secret_class": raw["class"],
        **{name: " ".join(raw[name].split()) for name in ("why", "revoke", "rotate", "purge")},
        "source": source.get("url", ""),
        "source_date": source.get("seen", ""),
        "vendor": raw["vendor"],
    }


def _demand_linear(pattern: str, parsed: document.Document, field: Any) -> None:
    """A pattern must compile in the linear engine: a rule may come from a hostile repository."""
    try:
        import re2
    except ImportError:  # no wheel for this platform: shipped patterns were tested elsewhere
        if not parsed.where.startswith("rules/secrets/"):
            raise parsed.error(
                field,
                "rules of your own need the linear engine google-re2, which is not installed",
                todo="pip install google-re2",
            ) from None
        return
    try:
        re2.compile(pattern.encode(), _quiet(re2))
    except (re2.error, OverflowError) as error:
        raise parsed.error(
            field,
            f"{field[-1]}: does not compile in the linear engine",
            why=str(error.args[0] if error.args else error)[:200],
            todo="RE2 syntax: no lookaround, no backreference, counts to 1000",
        ) from None


def _quiet(re2: Any) -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _demand_check(name: str, parsed: document.Document, field: Any) -> None:
    from scanner.detect.verify import CHECKS

    if name and name not in CHECKS:
        raise document.unknown_name(parsed, field, name, sorted(CHECKS))


def _rule(row: dict[str, Any]) -> Rule:
    row["severity"] = Severity(row["severity"])
    row["confidence"] = Confidence(row["confidence"])
    row["keywords"] = tuple(row["keywords"])
    return Rule(**row)


class _Infos(Mapping[str, RuleInfo]):
    """RuleInfo by rule id, made when asked for: a clean run never needs one."""

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        self._rows = rows

    def __getitem__(self, rule: str) -> RuleInfo:
        row = dict(self._rows[rule])
        row["severity"] = Severity(row["severity"])
        row["confidence"] = Confidence(row["confidence"])
        return RuleInfo(**row)

    def __iter__(self) -> Any:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def rule_error(rule: str, known: Sequence[str]) -> ConfigError:
    """The error for a rule id that does not exist, with the nearest one that does."""
    import difflib

    near = difflib.get_close_matches(rule, known, n=1)
    return ConfigError(
        f"there is no rule {rule!r}",
        todo=f"did you mean {near[0]}?" if near else "keywatch rules list shows all",
    )
