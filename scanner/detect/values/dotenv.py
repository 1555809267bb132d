"""Detect: does a line of a `.env` file give a secret its value?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values.config_values import (
    flaw,
    is_random,
    is_sensitive,
    reads_as_words_only,
    trimmed,
)
from scanner.detect.values.templates import Verdict, judge
from scanner.model import Confidence, Severity

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#\s:]*:[^/?#\s@]+@")


def env_value(candidate: Candidate) -> Confidence | None:
    """A check: the name that a line begins with is given a literal that is a secret."""
    if file_kind(candidate.path).example:
        return None
    name = candidate.value.decode("latin-1")
    if name.startswith("sops_"):
        return None
    rest = candidate.line[candidate.at + len(candidate.value) :].strip(b"= \t")
    quoted = rest[:1] if rest[:1] in {b'"', b"'"} else b""
    value = trimmed(rest[len(quoted) :], quoted).decode("latin-1")
    found = flaw(name, value, sensitive=is_sensitive(name))
    in_words = reads_as_words_only(value) or " " in value
    is_wrong = found and found.verdict is not Verdict.MALFORMED and not in_words
    if found and is_wrong and found.severity is not Severity.LOW:
        return Confidence.HIGH
    is_secret = _LOGIN.match(value) or is_random(value.removeprefix("base64:"))
    return Confidence.HIGH if is_secret and judge(value).verdict is Verdict.LITERAL else None
