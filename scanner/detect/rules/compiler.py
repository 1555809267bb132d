"""Detect: rule files -> the tables that a rulebook reads, as JSON.

Runs where no table is cached: what it imports, a warm start does not pay for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from scanner import document
from scanner.detect import mask
from scanner.detect.engine import linear_regex
from scanner.detect.prefilter import open_ends
from scanner.detect.rules import config_rules
from scanner.detect.rules.model import SHARED, RuleFile
from scanner.detect.structure import value_paths
from scanner.model import Confidence, RuleInfo, Severity

_PURGE = (
    "Take it out of the file, then out of the history (git filter-repo --replace-text) once it is "
    "revoked; forks, clones and CI caches keep it, so revoking comes first."
)
_EDGES = "0-9A-Za-z_"
_CLASS = re.compile(r"(?:[^\[\]\\]|\\.)*")  # what stands between the brackets of one
_MOST_MEMORY = 256 << 10
_MOST_GROUPS = 20
# Between a name and its value: the rest of the name, closing quotes, an operator (a type may stand
# before a plain `=`). Open repeats, not counted ones: RE2 builds a state for each count.
_ASSIGNMENT = (
    r"""[\w.\-]*["'`\])\\]*[ \t]*(?:(?::[ \t]*[\w<>\[\]?.*]+[ \t]*)?=+"""
    r"""|=>|:=|->|<-|\|\|=|\?\?=|!=+|:|,|\(|>)[ \t]*"""
)
_QUOTES = r"""(?:[rbuf@$]{0,2}\\?["'`]{1,3})?"""
# A value of any shape and of some length, with its quotes where it has some: the engine takes them
# off.
_LITERAL = (
    r"""\\?(?P<secret>[rbuf@]{0,2}"[^"\r\n]{%(n)d,}"|[rbuf@]{0,2}'[^'\r\n]{%(n)d,}'"""
    r"""|`[^`\r\n]{%(n)d,}`|[^\s"'`,;<>\\]{%(n)d,})"""
)
# What formats are made of that only a name gives away, and the fewest characters of one.
_OF_A_FORMAT = r"[\w.~+/:=\-]{20}"
# In code only what has quotes is a literal: two of three assignments there have none.
_QUOTED_ANCHOR = r"""\\?[rbuf@]{0,2}(?:"[^"\r\n]{%(n)d}|'[^'\r\n]{%(n)d}|`[^`\r\n]{%(n)d})"""
_LITERAL_ANCHOR = rf"(?:{_QUOTED_ANCHOR}|" + r"""\\?[^\s"'`,;<>\\]{%(n)d})"""
# In code a literal may stand in brackets or on the line after its name, or be a line in a string of
# several.
_BEFORE_WRAPPED = r"""[\w.\-]*["'`\])]*[ \t]*(?:(?::[ \t]*[\w<>\[\]?.*]+[ \t]*)?=|:=|=>|:)[ \t]*"""
_LONG_QUOTES = r"""(?:"{3}|'{3}|`)"""
_OPEN, _BREAK = r"\(?[ \t]*", r"\\?\r?\n[ \t]*"
_WRAPPED = (
    rf"{_BEFORE_WRAPPED}(?:\([ \t]*|{_OPEN}{_LONG_QUOTES}?{_BREAK})"
    r"""(?P<secret>[rbu@]{0,2}"[^"\r\n]{%(n)d,}"|[rbu@]{0,2}'[^'\r\n]{%(n)d,}'"""
    r"""|[^\s"'`,;<>\\]{%(n)d,})"""
)
_WRAPPED_ANCHOR = (
    rf"{_BEFORE_WRAPPED}(?:(?:\([ \t]*|{_OPEN}{_BREAK})"
    rf"""[rbu@]{{0,2}}["']|{_OPEN}{_LONG_QUOTES}{_BREAK})"""
    r"""[^"'`\r\n]{%(n)d}"""
)


def _no_short_word(no: str) -> str:
    """The beginning of a value that only machines make, without the characters `no` of a class: a
    short word is none, as in `"output_token": "NextToken"`."""
    sign, any_sign = f"[^A-Za-z{no}]", f"[^{no}]"
    return f"(?:[A-Za-z]{{12}}|[A-Za-z]{{5,11}}{sign}|[A-Za-z]{{0,4}}{sign}{any_sign})"


_MADE_QUOTED = "|".join(quote + _no_short_word(rf"{quote}\r\n") for quote in "\"'`")
_MADE_QUOTED_ANCHOR = rf"\\?[rbuf@]{{0,2}}(?:{_MADE_QUOTED})"
_MADE_BARE = _no_short_word(r"""\s"'`,;<>\\""")
_MADE_ANCHOR = rf"(?:{_MADE_QUOTED_ANCHOR}|\\?{_MADE_BARE})"


def shipped(sources: Sequence[RuleFile]) -> dict[str, bytes]:
    """The tables of what comes with keywatch: rules, and the kinds of the detect-secrets layer."""
    from scanner.detect.detect_secrets.rule_texts import FILE, rule_id
    from scanner.detect.detect_secrets.rule_texts import infos as words
    from scanner.detect.detect_secrets.settings import PLUGINS

    with open(os.path.join(document.rules_folder(), os.path.basename(FILE)), "rb") as file:
        described = words(file.read())
    tables = compiled(sources)
    kinds = {kind: _without_pattern(described[rule_id(kind)]) for kind in PLUGINS.values()}
    theirs = _words({name: info._asdict() for name, info in described.items()})
    return tables | {"words": tables["words"] + b"\n" + theirs, "detect_secrets": _json(kinds)}


def compiled(sources: Sequence[RuleFile], known: Collection[str] = ()) -> dict[str, bytes]:
    """The tables of a rulebook by name. ConfigError (file, line, field) for a bad rule.

    `known`: ids of rules that there are beside these.
    """
    rules: dict[str, dict[str, Any]] = {}
    config: dict[str, dict[str, Any]] = {}
    infos: dict[str, dict[str, Any]] = {}
    for source in sources:
        parsed = document.parse(source.data, source.where)
        if source.part:
            parsed = parsed.part("rules")
        document.check(parsed, "rule.schema.json")
        defaults = parsed.data.get("defaults", {})
        shared = _candidates(parsed, shipped=source.shipped)
        rules |= shared
        for index, own in enumerate(parsed.data["rules"]):
            of_file = {key: parsed.data.get(key, "") for key in ("vendor", "scope")}
            raw = {**of_file, "purge": _PURGE, **defaults, **own}
            field = ("rules", index)
            if raw["id"] in infos or raw["id"] in known:
                raise parsed.error(
                    (*field, "id"),
                    f"the rule {raw['id']!r} exists already",
                    todo="give it another id; disable_rules switches the old one off",
                )
            if "where" in raw:
                row = config_rules.row(raw, parsed, field, source.where if shared else raw["id"])
                for place, pattern in config_rules.patterns(row):
                    _demand_linear(pattern, parsed, (*field, place), shipped=source.shipped)
                _demand_check(row["check"], parsed, (*field, "check"))
                config[raw["id"]] = row
                if not shared:
                    rules[raw["id"]] = _of_its_own(raw, row, parsed, field)
            else:
                rules[raw["id"]] = row = _table_row(raw, parsed, field, shipped=source.shipped)
                if source.shipped and row["named"] and "pattern" not in raw:
                    rules[f"{raw['id']}, wrapped"] = row | _wrapped(raw)
            infos[raw["id"]] = _info_row(raw, parsed, field)
    rows = [*rules.values(), *_together(rules.values())]
    return {
        "rules": b"\n".join(map(_json, rows)),
        "config": _json(list(config.values())),
        "words": _words(infos),
    }


def _words(infos: Mapping[str, dict[str, Any]]) -> bytes:
    return b"\n".join(name.encode() + b"\t" + _json(row) for name, row in infos.items())


def _together(rules: Collection[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The row that looks for all formats that only a name gives away, where there are any: apart,
    each of these dozens costs the one pass as much as all of them together."""
    shared = [(number, row) for number, row in enumerate(rules) if row["scope"] == SHARED]
    if shared:
        names = "|".join(row.pop("names") for _, row in shared)
        yield {
            "id": SHARED,
            "severity": Severity.HIGH,
            "confidence": Confidence.HIGH,
            "anchor": f"(?i:{names}){_ASSIGNMENT}{_QUOTES}{_OF_A_FORMAT}",
            "keywords": (words := sorted({word for _, row in shared for word in row["keywords"]})),
            "named": True,
            "group": "",
            "shares": [
                (word, [number for number, row in shared if word in row["keywords"]])
                for word in words
            ],
        }


def _candidates(parsed: document.Document, *, shipped: bool) -> dict[str, dict[str, Any]]:
    """The rows of what the rules of a file look for together."""
    rows = {}
    for index, own in enumerate(parsed.data.get("candidates", ())):
        field = ("candidates", index)
        if not shipped:
            raise parsed.error(field, "candidates: only rules that come with keywatch share them")
        raw = {"id": f"{parsed.where}#{index}", "edges": "", "scope": "config", **own}
        rows[raw["id"]] = _table_row(raw, parsed, field, shipped=True) | {"group": parsed.where}
    return rows


def _of_its_own(
    raw: dict[str, Any], row: dict[str, Any], parsed: document.Document, field: Any
) -> dict[str, Any]:
    """The row by which one rule on structure is looked for: the last key that its path names."""
    keys = [value_paths.last_key(value_paths.parse(place["path"])) for place in row["selectors"]]
    if min(map(len, keys)) < 2 and "keywords" not in raw:
        raise parsed.error(
            (*field, "where"),
            "where: no key of two letters or more is named, so every file would be parsed",
            todo="name the last key in the path, or give keywords",
        )
    words = raw.get("keywords") or sorted({key.lower() for key in keys})
    return {
        "id": raw["id"],
        "severity": row["severity"],
        "confidence": row["confidence"],
        "anchor": f"(?i:{'|'.join(map(re.escape, words))})",
        "keywords": words,
        "ignore_case": True,
        "group": row["group"],
        "scope": "config",
    }


def _without_pattern(info: RuleInfo) -> dict[str, Any]:
    """A rule whose findings come from elsewhere."""
    return {"id": info.id, "severity": info.severity, "confidence": info.confidence}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _table_row(
    raw: dict[str, Any], parsed: document.Document, field: Any, *, shipped: bool
) -> dict[str, Any]:
    if "anchor" in raw and not shipped:
        raise parsed.error(
            (*field, "anchor"),
            "anchor: a rule of your own is looked for by its keywords",
            todo="leave the anchor out",
        )
    if "keywords" not in raw and not shipped:
        raise parsed.error(
            field,
            f"{raw['id']}: keywords is missing",
            why="a rule of your own is looked for by its keywords",
            todo="give literals, one of which is in every match",
        )
    if "min_length" in raw and ("pattern" in raw or "named" not in raw):
        raise parsed.error(
            (*field, "min_length"),
            "min_length: it is for a rule that has named: and no pattern",
            why="a pattern says itself how long its values are",
            todo="leave it out, and count in the pattern: {12,}",
        )
    try:
        pattern, anchor, in_code = _patterns(raw, shipped=shipped)
    except ValueError as error:
        raise parsed.error((*field, "pattern"), f"pattern: {error}", todo="add an anchor") from None
    if pattern:
        _demand_linear(pattern, parsed, (*field, "pattern"), shipped=shipped)
    for name in ("files", "value", "needs", "beside"):
        if name in raw:
            _demand_linear(raw[name], parsed, (*field, name), shipped=shipped)
    edges = raw.get("edges", _EDGES).removeprefix("[").removesuffix("]")
    _demand_class(edges, parsed, (*field, "edges"))
    _demand_check(raw.get("check", ""), parsed, (*field, "check"))
    of_a_name = shipped and raw.get("vendor") and {"named", "pattern"} <= raw.keys()
    return {
        "id": raw["id"],
        "severity": Severity[raw.get("severity", "high").upper()],
        "confidence": Confidence[raw.get("confidence", "high").upper()],
        "pattern": pattern,
        "anchor": anchor,
        "anchor_in_code": in_code,
        "keywords": raw.get("keywords", ()),
        "ignore_case": raw.get("ignore_case", False),
        "multiline": raw.get("multiline", False),
        "edges": edges,
        "entropy": raw.get("entropy", 0),
        "check": raw.get("check", ""),
        "named": "named" in raw or "(?P<name>" in pattern,
        "files": raw.get("files", ""),
        "lines": raw.get("lines", 1),
        "once": raw.get("once", False),
        "scope": SHARED if of_a_name else raw.get("scope", ""),
        **({"names": raw["named"]} if of_a_name else {}),
        "value": raw.get("value", ""),
        "needs": raw.get("needs", ""),
        "beside": raw.get("beside", ""),
        "group": "",
    }


def _patterns(raw: dict[str, Any], *, shipped: bool) -> tuple[str, str, str]:
    """The exact pattern and the anchor of a rule, and the one for code, "" where that is no other.
    ValueError where the pattern has no stem.

    A shipped rule that names its files and no anchor has none: their paths alone call for it.
    Of a rule that a repository brings, Hyperscan sees the keywords alone: a short pattern can keep
    its compiler busy for minutes (`a?` 900 times: seven).
    """
    pattern, anchor, in_code = raw.get("pattern", ""), raw.get("anchor", raw.get("beside", "")), ""
    if "named" in raw:
        made = raw.get("named_by_machines", "")
        before = _any_name(raw) + _ASSIGNMENT
        if pattern:
            secret = pattern if "(?P<secret>" in pattern else f"(?P<secret>{pattern})"
            pattern = before + _QUOTES + secret
        else:
            shortest = {"n": raw.get("min_length", 4)}
            pattern = before + _LITERAL % shortest
            by_people = f"(?i:{raw['named']}){_ASSIGNMENT}"
            anchor = by_people + _LITERAL_ANCHOR % shortest
            in_code = by_people + _QUOTED_ANCHOR % shortest
            if made:
                by_machines = f"(?i:{made}){_ASSIGNMENT}"
                anchor += f"|{by_machines}{_MADE_ANCHOR}"
                in_code += f"|{by_machines}{_MADE_QUOTED_ANCHOR}"
    if not shipped:
        return pattern, f"(?i:{'|'.join(map(re.escape, raw['keywords']))})", ""
    by_path = "files" in raw and not anchor
    return pattern, "" if by_path else anchor or open_ends.without_open_end(pattern), in_code


def _any_name(raw: dict[str, Any]) -> str:
    return f"(?i:{'|'.join(filter(None, (raw['named'], raw.get('named_by_machines'))))})"


def _wrapped(raw: dict[str, Any]) -> dict[str, Any]:
    """What is another in the row of a rule on any value of a name, for lines that are wrapped."""
    name = _any_name(raw)
    shortest = {"n": raw.get("min_length", 4)}
    return {
        "pattern": name + _WRAPPED % shortest,
        "anchor": name + _WRAPPED_ANCHOR % shortest,
        "anchor_in_code": "",
        "lines": 2,
        "scope": "code",
    }


def _info_row(raw: dict[str, Any], parsed: document.Document, field: Any) -> dict[str, Any]:
    needed = ("why", "fix") if "fix" in raw else ("class", "why", "revoke", "rotate")
    missing = [name for name in needed if name not in raw]
    if missing:
        text = f"{raw['id']}: {', '.join(missing)} {_is(missing)} missing, here and in defaults"
        raise parsed.error(field, text)
    source = raw.get("source", {})
    revoked = "revoke" in raw
    return {
        "id": raw["id"],
        "title": raw["title"],
        "severity": Severity[raw.get("severity", "high").upper()],
        "confidence": Confidence[raw.get("confidence", "high").upper()],
        "secret_class": raw.get("class", ""),
        "why": _prose(raw["why"]),
        "fix": _prose(raw.get("fix", "")),
        "revoke": _prose(raw.get("revoke", "")),
        "rotate": _prose(raw.get("rotate", "")),
        "purge": _prose(raw["purge"]) if revoked else "",
        "source": source.get("url", ""),
        "source_date": source.get("seen", ""),
        "vendor": raw["vendor"],
    }


def _is(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _prose(text: str) -> str:
    return " ".join(text.split())


def _demand_linear(pattern: str, parsed: document.Document, field: Any, *, shipped: bool) -> None:
    """A pattern must compile in the linear engine: a rule may come from a hostile repository."""
    try:
        import re2
    except ImportError:  # no wheel for this platform: shipped patterns were tested elsewhere
        if not shipped:
            raise parsed.error(
                field,
                "rules of your own need the linear engine google-re2, which is not installed",
                todo="pip install google-re2",
            ) from None
        return
    options = linear_regex.options(re2)
    if not shipped:
        options.max_mem = _MOST_MEMORY
    try:
        compiled = re2.compile(pattern.encode(), options)
    except (re2.error, OverflowError) as error:
        said = error.args[0] if error.args else ""
        raise parsed.error(
            field,
            f"{field[-1]}: does not compile in the linear engine",
            why=mask.text(said)[:200] if isinstance(said, bytes) else str(error)[:200],
            todo="RE2 syntax: no lookaround, no backreference, counts to 1000, no more than some "
            "10,000 states",
        ) from None
    if compiled.search(b""):
        raise parsed.error(field, f"{field[-1]}: matches where there is nothing")
    if compiled.groups > _MOST_GROUPS:
        raise parsed.error(
            field, f"{field[-1]}: has over {_MOST_GROUPS} groups", todo="write (?:…) for (…)"
        )


def _demand_class(edges: str, parsed: document.Document, field: Any) -> None:
    why = "" if _CLASS.fullmatch(edges) else "a bracket in it needs a backslash"
    try:
        re.compile(f"[{edges}]".encode() if edges else b"")
    except re.error as error:
        why = error.msg
    if why:
        raise parsed.error(
            field, "edges: is not a character class", why=why, todo="as in 0-9A-Za-z_"
        )


def _demand_check(name: str, parsed: document.Document, field: Any) -> None:
    from scanner.detect.checks.checks import CHECKS

    if name and name not in CHECKS:
        known = document.nearest(name, CHECKS) or f"known here: {', '.join(sorted(CHECKS))}"
        raise parsed.error(field, f"check: there is no check {name!r}", todo=known)
