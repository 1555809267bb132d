"""What each format of audit log offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from scanner.trail.event import Event

MOST_CACHED = 50_000
"""Entries of a cache of actors or targets; a full one is emptied."""


class Reader(Protocol):
    """Turns the entries of one file into events, in their order."""

    def event(self, entry: Any) -> Event | None:
        """The event, or None for an entry that is only a part of a call."""

    def unanswered(self) -> Iterable[Event]:
        """The calls of which only the first part was read."""


class Format(NamedTuple):
    """One format.

    `entry` is the typed entry that msgspec decodes. `marks` are bytes that each line of the format
    contains. `fields` maps the field names of Sigma rules to attributes of the entry. `product` is
    the product of the Sigma logsource. `scheme` begins the canonical ids.
    """

    name: str
    product: str
    scheme: str
    entry: type[Any]
    marks: tuple[bytes, ...]
    fields: Mapping[str, str]
    reader: Callable[[str], Reader]
    """Makes a Reader from the name of the backend."""
    document: type[Any] | None = None
    """A whole file of entries, and the name of its list."""
    items: str = ""
