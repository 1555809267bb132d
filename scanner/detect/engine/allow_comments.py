"""Detect: parse allow comments of keywatch, detect-secrets and gitleaks.

`keywatch: allow RULE reason="…" owner=@team until=2027-01-31` suppresses one finding of RULE on its
own line, or on the next line if the line holds only the comment.
"""

from __future__ import annotations

import re
from datetime import date

from scanner.file_types import endings
from scanner.lazy_pattern import lazy
from scanner.model import AllowComment, CommentKind

ANCHORS = (
    r"keywatch:[ \t]{0,8}allow",
    r"pragma:[ \t]?(?:allow|white)list[ -](?:nextline[ -])?secret",
    r"gitleaks:allow",
)
KEYWORDS = (("keywatch:",), ("pragma:",), ("gitleaks:allow",))

_OURS = lazy(r"keywatch:[ \t]*allow\b", re.IGNORECASE)
_OPENERS = ("#", "//", "*", "--", ";", "%", "'")  # what may open a comment, or end its opening
_REMARK = lazy(r"\bREM$", re.IGNORECASE)
_BEFORE_LONE_COMMENT = " \t#/*-<!;%{'"  # only these stand before a comment that fills its line
# `pragma: allowlist secret`, `pragma: whitelist nextline secret`
_PRAGMA = lazy(r"pragma:[ \t]?(?:allow|white)list[ -](?P<next>nextline[ -])?secret", re.IGNORECASE)
# `*/`, `*/ -}}`, `-->`, `#}`
_CLOSER = lazy(r"(?:\*/(?:[ \t]*-?\}\})?|-->|#\})$")
# ` RULE`, ` owner=@team`, ` reason="a sentence"`
_WORD = lazy(r"""[ \t]+(?:(?P<key>[a-z]+)=)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))""")
_RULE = lazy(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MARKDOWN = endings("markdown")
_FIELDS = ("reason", "owner", "until")


def parse(line_text: str, path: str, line: int) -> AllowComment | None:
    """Return the allow comment in one line of a file; None if the line has none."""
    markdown = path.lower().endswith(_MARKDOWN)  # `#` is a heading there
    for ours in _OURS.finditer(line_text):
        before = line_text[: ours.start()].rstrip(" \t")
        if before.endswith("<!--") if markdown else _opens_comment(before):
            return _parse_ours(before, line_text[ours.end() :], path, line)
    pragma = _PRAGMA.search(line_text)
    if pragma:
        covers = line + 1 if pragma["next"] else line
        return AllowComment(path=path, line=line, covers=covers, kind=CommentKind.DETECT_SECRETS)
    if "gitleaks:allow" in line_text:
        return AllowComment(path=path, line=line, covers=line, kind=CommentKind.GITLEAKS)
    return None


def _opens_comment(before: str) -> bool:
    return before.endswith(_OPENERS) or bool(_REMARK.search(before[-4:]))


def _parse_ours(before: str, rest: str, path: str, line: int) -> AllowComment:
    is_alone = before.strip(_BEFORE_LONE_COMMENT).upper() in ("", "REM")
    rule, fields, problem = _fields(_CLOSER.sub("", rest.rstrip()))
    return AllowComment(
        path=path,
        line=line,
        covers=line + 1 if is_alone else line,
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
            return rule, fields, f'cannot parse the text from character {at + 1} after "allow"'
        key, value = word["key"], (word["quoted"] or "") + (word["plain"] or "")
        if key is None and not rule and word["quoted"] is None:
            rule = value
        elif key in _FIELDS and key not in fields:
            fields[key] = value
        else:
            return rule, fields, "expected RULE, reason=, owner= and until=, each once"
        at = word.end()
    return rule, fields, ""


def _problem(rule: str, fields: dict[str, str]) -> str:
    missing = [name for name in _FIELDS if not fields.get(name, "").strip()]
    if not _RULE.fullmatch(rule):
        return "the rule ID is missing"
    if missing:
        return f"missing: {', '.join(missing)}"
    try:
        date.fromisoformat(fields["until"])
    except ValueError:
        return "until= is not a date such as 2027-01-31"
    return ""
