"""Detect: the interface through which the engine reports why a value is reported or ignored.

Only `keywatch explain` uses it. A scan passes no trace and does no work for one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import DecodedText
    from scanner.detect.engine.chunks import Buffer, Cursor
    from scanner.detect.engine.matches import Match


class Requirement(enum.Enum):
    """A requirement of a rule that a value may fail."""

    EDGES = enum.auto()
    ENTROPY = enum.auto()
    CHECK = enum.auto()


class MatchSelection(NamedTuple):
    """All matches in one text, and those selected where several overlap.

    hits: the end offsets of the hits, by the number of the rule.
    """

    path: str
    data: bytes
    hits: Mapping[int, Sequence[int]]
    found: Sequence[Match]
    selected: Sequence[Match]


class Trace(Protocol):
    """Receives what happens to the pieces of a file, in order.

    Offsets are those of the text that is being scanned. The name of a file may be scanned before
    its first piece.
    """

    def piece_started(self, path: str, buffer: Buffer, cursor: Cursor) -> None:
        """A piece with hits, which begins at `cursor`, is scanned next."""

    def decoded_text_started(self, decoded: DecodedText) -> None:
        """A text that is encoded in the piece is scanned next."""

    def match_ignored(self, match: Match, failed: Requirement) -> None:
        """A pattern matches, but the value fails a requirement of the rule."""

    def matches_selected(self, selection: MatchSelection) -> None:
        """All rules have run on a text. The likelihood model still rates the selected matches."""
