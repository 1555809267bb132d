"""Detect: judge the values of a Kubernetes Secret manifest.

A Secret often also holds user names, addresses and public certificates. Its `data` is only base64.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING

from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values.config_values import is_sensitive, strength
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Verdict, judge
from scanner.lazy_pattern import lazy
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Names of values that are not secret: `username`, `dbHost`, `tls.crt`, which is a certificate.
_NOT_SECRET_NAME = lazy(
    r"(?i)(?:^|[_\-.]|[a-z](?=[UHPRED]))(?:user(?:_?name)?|login|host(?:name)?|port|database|db|db_?name|schema|region"
    r"|namespace|bucket|email|endpoint|uri|url|type|name|project|issuer|realm|driver|sslmode|ca\.crt"
    r"|tls\.crt|ca\.pem|(?:client|tenant|account|subscription)_?id|enabled?|insecure|from|role)$"
)
_BASE64 = lazy(rb"[A-Za-z0-9+/]+={0,2}")
_UPPERCASE_WORD = lazy(r"[A-Z][A-Z_]*")  # `MISSING`
_NUMBER = lazy(r"[\d.,:]+")
_WORDS = lazy(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)*(?:[-_. ]?\d{1,2})?")
_NOT_LITERAL = frozenset(
    (Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT, Verdict.PLACEHOLDER)
)


def manifest_value(candidate: Candidate) -> Confidence | None:
    """A check: a value of a Secret, in base64 or plain, is a literal secret."""
    name = candidate.name.decode("latin-1")
    if b"\n" in candidate.value.strip() and file_kind(name).reader:
        return None  # it is a nested file, whose values are judged one by one
    text = _decoded(candidate.value)
    if text is None:
        return Confidence.MEDIUM if len(candidate.value) >= 16 else None
    if judge(text).verdict in _NOT_LITERAL:
        return None
    if not is_sensitive(name):
        is_harmless = _NUMBER.fullmatch(text) or _WORDS.fullmatch(text)
        if is_harmless or _NOT_SECRET_NAME.search(name):
            return None
    if _UPPERCASE_WORD.fullmatch(text) or strength("password", text) is None:
        return None
    return Confidence.LOW if is_placeholder(text) or is_dummy(text) else Confidence.MEDIUM


def _decoded(value: bytes) -> str | None:
    """Return the decoded base64, or the value itself if it is not base64; None for binary data."""
    stripped = value.strip()
    if len(stripped) % 4 or not _BASE64.fullmatch(stripped):
        return value.decode("latin-1")
    plain = a2b_base64(stripped)
    if plain.isascii() and plain.decode("ascii").strip().isprintable():
        return plain.decode("ascii")
    is_binary = len(stripped) >= 16 and re.search(rb"[A-Z]", stripped)
    return None if is_binary else value.decode("latin-1")
