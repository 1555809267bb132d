"""Detect: YAML without the lines that do not matter, so that a large file costs no full parse.

Indentation alone says which lines lead to one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner.detect.structure.leaf import Leaf

_LINE = re.compile(rb"(?P<indent>[ \t]*)(?P<item>(?:-[ \t]+)*-?)(?P<text>[^\r\n]?)")
_BREAK = re.compile(rb"^---[^\n]*", re.MULTILINE)
_MOST_AFTER = 100  # lines of one value


class Excerpt(NamedTuple):
    """Lines of a file. `starts`: where each stretch of them begins in `data`; `origins`: where in
    the file."""

    data: bytes
    starts: Sequence[int]
    origins: Sequence[int]

    def in_file(self, leaf: Leaf) -> Leaf:
        """A leaf of the excerpt, where it stands in the file."""
        return leaf._replace(start=self._origin(leaf.start), end=self._origin(leaf.end))

    def _origin(self, at: int) -> int:
        stretch = bisect_right(self.starts, at) - 1
        return self.origins[stretch] + at - self.starts[stretch]


def excerpt(data: bytes, zones: Sequence[tuple[int, int]]) -> Excerpt:
    """The file with only the zones (whole lines, in order), what belongs to them, and the lines
    above that lead to each."""
    kept = set(zones)
    met: set[int] = set()
    for start, end in zones:
        kept.update(_above(data, start, met))
        kept.update(_after(data, start, end))
    kept.update(found.span() for found in _BREAK.finditer(data))
    parts: list[bytes] = []
    starts: list[int] = []
    origins: list[int] = []
    size = reached = 0
    for low, high in sorted(kept):
        start = max(low, reached)
        if start >= high:
            continue
        starts.append(size)
        origins.append(start)
        parts.append(data[start:high] + b"\n")
        size += high - start + 1
        reached = high
    return Excerpt(data=b"".join(parts), starts=starts, origins=origins)


def _indent(data: bytes, at: int) -> tuple[int, bool, bool]:
    """How far the line at `at` is indented, whether it begins an item, and whether it has text."""
    found = _LINE.match(data, at)
    assert found is not None  # noqa: S101 - every part of it may be empty
    text, end = found["text"], found.end("text")
    control = text in {b"{", b"<"} and data[end : end + 1] in {b"{", b"%"}
    has_text = bool(found["item"]) or not (control or text in {b"", b"#"})
    return len(found["indent"]), bool(found["item"]), has_text


def _above(data: bytes, start: int, met: set[int]) -> Iterator[tuple[int, int]]:
    """The lines before one that it stands under, the nearest first.

    `met`: where lines begin whose own were asked for before. What leads to one of these leads to
    its neighbours too: a list of any length is gone through once.
    """
    indent, is_item, _ = _indent(data, start)
    met.add(start)
    end = start - 1
    while end > 0 and (indent or is_item):
        low = data.rfind(b"\n", 0, end) + 1
        if data.startswith(b"---", low):
            return
        own, own_item, has_text = _indent(data, low)
        if low in met and (own, own_item) == (indent, is_item):
            return
        leads = own < indent or (own == indent and is_item and not own_item)
        if has_text and leads:
            yield low, end
            if low in met:
                return
            met.add(low)
            indent, is_item = own, own_item
        end = low - 1


def _after(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The lines that follow and belong to the last one of a zone: deeper, or beside it."""
    last = data.rfind(b"\n", start, end) + 1 or start
    indent, is_item, _ = _indent(data, last)
    indent += is_item  # what follows an item's first line is deeper than its dash
    for _ in range(_MOST_AFTER):
        low = end + 1
        if low >= len(data):
            return
        end = data.find(b"\n", low)
        end = len(data) if end < 0 else end
        own, own_item, has_text = _indent(data, low)
        if has_text and (own < indent or (own == indent and own_item)):
            return
        yield low, end
