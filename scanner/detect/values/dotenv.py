"""Detect: find lines of committed `.env` files that set a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values.assignments import is_random
from scanner.detect.values.config_values import (
    find_flaw,
    is_sensitive,
    reads_as_words_only,
    trimmed,
)
from scanner.detect.values.templates import Verdict, judge
from scanner.lazy_pattern import lazy
from scanner.model import Confidence, Severity

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# `postgres://user:password@`.
_URL_WITH_PASSWORD = lazy(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#\s:]*:[^/?#\s@]+@")


def env_value(candidate: Candidate) -> Confidence | None:
    """A check: the variable that the line sets has a literal secret as its value.

    The candidate's value is the name of the variable.
    """
    if file_kind(candidate.path).example:
        return None
    name = candidate.value.decode("latin-1")
    if name.startswith("sops_"):
        return None
    rest = candidate.line[candidate.at + len(candidate.value) :].strip(b"= \t")
    quoted = rest[:1] if rest[:1] in {b'"', b"'"} else b""
    value = trimmed(rest[len(quoted) :], quoted).decode("latin-1")
    found = find_flaw(name, value, sensitive=is_sensitive(name))
    in_words = reads_as_words_only(value) or " " in value
    is_literal = found and found.verdict is not Verdict.MALFORMED and not in_words
    if found and is_literal and found.severity is not Severity.LOW:
        return Confidence.HIGH
    is_secret = _URL_WITH_PASSWORD.match(value) or is_random(value.removeprefix("base64:"))
    return Confidence.HIGH if is_secret and judge(value).verdict is Verdict.LITERAL else None
