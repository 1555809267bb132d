"""Detect: compile rule files to the JSON tables that a rulebook reads.

This module is imported only if no table is cached, so its imports do not slow down a warm start.
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
from scanner.detect.prefilter import shortest_prefix
from scanner.detect.rules import config_rules
from scanner.detect.rules.model import SHARED, RuleFile
from scanner.detect.structure import value_paths
from scanner.model import Confidence, RuleInfo, Severity

_PURGE = (
    "Revoke the secret first, because forks, clones and CI caches keep it. Then remove it from the "
    "file and from the history (git filter-repo --replace-text)."
)
_EDGES = "0-9A-Za-z_"
_CLASS = re.compile(r"(?:[^\[\]\\]|\\.)*")  # the text between the brackets of a character class
_MAX_MEMORY = 256 << 10  # bytes that a pattern of a repository may take
_MAX_GROUPS = 20
# Matches the text between a name and its value: the rest of the name, closing quotes, an operator,
# such as `_v2"] := `, `: ` or `: str = `. It uses `*` instead of counts, because RE2 builds a state
# for each count.
_ASSIGNMENT = (
    r"""[\w.\-\x80-\xff]*["'`\])\\]*[ \t]*(?:(?::[ \t]*[\w<>\[\]?.*]+[ \t]*)?=+"""
    r"""|=>|:{1,3}=|->|<-|\|\|=|\?{1,2}=|[!+.]=+|:|\xef\xbc\x9a|,|\(|>|-[ \t])[ \t]*"""
)
# All of these and a few more, in fewer states.
_SHORT_ASSIGNMENT = (
    r"""[\w.\-]*["'`\])\\]*[ \t]*(?::[ \t]*[\w<>\[\]?.*]+[ \t]*)?[=:,(>|?!+.<\-]+[ \t]*"""
)
_QUOTES = r"""(?:[rbuf@$]{0,2}\\?["'`]{1,3})?"""
# A value of at least n characters, with its quotes if it has any. The engine removes them.
_LITERAL = (
    r"""\\?(?P<secret>[rbuf@]{0,2}"[^"\r\n]{%(n)d,}"|[rbuf@]{0,2}'[^'\r\n]{%(n)d,}'"""
    r"""|`[^`\r\n]{%(n)d,}`|[^\s"'`,;<>\\]{%(n)d,})"""
)
# The first 20 characters of a value in a vendor format that only the name identifies.
_VENDOR_VALUE = r"[\w.~+/:=\-]{20}"
# In code only a quoted value is a literal. Two of three assignments in code have no quotes.
_QUOTED_ANCHOR = r"""\\?[rbuf@]{0,2}(?:"[^"\r\n]{%(n)d}|'[^'\r\n]{%(n)d}|`[^`\r\n]{%(n)d})"""
_LITERAL_ANCHOR = rf"(?:{_QUOTED_ANCHOR}|" + r"""\\?[^\s"'`,;<>\\]{%(n)d})"""
# In code a literal may be in brackets, on the line after its name, or one of several lines.
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
    """Return a pattern for the start of a value that cannot be a short word.

    `no`: the characters that the value may not contain. A short word is not generated, as in
    `"output_token": "NextToken"`.
    """
    sign, any_sign = f"[^A-Za-z{no}]", f"[^{no}]"
    return f"(?:[A-Za-z]{{12}}|[A-Za-z]{{5,11}}{sign}|[A-Za-z]{{0,4}}{sign}{any_sign})"


_GENERATED_QUOTED = "|".join(quote + _no_short_word(rf"{quote}\r\n") for quote in "\"'`")
_GENERATED_QUOTED_ANCHOR = rf"\\?[rbuf@]{{0,2}}(?:{_GENERATED_QUOTED})"
_GENERATED_BARE = _no_short_word(r"""\s"'`,;<>\\""")
_GENERATED_ANCHOR = rf"(?:{_GENERATED_QUOTED_ANCHOR}|\\?{_GENERATED_BARE})"
# In code, an unquoted value is a literal only if a machine made it, or in a comment, as its last
# word.
_MACHINE_MADE_ANCHOR = r"""[A-Za-z+/_.~\-]{0,12}[0-9][0-9A-Za-z+/_.~\-]{8}"""
_BEFORE_IN_COMMENT = r"""^[ \t]*(?:#|//|/?\*|--)[^\r\n]*"""
_LAST_IN_COMMENT_ANCHOR = r"""[^\s"'`,;<>\\]{%(n)d,}[ \t.,;]*\r?$"""


def shipped(sources: Sequence[RuleFile]) -> dict[str, bytes]:
    """Compile the rules that come with keywatch, and the types of the detect-secrets layer."""
    from scanner.detect.detect_secrets.rule_texts import FILE, rule_id
    from scanner.detect.detect_secrets.rule_texts import infos as detect_secrets_infos
    from scanner.detect.detect_secrets.settings import PLUGINS

    with open(os.path.join(document.rules_folder(), os.path.basename(FILE)), "rb") as file:
        described = detect_secrets_infos(file.read())
    tables = compiled(sources)
    kinds = {kind: _without_pattern(described[rule_id(kind)]) for kind in PLUGINS.values()}
    texts = _info_table({name: info._asdict() for name, info in described.items()})
    return tables | {"words": tables["words"] + b"\n" + texts, "detect_secrets": _json(kinds)}


def compiled(sources: Sequence[RuleFile], known: Collection[str] = ()) -> dict[str, bytes]:
    """Return the tables of a rulebook by name.

    `known`: the IDs of rules that already exist. Raises ConfigError (file, line, field) for an
    invalid rule.
    """
    rules: dict[str, dict[str, Any]] = {}
    config: dict[str, dict[str, Any]] = {}
    refining: dict[str, dict[str, Any]] = {}
    infos: dict[str, dict[str, Any]] = {}
    for source in sources:
        parsed = _parsed(source)
        defaults = parsed.data.get("defaults", {})
        shared = _candidates(parsed, shipped=source.shipped)
        rules |= shared
        for index, own in enumerate(parsed.data["rules"]):
            file_fields = {key: parsed.data.get(key, "") for key in ("vendor", "scope")}
            raw = {**file_fields, "purge": _PURGE, **defaults, **own}
            field = ("rules", index)
            if raw["id"] in infos or raw["id"] in known:
                raise parsed.error(
                    (*field, "id"),
                    f"the rule {raw['id']!r} already exists",
                    todo="use another ID; disable_rules turns off the existing rule",
                )
            if "refines" in raw:
                refining[raw["id"]] = _refining_row(raw, parsed, field, shipped=source.shipped)
            elif "where" in raw:
                row = config_rules.row(raw, parsed, field, source.path if shared else raw["id"])
                for place, pattern in config_rules.patterns(row):
                    _require_linear(pattern, parsed, (*field, place), shipped=source.shipped)
                _require_check(row["check"], parsed, (*field, "check"))
                config[raw["id"]] = row
                if not shared:
                    rules[raw["id"]] = _structure_row(raw, row, parsed, field)
            else:
                rules[raw["id"]] = row = _table_row(raw, parsed, field, shipped=source.shipped)
                if source.shipped and row["named"] and "pattern" not in raw:
                    rules[f"{raw['id']}, wrapped"] = row | _wrapped(raw)
            infos[raw["id"]] = _info_row(raw, parsed, field)
    rows = [*rules.values(), *_shared_anchor_row(rules.values())]
    return {
        "rules": b"\n".join(map(_json, rows)),
        "config": _json(list(config.values())),
        "refining": _json(list(refining.values())),
        "words": _info_table(infos),
    }


def _parsed(source: RuleFile) -> document.Document:
    parsed = document.parse(source.data, source.path)
    if source.part:
        parsed = parsed.part("rules")
    if not source.shipped:  # tests validate the shipped files; here it would take 0.3 s
        document.check(parsed, "rule.schema.json")
    return parsed


def _info_table(infos: Mapping[str, dict[str, Any]]) -> bytes:
    return b"\n".join(name.encode() + b"\t" + _json(row) for name, row in infos.items())


def _shared_anchor_row(rules: Collection[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return one row with the anchor of all vendor formats that only the name identifies, if any.

    In the prefilter, each such anchor of its own would cost as much as this one for all of them.
    """
    shared = [(number, row) for number, row in enumerate(rules) if row["scope"] == SHARED]
    if shared:
        names = "|".join(row.pop("names") for _, row in shared)
        names = shortest_prefix.with_small_counts(names)
        yield {
            "id": SHARED,
            "severity": Severity.HIGH,
            "confidence": Confidence.HIGH,
            "anchor": f"(?i:{names}){_SHORT_ASSIGNMENT}{_QUOTES}{_VENDOR_VALUE}",
            "keywords": (words := sorted({word for _, row in shared for word in row["keywords"]})),
            "named": True,
            "group": "",
            "shares": [
                (word, [number for number, row in shared if word in row["keywords"]])
                for word in words
            ],
        }


def _candidates(parsed: document.Document, *, shipped: bool) -> dict[str, dict[str, Any]]:
    """Return the rows that find candidates for all structure rules of a file."""
    rows = {}
    for index, own in enumerate(parsed.data.get("candidates", ())):
        field = ("candidates", index)
        if not shipped:
            raise parsed.error(
                field, "candidates: only the rules that come with keywatch may have this field"
            )
        raw = {"id": f"{parsed.path}#{index}", "edges": "", "scope": "config", **own}
        rows[raw["id"]] = _table_row(raw, parsed, field, shipped=True) | {"group": parsed.path}
    return rows


def _structure_row(
    raw: dict[str, Any], row: dict[str, Any], parsed: document.Document, field: Any
) -> dict[str, Any]:
    """Return the row that finds candidates for one structure rule: the last key in its path."""
    keys = [value_paths.last_key(value_paths.parse(place["path"])) for place in row["selectors"]]
    if min(map(len, keys)) < 2 and "keywords" not in raw:
        raise parsed.error(
            (*field, "where"),
            "where: the path has no key of two or more letters, so every file would be parsed",
            todo="end the path with a key, or add keywords",
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


def _refining_row(
    raw: dict[str, Any], parsed: document.Document, field: Any, *, shipped: bool
) -> dict[str, Any]:
    """Return the row of a rule that takes over some findings of other rules."""
    if not shipped:
        raise parsed.error(
            (*field, "refines"),
            "refines: only the rules that come with keywatch may have this field",
            todo="remove the field, and add keywords and a pattern",
        )
    _require_check(raw["check"], parsed, (*field, "check"))
    return {
        "id": raw["id"],
        "severity": Severity[raw.get("severity", "high").upper()],
        "confidence": Confidence[raw.get("confidence", "high").upper()],
        "check": raw["check"],
        "refines": raw["refines"],
    }


def _without_pattern(info: RuleInfo) -> dict[str, Any]:
    """Return the row of a rule whose findings come from detect-secrets."""
    return {"id": info.id, "severity": info.severity, "confidence": info.confidence}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _table_row(
    raw: dict[str, Any], parsed: document.Document, field: Any, *, shipped: bool
) -> dict[str, Any]:
    if "anchor" in raw and not shipped:
        raise parsed.error(
            (*field, "anchor"),
            "anchor: only the rules that come with keywatch may have this field",
            todo="remove the anchor, and add keywords",
        )
    if "keywords" not in raw and not shipped:
        raise parsed.error(
            field,
            f"{raw['id']}: keywords is missing",
            why="the prefilter finds a rule of your own by its keywords",
            todo="add literals, such as [acme_], one of which is in every match",
        )
    if "min_length" in raw and ("pattern" in raw or "named" not in raw):
        raise parsed.error(
            (*field, "min_length"),
            "min_length: only a rule with named and without pattern may have this field",
            why="a pattern sets the length of its values itself",
            todo="remove min_length, and use a count in the pattern, such as {12,}",
        )
    try:
        pattern, anchor, in_code = _patterns(raw, shipped=shipped)
    except ValueError as error:
        raise parsed.error((*field, "pattern"), f"pattern: {error}", todo="add an anchor") from None
    if pattern:
        _require_linear(pattern, parsed, (*field, "pattern"), shipped=shipped)
    for name in ("files", "value", "needs", "beside"):
        if name in raw:
            _require_linear(raw[name], parsed, (*field, name), shipped=shipped)
    edges = raw.get("edges", _EDGES).removeprefix("[").removesuffix("]")
    _require_character_class(edges, parsed, (*field, "edges"))
    _require_check(raw.get("check", ""), parsed, (*field, "check"))
    shares_anchor = shipped and raw.get("vendor") and {"named", "pattern"} <= raw.keys()
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
        "scope": SHARED if shares_anchor else raw.get("scope", ""),
        **({"names": raw["named"]} if shares_anchor else {}),
        "value": raw.get("value", ""),
        "needs": raw.get("needs", ""),
        "beside": raw.get("beside", ""),
        "group": "",
    }


def _patterns(raw: dict[str, Any], *, shipped: bool) -> tuple[str, str, str]:
    """Return a rule's exact pattern, its anchor, and its anchor for code ("" if it is the same).

    A shipped rule with `files` and no anchor is run on these files without a hit. The anchor of a
    repository's own rule consists of only its keywords, because a hostile pattern can keep
    Hyperscan's compiler busy for minutes (`a?` 900 times: seven minutes). Raises ValueError if no
    anchor can be derived from the pattern.
    """
    pattern, anchor, in_code = raw.get("pattern", ""), raw.get("anchor", raw.get("beside", "")), ""
    if "named" in raw:
        generated = raw.get("named_by_machines", "")
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
            if generated:
                by_machines = f"(?i:{generated}){_ASSIGNMENT}"
                anchor += f"|{by_machines}{_GENERATED_ANCHOR}"
                in_code += f"|{by_machines}{_GENERATED_QUOTED_ANCHOR}"
            in_code += f"|{before}{_MACHINE_MADE_ANCHOR}"
            in_code += f"|{_BEFORE_IN_COMMENT}{by_people}{_LAST_IN_COMMENT_ANCHOR % shortest}"
    if not shipped:
        return pattern, f"(?i:{'|'.join(map(re.escape, raw['keywords']))})", ""
    if "files" in raw and not anchor:
        return pattern, "", ""
    if raw.get("lines", 1) == 1 and not raw.get("multiline"):
        small = shortest_prefix.with_small_counts(anchor or pattern)
        return pattern, shortest_prefix.without_open_end(small), in_code
    anchor = anchor or shortest_prefix.without_open_end(pattern)
    return pattern, shortest_prefix.with_small_counts(anchor, in_line=False), in_code


def _any_name(raw: dict[str, Any]) -> str:
    return f"(?i:{'|'.join(filter(None, (raw['named'], raw.get('named_by_machines'))))})"


def _wrapped(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that differ in the row for a value on the line after its name."""
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
        text = (
            f"{raw['id']}: {', '.join(missing)} {_is(missing)} missing in the rule and in defaults"
        )
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


def _require_linear(pattern: str, parsed: document.Document, field: Any, *, shipped: bool) -> None:
    """Raise ConfigError unless the pattern compiles in the linear engine, and needs some text.

    A rule may come from a hostile repository. Tests check the shipped ones.
    """
    if shipped:
        return
    try:
        import re2
    except ImportError:
        raise parsed.error(
            field,
            "rules of your own need the linear engine google-re2, which is not installed",
            todo="pip install google-re2",
        ) from None
    options = linear_regex.options(re2)
    options.max_mem = _MAX_MEMORY
    try:
        compiled = re2.compile(pattern.encode(), options)
    except (re2.error, OverflowError) as error:
        message = error.args[0] if error.args else ""
        raise parsed.error(
            field,
            f"{field[-1]}: does not compile in the linear engine",
            why=mask.text(message)[:200] if isinstance(message, bytes) else str(error)[:200],
            todo="use RE2 syntax: no lookaround, no backreferences, counts up to 1000, and at most "
            "about 10,000 states",
        ) from None
    if compiled.search(b""):
        raise parsed.error(field, f"{field[-1]}: the pattern matches the empty text")
    if compiled.groups > _MAX_GROUPS:
        raise parsed.error(
            field, f"{field[-1]}: has over {_MAX_GROUPS} groups", todo="write (?:…) instead of (…)"
        )


def _require_character_class(edges: str, parsed: document.Document, field: Any) -> None:
    why = "" if _CLASS.fullmatch(edges) else "write a backslash before each bracket"
    try:
        re.compile(f"[{edges}]".encode() if edges else b"")
    except re.error as error:
        why = error.msg
    if why:
        raise parsed.error(
            field, "edges: not a character class", why=why, todo="write it as in 0-9A-Za-z_"
        )


def _require_check(name: str, parsed: document.Document, field: Any) -> None:
    from scanner.detect.checks.checks import CHECKS

    if name and name not in CHECKS:
        known = document.nearest(name, CHECKS) or f"the checks are: {', '.join(sorted(CHECKS))}"
        raise parsed.error(field, f"check: unknown check {name!r}", todo=known)
