"""Detect: judge values that a command line passes as a secret.

The program and its flag say that the value is a secret. So any literal counts, unless it is a word
of a usage text, a port or another flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanner.detect.values.config_values import find_flaw, is_sensitive
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Verdict
from scanner.lazy_pattern import lazy
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Not a password: `PASSWORD`, `--port=80`, `8080:80`, `$1`, `name{x}`; the rest of a flag after
# `-p`, such as `ort` of `-port`; `name=`, `name=value`.
_NOT_A_PASSWORD = lazy(
    r"[A-Z][A-Z_]*|--?[A-Za-z][\w\-]*(?:=\S*)?|[\d.]*:?\d{2,5}(?::\d{2,5})?|\$?\{?[\d@*#?!]\}?|[\w.\-]*\{[^{}]*\}"
    r"|(?:ort|ath|rint|rotocol|rofile|roject|refix|arallel|rogress|lugin|ython)\S*"
    r"|[a-z_]{2,}=|[A-Za-z_]{2,}=[^=\s]\S*"
)
# `--no-token`, `--use-password`: the next word is not the value of such a flag.
_SWITCH = lazy(
    r"(?:no|not|use|ask|prompt|with|without|allow|enable|disable|show|generate|reset|is|has|skip)"
    r"(?:[-_.]|(?=[A-Z]))"
)
_COMMENT = lazy(rb"^[ \t]*(?:#|//|;|::|REM\b|rem\b|\*)")


def command_argument(candidate: Candidate) -> Confidence | None:
    """A check: the value of a flag that its name or its program makes the flag of a secret."""
    name = candidate.name.decode("latin-1").lstrip("-/")
    value = candidate.value.decode("latin-1")
    if _SWITCH.match(name) or _NOT_A_PASSWORD.fullmatch(value) or _is_usage(candidate, value):
        return None
    if candidate.line[candidate.at + len(value) :].startswith(b"}"):
        return None  # it is part of a template
    found = find_flaw(name if is_sensitive(name) else "password", value, sensitive=True)
    if found is None or found.verdict is Verdict.MALFORMED:
        return None
    return found.confidence


def command_setting(candidate: Candidate) -> Confidence | None:
    """A check: the value of a flag or setting whose name means a secret."""
    is_secret = is_sensitive(candidate.name.decode("latin-1"))
    return command_argument(candidate) if is_secret else None


def _is_usage(candidate: Candidate, value: str) -> bool:
    """Is the value part of a usage text: a word in a column, or a placeholder in a comment?"""
    if candidate.line[: candidate.at].endswith(b"  ") and value.isalpha():
        return True
    in_comment = _COMMENT.match(candidate.line) is not None
    return in_comment and (is_placeholder(value) or is_dummy(value))
