"""Detect: judge literals of code that are a secret by their position.

`fallback` judges the default of a variable (`getenv("DB_PASSWORD", "…")`), `positional` an argument
that must be a password (`login(user, "…")`), `placed` a field of a file format for credentials.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanner.detect.values.assignments import (
    is_dull_in_minified_line,
    is_joined_words,
    is_not_a_string,
    is_short_word_for_machine,
    shannon,
)
from scanner.detect.values.code_context import why_no_secret
from scanner.detect.values.config_values import find_flaw, is_sensitive, is_vague, strength
from scanner.detect.values.placeholders import is_dummy, is_known_placeholder, is_placeholder
from scanner.detect.values.templates import Verdict, judge
from scanner.file_types import suffix_of
from scanner.lazy_pattern import lazy
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Last words of names of variables that hold data about a secret: `AUTH_DOMAIN`, `token_method`.
_METADATA_NAME = lazy(
    r"(?i)(?:domain|realm|backend|mode|method|role|user(?:_?name)?|login|email|group|namespace|bucket"
    r"|port|topic|queue|cookie|engine|driver|class|kind|plugin|module|handler|status|state|parameter"
    r"|attribute|property|claims?|source|target|subject|tenant|region|zone|prompt|map|mapping|schema"
    r"|cmd|command|script|scheme|action|priority|nonce|signature|owner|generator|preference|color|visible|hidden|shown|authentication|separator|delimiter|charset|chars|rounds|iterations|bits|table|cache)s?$"
)
_SEPARATOR = lazy(r"[:.\-]")
# Text after a literal that is compared, searched or joined, not used as it is: `" in x`, `" == x`,
# `" + x`, `".format(`.
_USED_IN_EXPRESSION = lazy(
    rb"""["'`]?\s*(?:(?:not\s+)?in\b|[=!]=|is\b|[%<>+]|\.[ \t]"""
    rb"""|\.(?:format|join|replace|split|test|includes)\b)"""
)
# A call that sets or checks a variable: `putenv(`, `assert_equal(`. Its argument is not a default.
_SETS_OR_CHECKS = lazy(
    rb"(?i)(?:set_?env\w{0,40}|putenv|SetEnvironmentVariable"
    rb"|(?:assert|cleanse|sensitive|mask|redact|valid|compare|require|expect|parametri[sz]e)\w{0,40})"
    rb"[ \t]{0,4}\("
)
# `f(getenv("NAME"), "…"`: the literal is a default only if it is the last argument.
_AFTER_CALL = lazy(rb"""["'`]\)[ \t]*,[ \t]*(?:\w+[ \t]*=[ \t]*)?["'`]$""")
_LAST_ARGUMENT = lazy(rb"""["'`][ \t]*\)""")
_SLASHES = lazy(rb"""//\s*(?:[\w.]+\()?["'`]$""")
_DEFINED_OR = frozenset("pl pm t jq ex exs".split())  # where `//` gives a default
_ELVIS = lazy(rb"""\?:\s*(?:[\w.]+\()?["'`]$""")
# Where `?:` gives a default; "" is a Jenkinsfile.
_HAS_ELVIS = frozenset(("", *"kt kts php phtml inc twig groovy gradle c cc cpp h hpp m mm".split()))
_MIN_LENGTH, _MAX_LENGTH = 4, 2000
_BYTES_BEFORE = 200  # of the line before a value that may hold its call
# `%s`, `f(x)`, `a.b#c`, `a, b`, `two words`, `1.2.3`, `word.`
_CODE_OR_TEXT = lazy(
    r"^%\w+|^[\w.\-]+\(.*\)$|^[A-Za-z.]+[#:/][A-Za-z]+$|,\s|\s.*\s.*\s"
    r"|^\D*\s\D*$|^[\d.]+(?:\\x00)?$|^[A-Za-z]+[.,]$"
)
_IN_WORDS = lazy(r"\s|^[a-z]+(?:[-_.][a-z]+)+$")
_EMAIL = lazy(r"^[\w.+-]+@[\w-]+\.[\w.-]+$")  # anonymous users log in with an address
_SALT = lazy(r"(?i)salt$")
# Before a value: `which is identified by "` is no statement of SQL.
_PROSE_BEFORE = lazy(rb"""\bidentified by\s+["'`]?$""")
_SQL_WORD = lazy(rb"(?i)\b(?:user|grant|create|alter|role|set|with)\b")
# Phrases that people use as a secret: `dev-secret-key`, `my session secret`.
_PHRASE = lazy(
    r"^(?=.*(?:secret|passw|insecure|keyboard|super|change|unsafe))[a-z]+(?:[-_ ][a-z0-9]+){1,4}$"
)
# Names whose values may be a phrase: `SESSION_SECRET`, `jwt_key`.
_PHRASE_NAME = lazy(r"(?i)(?:secret|pass(?:word|phrase)?|(?:secret|signing|session|jwt|app)_?key)$")


def fallback(candidate: Candidate) -> Confidence | None:
    """A check: the variable holds a secret, and its default is a literal that can be one."""
    at, end = candidate.at, candidate.at + len(candidate.value)
    before = candidate.line[max(at - _BYTES_BEFORE, 0) : at]
    if _USED_IN_EXPRESSION.match(candidate.line, end) or _SETS_OR_CHECKS.search(before):
        return None
    if is_not_a_string(candidate) or why_no_secret(candidate):
        return None
    if is_dull_in_minified_line(candidate):
        return None
    if _is_no_operator(before, suffix_of(candidate.path)):
        return None
    if _AFTER_CALL.search(before) and not _LAST_ARGUMENT.match(candidate.line, end):
        return None
    return literal(candidate.name.decode("latin-1"), candidate.value.decode("latin-1"))


def _is_no_operator(before: bytes, suffix: str) -> bool:
    """Is what looks like an operator a comment (`//`) or an optional property (`name?:`)?"""
    if _SLASHES.search(before):
        return suffix not in _DEFINED_OR
    return _ELVIS.search(before) is not None and suffix not in _HAS_ELVIS


def literal(name: str, value: str) -> Confidence | None:
    """Return the confidence that a literal of code is the secret of this name; None if not."""
    whole = _SEPARATOR.sub("_", name.strip("-_.:"))
    last = _SEPARATOR.split(name)[-1]
    name = last if is_sensitive(last) else whole
    if _METADATA_NAME.search(name) or not _MIN_LENGTH <= len(value) <= _MAX_LENGTH:
        return None
    if _PHRASE_NAME.search(name) and _PHRASE.match(value):
        return Confidence.LOW
    if _CODE_OR_TEXT.search(value) or is_short_word_for_machine(name, value):
        return None
    vague = is_vague(name, ()) or bool(_SALT.search(name))
    found = find_flaw(name, value, sensitive=is_sensitive(name), vague=vague)
    if found:
        return found.confidence if found.verdict is Verdict.LITERAL else None
    return Confidence.MEDIUM if vague and _is_random_text(value) else None


def _is_random_text(value: str) -> bool:
    """Is it long and of all kinds of characters, like the keys that WordPress generates?"""
    kinds = [re.search(kind, value) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]")]
    return len(value) > 31 and all(kinds) and shannon(value.encode("latin-1")) > 4.5


def positional(candidate: Candidate) -> Confidence | None:
    """A check: the argument can be a password, and is not a placeholder."""
    value = candidate.value.decode("latin-1")
    if not _MIN_LENGTH <= len(value) <= _MAX_LENGTH:
        return None
    if _IN_WORDS.search(value) or _CODE_OR_TEXT.search(value) or is_joined_words(value):
        return None
    if _is_parameter(candidate):
        return None
    if judge(value).verdict is not Verdict.LITERAL or is_known_placeholder(value, password=True):
        return None
    return strength("password", value) and Confidence.MEDIUM


def _is_parameter(candidate: Candidate) -> bool:
    """Does it repeat its name after a sigil: `SET password=@password`, `SET pwd = :pwd`?"""
    value = candidate.value.lower()
    before = candidate.line[: candidate.at].lower().rstrip(b" \t=")
    return value[:1] in (b"@", b":") and before.endswith(value[1:])


def placed(candidate: Candidate) -> Confidence | None:
    """A check: the field is for a secret, and its value is not a path, an address or a switch.

    A placeholder counts with low confidence, since it may be in use.
    """
    value = candidate.value.decode("latin-1")
    if judge(value).verdict is not Verdict.LITERAL or _EMAIL.match(value):
        return None
    before = candidate.line[: candidate.at]
    if _PROSE_BEFORE.search(before) and not _SQL_WORD.search(before):
        return None
    confidence = strength("password", value)
    if confidence and (is_placeholder(value) or is_dummy(value)):
        return Confidence.LOW
    return confidence
