"""Detect: is a value of a Kubernetes Secret one that must not be read?

All that a Secret holds is called secret, but many a value in one is a user's name, an address or a
public certificate; and `data` is only base64.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING

from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values.config_values import is_sensitive, strength
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Verdict, judge
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Names of what stands beside a secret. `tls.crt` and `ca.crt` are certificates.
_BESIDE = re.compile(
    r"(?i)(?:^|[_\-.]|[a-z](?=[UHPRED]))(?:user(?:_?name)?|login|host(?:name)?|port|database|db|db_?name|schema|region"
    r"|namespace|bucket|email|endpoint|uri|url|type|name|project|issuer|realm|driver|sslmode|ca\.crt"
    r"|tls\.crt|ca\.pem|(?:client|tenant|account|subscription)_?id|enabled?|insecure|from|role)$"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_UPPER = re.compile(r"[A-Z][A-Z_]*")  # `MISSING`
_NUMBER = re.compile(r"[\d.,:]+")
_WORDS = re.compile(r"[A-Za-z]+(?:[-_. ][A-Za-z]+)*(?:[-_. ]?\d{1,2})?")
_NO_LITERAL = frozenset(
    (Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT, Verdict.PLACEHOLDER)
)


def manifest_value(candidate: Candidate) -> Confidence | None:
    """A check: a value under a key of a Secret, in base64 or plain."""
    name = candidate.name.decode("latin-1")
    if b"\n" in candidate.value.strip() and file_kind(name).reader:
        return None  # a file of its own, whose values are read
    text = _decoded(candidate.value)
    if text is None:
        return Confidence.MEDIUM if len(candidate.value) >= 16 else None
    if judge(text).verdict in _NO_LITERAL or (_BESIDE.search(name) and not is_sensitive(name)):
        return None
    if not is_sensitive(name) and (_NUMBER.fullmatch(text) or _WORDS.fullmatch(text)):
        return None
    if _UPPER.fullmatch(text) or strength("password", text) is None:
        return None
    low = is_placeholder(text) or is_dummy(text)
    return Confidence.LOW if low else Confidence.MEDIUM


def _decoded(value: bytes) -> str | None:
    """What base64 stands for, or the value itself; None for bytes that are no text."""
    stripped = value.strip()
    if len(stripped) % 4 or not _BASE64.fullmatch(stripped):
        return value.decode("latin-1")
    plain = a2b_base64(stripped)
    if plain.isascii() and plain.decode("ascii").strip().isprintable():
        return plain.decode("ascii")
    return (
        None if len(stripped) >= 16 and re.search(rb"[A-Z]", stripped) else value.decode("latin-1")
    )
