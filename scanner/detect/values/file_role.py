"""Detect: what a file is for, by its path. In a test or a manual fewer secrets are real."""

from __future__ import annotations

import re
from functools import lru_cache

ELSEWHERE = "other"
_PLACES = (
    (
        "vendored",
        re.compile(
            r"(?i)(?:^|/)(?:vendor|node_modules|third_?party|bower_components|dist|site-packages|gems)/"
        ),
    ),
    (
        "generated",
        re.compile(
            r"(?i)\.min\.\w+$|\.map$|\.lock$|-lock\.(?:json|yaml)$|(?:^|/)go\.sum$|_pb2\.py$|\.pb\.go$"
            r"|[._-]generated\.|(?:^|/)generated/"
        ),
    ),
    (
        "test",
        re.compile(
            r"(?i)(?:^|[/_.\-])(?:tests?|specs?|testing|testdata|fixtures?|mocks?|stubs?|cassettes?"
            r"|e2e)(?:[/_.\-]|$)|(?-i:(?:Tests?|Spec)\.\w+$)"
        ),
    ),
    (
        "example",
        re.compile(
            r"(?i)(?:^|[/_.\-])(?:examples?|samples?|demos?|docs?|tutorials?|templates?|guides?"
            r"|readme)(?:[/_.\-]|$)"
        ),
    ),
)


@lru_cache(maxsize=64)  # a file has many values
def place_of(path: str) -> str:
    """vendored, generated, test, example, or ELSEWHERE."""
    return next((place for place, pattern in _PLACES if pattern.search(path)), ELSEWHERE)
