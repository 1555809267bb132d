"""Detect: limits for the memory that the detect-secrets layer uses for one file.

detect-secrets takes minutes or hours for a file that exceeds them.
"""

from __future__ import annotations

from array import array
from typing import AnyStr

MAX_VALUES = 100_000
"""Values of one YAML file. Each takes about 500 bytes."""

MAX_OPTIONS = 50_000
"""Lines of one INI file. Each takes about 1,000 bytes."""

MAX_LINES = MAX_HITS = 300_000
"""Lines of one YAML file, and prefilter hits in one file."""

MAX_NON_ASCII = 8 << 20
"""Characters of one non-ASCII text that is transformed. Each may take four bytes."""


class TooLargeError(Exception):
    """The layer would need too much memory for a file."""


def require_at_most(count: int, most: int) -> None:
    """Raise TooLargeError if `count` is over `most`."""
    if count > most:
        raise TooLargeError


def offsets_of(character: AnyStr, text: AnyStr) -> array[int]:
    """Return the offsets of a character in a text."""
    found = array("I")
    at = text.find(character)
    while at >= 0:
        found.append(at)
        at = text.find(character, at + 1)
    return found


class SplitLines:
    r"""The lines of a text, as `text.split("\n")` returns them, with only four bytes for each."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = offsets_of("\n", text)
        self._ends.append(len(text))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] + 1 if index else 0
        return self._text[start : self._ends[index]]
