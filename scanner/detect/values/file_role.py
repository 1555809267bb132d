"""Detect: tell from a path what a file is for. Fewer secrets are real in tests and manuals."""

from __future__ import annotations

from functools import lru_cache

from scanner.lazy_pattern import lazy

OTHER = "other"
_ROLES = (
    (
        "vendored",
        lazy(
            r"(?i)(?:^|/)(?:vendor|node_modules|third_?party|bower_components|dist|site-packages|gems)/"
        ),
    ),
    (
        "generated",
        lazy(
            r"(?i)\.min\.\w+$|\.map$|\.lock$|-lock\.(?:json|yaml)$|(?:^|/)go\.sum$|_pb2\.py$|\.pb\.go$"
            r"|[._-]generated\.|(?:^|/)generated/"
        ),
    ),
    (
        "test",
        lazy(
            r"(?i)(?:^|[/_.\-])(?:tests?|specs?|testing|testdata|fixtures?|mocks?|stubs?|cassettes?"
            r"|e2e)(?:[/_.\-]|$)|(?-i:(?:Tests?|Spec)\.\w+$)"
        ),
    ),
    (
        "example",
        lazy(
            r"(?i)(?:^|[/_.\-])(?:examples?|samples?|demos?|docs?|tutorials?|templates?|guides?"
            r"|readme)(?:[/_.\-]|$)"
        ),
    ),
)


@lru_cache(maxsize=64)  # a file has many values
def role_of(path: str) -> str:
    """Return "vendored", "generated", "test", "example" or OTHER."""
    return next((role for role, pattern in _ROLES if pattern.search(path)), OTHER)
