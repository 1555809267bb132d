"""What each format of audit log offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from scanner.trail.event import Event

MOST_CALLS = 20_000
"""Kinds of calls that a reader keeps; a full table is emptied."""

UNDECODED = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError, OverflowError)
"""What decoding a damaged line raises."""


class Reader(Protocol):
    """Turns the lines of one log into events, in their order. `broken` counts lines that turned out
    to be damaged after they were read."""

    broken: int

    def read(self, line: bytes, /) -> Event | None:
        """The event of a line, or None for a line that is only a part of a call.

        Raises what msgspec raises for a line that is not of the format.
        """

    def unanswered(self) -> Iterable[Event]:
        """The calls of which only the first part was read."""


class DocumentReader(Reader, Protocol):
    """A reader of a format whose files may be one document of many entries."""

    def event(self, entry: Any) -> Event | None: ...


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
    varying: frozenset[str] = frozenset()
    """Fields that differ between two events of one Call."""
    whole: Callable[[Any], None] | None = None
    """Decodes what an entry holds undecoded, before its fields are looked at."""
    document: type[Any] | None = None
    """A whole file of entries, and the name of its list."""
    items: str = ""
