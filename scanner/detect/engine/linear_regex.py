"""Detect: patterns in the linear engine, so that no input makes one slow."""

from __future__ import annotations

import re
from functools import cache
from typing import Any


@cache
def linear(pattern: str) -> Any:
    """A compiled pattern over bytes of the linear engine; of `re` where google-re2 has no wheel."""
    try:
        import re2
    except ImportError:
        return re.compile(pattern.encode())
    chosen = options(re2)
    chosen.max_mem = 64 << 20
    return re2.compile(pattern.encode(), chosen)


def options(re2: Any) -> Any:
    """Bytes as they are, like the matcher: in UTF-8, `.` is no byte of a file in Latin-1."""
    chosen = re2.Options()
    chosen.encoding = re2.Options.Encoding.LATIN1
    chosen.log_errors = False
    return chosen


def secret_group(pattern: Any) -> int:
    """The number of the group that is the value, 0 for the whole match."""
    return _group(pattern, "secret")


def name_group(pattern: Any) -> int:
    """The number of the group that is the name of the value, 0 where there is none."""
    return _group(pattern, "name")


def _group(pattern: Any, name: str) -> int:
    groups = pattern.groupindex  # text in `re`, bytes in RE2
    return int(groups.get(name) or groups.get(name.encode()) or 0)
