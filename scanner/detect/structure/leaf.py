"""Detect: one value of a structured file, and where it stands."""

from __future__ import annotations

from typing import NamedTuple

Path = tuple[str | int, ...]


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
    """The values of one document of a file, in their order. `kinds`: what the content tells."""

    leaves: tuple[Leaf, ...]
    kinds: frozenset[str] = frozenset()


class NotParsedError(ValueError):
    """The file does not parse: its lines are all there is. Says nothing of its content."""
