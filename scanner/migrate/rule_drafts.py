"""Rules of keywatch from the patterns of other scanners."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from scanner.detect.rules import compiler
from scanner.detect.rules.model import RuleFile
from scanner.errors import ConfigError
from scanner.migrate.model import Left

_ID = re.compile(r"[^a-z0-9]+")
_LONGEST_ID, _LONGEST_TITLE = 64, 120
# An escape, a class, the beginning of a group with a flag or a name, or a capturing group
_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?<\w+>|\(\?|\(", re.DOTALL)
_CAPTURE = re.compile(r"\(\?P?<\w+>|\(")
_FLAG = "(?i)"
# What the other scanner does not say. Whoever owns the rule can say it better.
_WORDS = {
    "class": "api-key",
    "why": "Whoever can read the file has the credential.",
    "revoke": "Revoke the credential where it was issued.",
    "rotate": "Issue a new one, and keep it in the secret store.",
}


class Pattern(NamedTuple):
    """What another scanner says about a rule.

    `group` is the number of the group that holds the secret, 0 for the only one or the whole
    match. `keywords` are literals, of which the file must contain one.
    """

    name: str
    title: str
    pattern: str
    keywords: tuple[str, ...]
    group: int = 0
    entropy: float = 0.0
    files: str = ""


def draft(given: Pattern, known: Collection[str], source: str) -> dict[str, Any] | Left:
    """The fields of a rule, or why there can be none."""
    name = _ID.sub("-", given.name.lower()).strip("-")[:_LONGEST_ID].strip("-") or "rule"
    name = f"{name[: _LONGEST_ID - 4]}-own" if name in known else name
    what = f"rule {given.name}"
    pattern = given.pattern
    ignore_case = pattern.startswith(_FLAG)
    pattern = pattern.removeprefix(_FLAG)
    keywords = [word.lower() for word in given.keywords if word.lower() in pattern.lower()]
    keywords = [word for word in dict.fromkeys(keywords) if len(word) > 1]
    if not keywords:
        return Left(
            what,
            "none of its keywords is in its pattern, and keywatch finds a rule by its keywords",
            "write the rule with a literal that is in every match (docs/own-rules.md)",
        )
    marked = _with_secret(pattern, given.group)
    if marked is None:
        return Left(
            what,
            f"it has no group {given.group}",
            "write the rule with the group (?P<secret>...) around the value",
        )
    rule: dict[str, Any] = {"id": name, "title": _title(given.title or given.name)}
    rule |= _WORDS
    rule |= {"pattern": marked, "keywords": keywords, "edges": ""}
    rule |= {"ignore_case": True} if ignore_case else {}
    rule |= {"entropy": given.entropy} if given.entropy else {}
    rule |= {"files": given.files} if given.files else {}
    try:
        compiler.compiled([RuleFile(source, json.dumps({"rules": [rule]}).encode())], known)
    except ConfigError as error:
        why = ": ".join(filter(None, (error.what, error.why)))
        return Left(what, why, error.todo or "write the rule by hand (docs/own-rules.md)")
    return rule


def _title(text: str) -> str:
    title = " ".join(text.split())[:_LONGEST_TITLE]
    return title if len(title) > 4 else f"Rule {title}"


def _with_secret(pattern: str, group: int) -> str | None:
    """The pattern with the group `secret` around the value. None if there is no such group.

    Other groups do not capture any more. With several groups and no number, the whole match is
    the value.
    """
    captures = [found for found in _GROUP.finditer(pattern) if _CAPTURE.fullmatch(found[0])]
    if group > len(captures):
        return None
    wanted = group - 1 if group else 0 if len(captures) == 1 else -1
    parts, end = [], 0
    for number, found in enumerate(captures):
        opened = "(?P<secret>" if number == wanted else "(?:"
        parts += [pattern[end : found.start()], opened]
        end = found.end()
    return "".join([*parts, pattern[end:]])
