"""Detect: who is told what becomes of each value that a rule looks at, where anybody asks.

A scan has no Trace, and pays nothing for it: what there is to tell is put together only for one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import DecodedText
    from scanner.detect.engine.chunks import Buffer, Cursor
    from scanner.detect.engine.matches import Match


class Refusal(enum.Enum):
    """Which demand of its rule a value does not meet."""

    EDGES = enum.auto()
    ENTROPY = enum.auto()
    CHECK = enum.auto()


class Choice(NamedTuple):
    """All that the rules found in one text, and what is left where several share bytes. `ends`: by
    the numbers of rules, the ends of their hits."""

    path: str
    data: bytes
    ends: Mapping[int, Sequence[int]]
    found: Sequence[Match]
    kept: Sequence[Match]


class Trace(Protocol):
    """Is told of a file's pieces, in order. Offsets are those of the text that is looked at.

    Before the first of them a file's name may be looked at.
    """

    def begins(self, path: str, buffer: Buffer, place: Cursor) -> None:
        """A piece of the file with hits is looked at, which begins at `place`."""

    def decoded(self, inner: DecodedText) -> None:
        """A text is looked at that is encoded in the piece."""

    def refused(self, match: Match, why: Refusal) -> None:
        """A pattern matches, and its rule refuses the value."""

    def chosen(self, choice: Choice) -> None:
        """The rules have looked at all of a text. What is kept of it is still to be weighed."""
