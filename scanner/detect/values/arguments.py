"""Detect: is what a command line gives where a secret is asked for one?

The program and its flag say what stands there, so any literal counts that is no word of a usage
text, no number of a port and no further flag.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanner.detect.values.config_values import flaw, is_sensitive
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Verdict
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# A word of a usage text, a flag or the rest of one (`-port`), a port or a mapping of ports, a
# parameter of a script, an argument of another name.
_NO_ARGUMENT = re.compile(
    r"[A-Z][A-Z_]*|--?[A-Za-z][\w\-]*(?:=\S*)?|[\d.]*:?\d{2,5}(?::\d{2,5})?|\$?\{?[\d@*#?!]\}?|[\w.\-]*\{[^{}]*\}"
    r"|(?:ort|ath|rint|rotocol|rofile|roject|refix|arallel|rogress|lugin|ython)\S*"
    r"|[a-z_]{2,}=|[A-Za-z_]{2,}=[^=\s]\S*"
)
# `--no-token`, `--use-password`: what follows is not its value.
_SWITCH = re.compile(
    r"(?:no|not|use|ask|prompt|with|without|allow|enable|disable|show|generate|reset|is|has|skip)"
    r"(?:[-_.]|(?=[A-Z]))"
)
_COMMENT = re.compile(rb"^[ \t]*(?:#|//|;|::|REM\b|rem\b|\*)")


def command_argument(candidate: Candidate) -> Confidence | None:
    """A check: the value of a flag that is a secret's, by its name or by its program."""
    name = candidate.name.decode("latin-1").lstrip("-/")
    value = candidate.value.decode("latin-1")
    if _SWITCH.match(name) or _NO_ARGUMENT.fullmatch(value) or _is_usage(candidate, value):
        return None
    if candidate.line[candidate.at + len(value) :].startswith(b"}"):
        return None  # a part of a template
    found = flaw(name if is_sensitive(name) else "password", value, sensitive=True)
    if found is None or found.verdict is Verdict.MALFORMED:
        return None
    return found.confidence


def command_setting(candidate: Candidate) -> Confidence | None:
    """A check: the same, where the name alone says that it is a secret's."""
    is_secret = is_sensitive(candidate.name.decode("latin-1"))
    return command_argument(candidate) if is_secret else None


def _is_usage(candidate: Candidate, value: str) -> bool:
    """In a comment a placeholder shows how a command is called; help has a word in a column."""
    if candidate.line[: candidate.at].endswith(b"  ") and value.isalpha():
        return True
    in_comment = _COMMENT.match(candidate.line) is not None
    return in_comment and (is_placeholder(value) or is_dummy(value))
