"""Inventory: read fields of JSON from a Kubernetes server, without trust.

A value of the wrong type, or one that is too long or not printable, counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

_MAX_LENGTH = 253
"""Characters. Kubernetes allows no longer names."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)")


def at(tree: object, *keys: str) -> object:
    """The value at these keys, None if one of them is missing."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def fields(tree: object, *keys: str) -> Mapping[str, object]:
    found = at(tree, *keys)
    return found if isinstance(found, dict) else {}


def each(tree: object, *keys: str) -> Iterator[object]:
    found = at(tree, *keys)
    yield from found if isinstance(found, list) else ()


def text(tree: object, *keys: str) -> str:
    found = at(tree, *keys)
    return found if isinstance(found, str) and is_plain(found) else ""


def is_plain(found: str) -> bool:
    return len(found) <= _MAX_LENGTH and found.isprintable()


def number(tree: object, *keys: str) -> int:
    """A positive integer, 0 for anything else."""
    found = at(tree, *keys)
    return found if type(found) is int and found > 0 else 0


def moment(tree: object, *keys: str) -> datetime | None:
    """An RFC 3339 time with a time zone, None for anything else."""
    try:
        found = datetime.fromisoformat(text(tree, *keys))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def epoch(tree: object, *keys: str) -> datetime | None:
    """A time in seconds since 1970. None for 0, which means that there is no time."""
    seconds = number(tree, *keys)
    return later(_EPOCH, seconds) if seconds else None


def later(since: datetime, seconds: int) -> datetime | None:
    """None if the result is outside the calendar."""
    try:
        return since + timedelta(seconds=seconds)
    except OverflowError:
        return None


def duration(tree: object, *keys: str) -> int:
    """The seconds of a duration in Go's format, for example `1h30m0s`. 0 for anything else."""
    parts = _PART.findall(text(tree, *keys))
    return int(sum(float(count) * _SECONDS[unit] for count, unit in parts))
