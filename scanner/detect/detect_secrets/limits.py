"""Detect: how much of a file the detect-secrets layer holds in memory, at most.

detect-secrets itself takes minutes, or hours, for a file that is too large here.
"""

from __future__ import annotations

from array import array
from typing import AnyStr

MOST_VALUES = 100_000
"""Values of one YAML file: some 500 bytes each."""

MOST_OPTIONS = 50_000
"""Lines of one INI file: some 1,000 bytes each."""

MOST_LINES = MOST_HITS = 300_000
"""Lines that YAML is written in, and places in one file to look at."""

MOST_WIDE = 8 << 20
"""Characters of one text to transform that is not ASCII: they may take four bytes each."""


class TooLargeError(Exception):
    """The layer would need too much memory for a file."""


def demand(count: int, most: int) -> None:
    """TooLargeError for more than `most`."""
    if count > most:
        raise TooLargeError


def places(needle: AnyStr, text: AnyStr) -> array[int]:
    """Each place of a letter in a text."""
    found = array("I")
    at = text.find(needle)
    while at >= 0:
        found.append(at)
        at = text.find(needle, at + 1)
    return found


class Split:
    """A text in its lines, as `str.split` gives them, at four bytes a line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = places("\n", text)
        self._ends.append(len(text))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] + 1 if index else 0
        return self._text[start : self._ends[index]]
