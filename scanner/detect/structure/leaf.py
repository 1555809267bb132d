"""Detect: the values of a structured file, with their paths and offsets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

Path = tuple[str | int, ...]
MAX_LEAVES = 50_000
"""Values of one document. A file with more holds data, not settings."""
MAX_DEPTH = 100
"""Levels of nesting in one document."""


class Leaf(NamedTuple):
    """A value.

    path: the keys and indexes that lead to it.
    start, end: its span in the file, without quotes.
    style: "plain", "quoted", "block" (a YAML block or here-document), or "fallback" (the default
        in an expression).
    tag: its YAML tag; "" if there is none.
    """

    path: Path
    start: int
    end: int
    style: str = "plain"
    tag: str = ""


class Structure(NamedTuple):
    """One document of a file.

    leaves: its values, in their order.
    kinds: the kinds that its content shows, such as "kubernetes".
    ranges: the ranges of the file whose values count; empty for the whole file. Leaves outside are
        only those that paths need.
    """

    leaves: tuple[Leaf, ...]
    kinds: frozenset[str] = frozenset()
    ranges: Sequence[tuple[int, int]] = ()

    def is_in_range(self, leaf: Leaf) -> bool:
        """Does the value overlap one of the ranges?"""
        if not self.ranges:
            return True
        at = bisect_right(self.ranges, (leaf.start, leaf.start)) - 1
        near = self.ranges[max(at, 0) : at + 2]
        return any(start <= leaf.end and leaf.start <= end for start, end in near)


class NotParsedError(ValueError):
    """The file does not parse. The message contains nothing of the file's content.

    parsed: the documents of the file that do parse.
    unparsed: the ranges of the others; None for the whole file.
    """

    def __init__(
        self,
        reason: str,
        parsed: Sequence[Structure] = (),
        unparsed: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        super().__init__(reason)
        self.parsed = parsed
        self.unparsed = unparsed
