"""Detect: one value of a structured file, and where it stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

Path = tuple[str | int, ...]
MOST_LEAVES = 50_000
"""Of one document: what has more is data, not settings."""
DEEPEST = 100


class Leaf(NamedTuple):
    """A value: the keys and indexes that lead to it, and its bytes without quotes.

    `style` is how it is written: plain, quoted, block (lines of their own), or fallback (what an
    expression gives where its reference is not set). `tag` is its YAML tag, "" for none.
    """

    path: Path
    start: int
    end: int
    style: str = "plain"
    tag: str = ""


class Structure(NamedTuple):
    """The values of one document of a file, in their order. `kinds`: what the content tells.

    `zones`: the stretches of the file that are looked at, all of it where there are none. What lies
    outside was read as far as the paths need it.
    """

    leaves: tuple[Leaf, ...]
    kinds: frozenset[str] = frozenset()
    zones: Sequence[tuple[int, int]] = ()

    def is_looked_at(self, leaf: Leaf) -> bool:
        """Does the value lie in a zone?"""
        if not self.zones:
            return True
        at = bisect_right(self.zones, (leaf.start, leaf.start)) - 1
        near = self.zones[max(at, 0) : at + 2]
        return any(start <= leaf.end and leaf.start <= end for start, end in near)


class NotParsedError(ValueError):
    """The file does not parse: its lines are all there is. Says nothing of its content."""
