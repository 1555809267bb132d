"""Detect: reduce a YAML file to the lines that some values need, since a full parse is slow.

Indentation shows which lines are the parents of a line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner.detect.structure.leaf import Leaf

# Indentation, dashes of items, and the first character of the text: `  - name`.
_LINE = re.compile(rb"(?P<indent>[ \t]*)(?P<item>(?:-[ \t]+)*-?)(?P<text>[^\r\n]?)")
_DOCUMENT_START = b"\n---"
_MAX_LINES_AFTER = 100  # lines of one value


class Excerpt(NamedTuple):
    """Lines of a file.

    starts: the offsets in `data` at which each run of adjacent lines begins.
    origins: the offsets of the same runs in the file.
    """

    data: bytes
    starts: Sequence[int]
    origins: Sequence[int]

    def in_file(self, leaf: Leaf) -> Leaf:
        """Return a leaf of the excerpt with its offsets in the file."""
        return leaf._replace(start=self._origin(leaf.start), end=self._origin(leaf.end))

    def _origin(self, at: int) -> int:
        run = bisect_right(self.starts, at) - 1
        return self.origins[run] + at - self.starts[run]


def documents_around(data: bytes, places: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the ranges of the documents that contain these offsets; () if it is the whole file."""
    starts = [0, *_document_starts(data)]
    wanted = sorted({bisect_right(starts, place) - 1 for place in places})
    if len(wanted) == len(starts):
        return ()
    ends = [*(start - 1 for start in starts[1:]), len(data)]
    return tuple((starts[number], ends[number]) for number in wanted)


def _document_starts(data: bytes) -> Iterator[int]:
    """Yield the offsets of the lines that begin a document, except for the first line."""
    at = data.find(_DOCUMENT_START)
    while at >= 0:
        yield at + 1
        at = data.find(_DOCUMENT_START, at + 1)


def excerpt(data: bytes, ranges: Sequence[tuple[int, int]]) -> Excerpt:
    """Return the lines of the ranges, their children, and their parents.

    `ranges` are sorted ranges of whole lines.
    """
    kept = set(ranges)
    visited: set[int] = set()
    known: set[tuple[int, int]] = set()
    for start, end in ranges:
        kept.update(_parents(data, start, visited))
        kept.update(_children(data, start, end, known))
    for start in (0, *_document_starts(data)):
        if data.startswith(b"---", start):
            end = data.find(b"\n", start)
            kept.add((start, end if end >= 0 else len(data)))
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
    """Return the indentation of a line, whether it begins an item, and whether it has text."""
    found = _LINE.match(data, at)
    assert found is not None  # noqa: S101 - every part of it may be empty
    text, end = found["text"], found.end("text")
    control = text in {b"{", b"<"} and data[end : end + 1] in {b"{", b"%"}
    has_text = bool(found["item"]) or not (control or text in {b"", b"#"})
    return len(found["indent"]), bool(found["item"]), has_text


def _parents(data: bytes, start: int, visited: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the spans of the lines that are the parents of one, the nearest first.

    `visited` holds the offsets of lines whose parents are known, and is updated. A line has the
    same parents as its neighbours, so that a list of any length is read only once.
    """
    indent, is_item, _ = _indent(data, start)
    visited.add(start)
    end = start - 1
    while end > 0 and (indent or is_item):
        low = data.rfind(b"\n", 0, end) + 1
        if data.startswith(b"---", low):
            return
        own, own_item, has_text = _indent(data, low)
        if low in visited and (own, own_item) == (indent, is_item):
            return
        is_parent = own < indent or (own == indent and is_item and not own_item)
        if has_text and is_parent:
            yield low, end
            if low in visited:
                return
            visited.add(low)
            indent, is_item = own, own_item
        end = low - 1


def _children(
    data: bytes, start: int, end: int, known: set[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the spans of the lines after a range that belong to its last line or its mapping.

    `known` holds lines that were read before, each with the indentation of the range, and is
    updated, so that lines after many ranges are read only once.
    """
    last = data.rfind(b"\n", start, end) + 1 or start
    indent, is_item, _ = _indent(data, last)
    indent += is_item  # the other lines of an item are deeper than its dash
    for _ in range(_MAX_LINES_AFTER):
        low = end + 1
        if low >= len(data) or (low, indent) in known:
            return
        known.add((low, indent))
        end = data.find(b"\n", low)
        end = len(data) if end < 0 else end
        own, own_item, has_text = _indent(data, low)
        if has_text and (own < indent or (own == indent and own_item)):
            return
        yield low, end
