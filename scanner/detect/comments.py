"""Detect: allow comments, ours and those of other tools.

`keywatch: allow RULE reason="…" owner=@team until=2027-01-31` covers one finding of RULE on its own
line; where the comment is all that the line holds, on the next line.
"""

from __future__ import annotations

import re
from datetime import date

from scanner.model import AllowComment, CommentKind

ANCHORS = (
    r"keywatch:[ \t]{0,8}allow",
    r"pragma:[ \t]?(?:allow|white)list[ -](?:nextline[ -])?secret",
    r"gitleaks:allow",
)
KEYWORDS = (("keywatch:",), ("pragma:",), ("gitleaks:allow",))

_OPENER = r"(?:#|//|/\*+|\*|--|<!--|;+|%+|\{#|\{\{-?[ \t]*/\*|'|\bREM\b)[ \t]*"
_ALLOW = r"keywatch:[ \t]*allow\b(?P<rest>.*)"
_OURS = re.compile(_OPENER + _ALLOW, re.IGNORECASE)
_OURS_IN_MARKDOWN = re.compile(r"<!--[ \t]*" + _ALLOW, re.IGNORECASE)  # `#` is a heading there
_PRAGMA = re.compile(
    r"pragma:[ \t]?(?:allow|white)list[ -](?P<next>nextline[ -])?secret", re.IGNORECASE
)
_CLOSER = re.compile(r"[ \t]*(?:\*/(?:[ \t]*-?\}\})?|-->|#\})[ \t]*$")
_WORD = re.compile(r"""[ \t]+(?:(?P<key>[a-z]+)=)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))""")
_RULE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FIELDS = ("reason", "owner", "until")


def parse(line_text: str, path: str, line: int) -> AllowComment | None:
    """The allow comment in one line of a file, or None where there is none after all."""
    pattern = _OURS_IN_MARKDOWN if path.lower().endswith((".md", ".markdown")) else _OURS
    ours = pattern.search(line_text)
    if ours:
        return _parse_ours(line_text, ours, path, line)
    pragma = _PRAGMA.search(line_text)
    if pragma:
        covers = line + 1 if pragma["next"] else line
        return AllowComment(path=path, line=line, covers=covers, kind=CommentKind.DETECT_SECRETS)
    if "gitleaks:allow" in line_text:
        return AllowComment(path=path, line=line, covers=line, kind=CommentKind.GITLEAKS)
    return None


def _parse_ours(line_text: str, ours: re.Match[str], path: str, line: int) -> AllowComment:
    alone = not line_text[: ours.start()].strip()
    rule, fields, problem = _fields(_CLOSER.sub("", ours["rest"].rstrip()))
    return AllowComment(
        path=path,
        line=line,
        covers=line + 1 if alone else line,
        kind=CommentKind.KEYWATCH,
        rule=rule if _RULE.fullmatch(rule) else "",
        reason=fields.get("reason", ""),
        owner=fields.get("owner", ""),
        until=fields.get("until", ""),
        problem=problem or _problem(rule, fields),
    )


def _fields(rest: str) -> tuple[str, dict[str, str], str]:
    rule, at = "", 0
    fields: dict[str, str] = {}
    while at < len(rest.rstrip()):
        word = _WORD.match(rest, at)
        if word is None:
            return rule, fields, f"it cannot be read from character {at + 1} after allow on"
        key, value = word["key"], (word["quoted"] or "") + (word["plain"] or "")
        if key is None and not rule and word["quoted"] is None:
            rule = value
        elif key in _FIELDS and key not in fields:
            fields[key] = value
        else:
            return rule, fields, f"it takes RULE, {', '.join(_FIELDS)}, each once, and no more"
        at = word.end()
    return rule, fields, ""


def _problem(rule: str, fields: dict[str, str]) -> str:
    missing = [name for name in _FIELDS if not fields.get(name, "").strip()]
    if not _RULE.fullmatch(rule):
        return "it names no rule"
    if missing:
        return f"it has no {' and no '.join(missing)}"
    try:
        date.fromisoformat(fields["until"])
    except ValueError:
        return "its until= is not a date like 2027-01-31"
    return ""
