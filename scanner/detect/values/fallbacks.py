"""Detect: is what code uses in place of a secret that is not set a literal of its own?

`fallback` judges a literal beside the name that is read (`getenv("DB_PASSWORD", "…")`),
`positional` one in a place that only a password can have (`login(user, "…")`), `placed` one in a
file of a format that says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanner.detect.values.assignments import is_not_a_string, shannon
from scanner.detect.values.config_values import flaw, is_sensitive, is_vague, strength
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Verdict, judge
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Last words of names that code reads and that say something about a secret.
_ABOUT = re.compile(
    r"(?i)(?:domain|realm|backend|mode|method|role|user(?:_?name)?|login|email|group|namespace|bucket"
    r"|port|topic|queue|cookie|engine|driver|class|kind|plugin|module|handler|status|state|parameter"
    r"|attribute|property|claims?|source|target|subject|tenant|region|zone|prompt|map|mapping|schema"
    r"|cmd|command|script|scheme|preference|color|visible|hidden|shown|authentication|separator|delimiter|charset|chars|rounds|iterations|bits|table|cache)s?$"
)
_PARTS = re.compile(r"[:.\-]")
# What shows that the text is compared, looked for or a part of another, not used as it is.
_GOES_ON = re.compile(
    rb"""["'`]?\s*(?:(?:not\s+)?in\b|[=!]=|is\b|[%<>+]|\.[ \t]"""
    rb"""|\.(?:format|join|replace|split|test|includes)\b)"""
)
# A call that sets or checks a variable is no fallback; nor is the next argument of a call around
# the one that reads it, unless it is the last.
_SETS = re.compile(
    rb"(?i)(?:set_?env\w{0,40}|putenv|SetEnvironmentVariable"
    rb"|(?:assert|cleanse|sensitive|mask|redact|valid|compare|require|expect|parametri[sz]e)\w{0,40})"
    rb"[ \t]{0,4}\("
)
_AFTER_CALL = re.compile(rb"""["'`]\)[ \t]*,[ \t]*(?:\w+[ \t]*=[ \t]*)?["'`]$""")
_LAST = re.compile(rb"""["'`][ \t]*\)""")
_SHORTEST, _LONGEST = 4, 2000
_BEFORE = 200  # bytes before a value in which its call stands
_IS_CODE = re.compile(
    r"^%\w+|^[\w.\-]+\(.*\)$|^[A-Za-z.]+[#:/][A-Za-z]+$|,\s|\s.*\s.*\s"
    r"|^\D*\s\D*$|^[\d.]+(?:\\x00)?$|^[A-Za-z]+[.,]$"
)
_IN_WORDS = re.compile(r"\s|^[a-z]+(?:[-_.][a-z]+)+$")
_EMAIL = re.compile(r"^[\w.+-]+@[\w-]+\.[\w.-]+$")  # what anonymous users give
_SALT = re.compile(r"(?i)salt$")
# Phrases that people write for a secret: `dev-secret-key`, `my session secret`.
_PHRASE = re.compile(
    r"^(?=.*(?:secret|passw|insecure|keyboard|super|change|unsafe))[a-z]+(?:[-_ ][a-z0-9]+){1,4}$"
)
_HOLDS_PHRASE = re.compile(
    r"(?i)(?:secret|pass(?:word|phrase)?|(?:secret|signing|session|jwt|app)_?key)$"
)


def fallback(candidate: Candidate) -> Confidence | None:
    """A check: does the name hold a secret, and is the value a literal that can be one?"""
    at, end = candidate.at, candidate.at + len(candidate.value)
    before = candidate.line[max(at - _BEFORE, 0) : at]
    if _GOES_ON.match(candidate.line, end) or _SETS.search(before) or is_not_a_string(candidate):
        return None
    if _AFTER_CALL.search(before) and not _LAST.match(candidate.line, end):
        return None
    return literal(candidate.name.decode("latin-1"), candidate.value.decode("latin-1"))


def literal(name: str, value: str) -> Confidence | None:
    """How likely a text of code is the secret that its name holds."""
    whole = _PARTS.sub("_", name.strip("-_.:"))
    last = _PARTS.split(name)[-1]
    name = last if is_sensitive(last) else whole
    if _ABOUT.search(name) or not _SHORTEST <= len(value) <= _LONGEST:
        return None
    if _HOLDS_PHRASE.search(name) and _PHRASE.match(value):
        return Confidence.LOW
    if _IS_CODE.search(value):
        return None
    vague = is_vague(name, ()) or bool(_SALT.search(name))
    found = flaw(name, value, sensitive=is_sensitive(name), vague=vague)
    if found:
        return found.confidence if found.verdict is Verdict.LITERAL else None
    return Confidence.MEDIUM if vague and _is_noise(value) else None


def _is_noise(value: str) -> bool:
    """Long and of all kinds of characters, as WordPress makes its keys."""
    kinds = [re.search(kind, value) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]")]
    return len(value) > 31 and all(kinds) and shannon(value.encode("latin-1")) > 4.5


def positional(candidate: Candidate) -> Confidence | None:
    """A check: can the value be a password, whatever stands beside it? No word of a manual can."""
    value = candidate.value.decode("latin-1")
    if not _SHORTEST <= len(value) <= _LONGEST:
        return None
    if _IN_WORDS.search(value) or _IS_CODE.search(value):
        return None
    if judge(value).verdict is not Verdict.LITERAL or is_placeholder(value) or is_dummy(value):
        return None
    return strength("password", value) and Confidence.MEDIUM


def placed(candidate: Candidate) -> Confidence | None:
    """A check: a value that its place alone makes a secret: any literal, unless it is a path, an
    address or a switch. What manuals show may still be in use."""
    value = candidate.value.decode("latin-1")
    if judge(value).verdict is not Verdict.LITERAL or _EMAIL.match(value):
        return None
    sure = strength("password", value)
    return sure and (Confidence.LOW if is_placeholder(value) or is_dummy(value) else sure)
