"""Detect: compile patterns with RE2, which takes linear time for any input."""

from __future__ import annotations

import re
from functools import cache
from typing import Any


@cache
def linear(pattern: str) -> Any:
    """Compile a pattern over bytes with RE2, or with `re` if google-re2 is not installed."""
    try:
        import re2
    except ImportError:
        return re.compile(pattern.encode())
    chosen = options(re2)
    chosen.max_mem = 64 << 20
    return re2.compile(pattern.encode(), chosen)


def options(re2: Any) -> Any:
    """Return RE2 options for patterns over bytes.

    Latin-1 gives one character a byte, as in the matcher. With UTF-8, `.` would not match the bytes
    of a Latin-1 file.
    """
    chosen = re2.Options()
    chosen.encoding = re2.Options.Encoding.LATIN1
    chosen.log_errors = False
    return chosen


def secret_group(pattern: Any) -> int:
    """Return the number of the group `secret`; 0, the whole match, if there is none."""
    return _group(pattern, "secret")


def name_group(pattern: Any) -> int:
    """Return the number of the group `name`; 0 if there is none."""
    return _group(pattern, "name")


def _group(pattern: Any, name: str) -> int:
    groups = pattern.groupindex  # its keys are str in `re`, bytes in RE2
    return int(groups.get(name) or groups.get(name.encode()) or 0)
