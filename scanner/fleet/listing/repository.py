"""What the APIs say about one repository, before it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Repository(NamedTuple):
    """`path` is its name below the host: acme/web. `address` is where to clone it from. `fork_of`
    is the path of its parent, UNKNOWN_PARENT or "". `size` is in bytes."""

    path: str
    address: str
    team: str = ""
    archived: bool = False
    fork_of: str = ""
    size: int = 0


def text(item: Mapping[str, Any], *keys: str) -> str:
    """A text in nested objects, "" if it is missing or something else."""
    found = _at(item, *keys)
    return found if isinstance(found, str) else ""


def number(item: Mapping[str, Any], *keys: str) -> int:
    """A number that is not negative, 0 if it is missing or something else."""
    found = _at(item, *keys)
    return max(found, 0) if isinstance(found, int) else 0


def _at(item: Mapping[str, Any], *keys: str) -> object:
    found: Any = item
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
