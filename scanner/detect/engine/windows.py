"""Detect: cut the text around a prefilter hit, in which the rule's exact pattern runs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from scanner.detect.rules.model import Rule

# Bytes. A hit marks the end of the shortest possible match. A long match, such as a JWT, begins far
# before its hit.
_BEFORE, _AFTER, _LONGEST = 8192, 16384, 8192
_AFTER_MULTILINE = 65536
_LONGEST_MULTILINE = 16384


class Window(NamedTuple):
    """The text around a hit that ends at the offset `hit`.

    low: the offset of `text` in the data.
    covered: hits up to this offset need no other window.
    """

    text: bytes
    low: int
    covered: int
    hit: int = 0

    def cuts(self, m: Any) -> bool:
        """May the window's end cut this match short? Only if the window ends within a line."""
        start, length = self.low + m.start(), len(self.text)
        near_end = start >= self.covered or m.end() == length
        return near_end and start >= self.hit and self.covered < self.low + length


def window_around(data: bytes, to: int, rule: Rule) -> Window:
    """Return the window around a hit that ends at `to`: a line, some lines, or some kilobytes."""
    if rule.lines > 1:
        low, high = _lines_around(data, to, rule.lines)
        end = data.find(b"\n", to, high)
        return Window(data[low:high], low, end if end >= 0 else high, to)
    low = max(0, to - _BEFORE) if rule.multiline else line_start(data, to, _BEFORE)
    after, longest = (
        (_AFTER_MULTILINE, _LONGEST_MULTILINE) if rule.multiline else (_AFTER, _LONGEST)
    )
    end = -1 if rule.multiline else data.find(b"\n", to, to + after)
    high = end if end >= 0 else min(len(data), to + after)
    whole = end >= 0 or high == len(data)
    return Window(data[low:high], low, high if whole else high - longest, to)


def _lines_around(data: bytes, to: int, lines: int) -> tuple[int, int]:
    """Return the span from `lines` line breaks before `to` to the end of `lines` lines after it."""
    lowest, highest = max(0, to - _BEFORE), min(len(data), to + _AFTER)
    low = to
    for _ in range(lines):
        low = data.rfind(b"\n", lowest, low)
        if low < 0:
            low = lowest
            break
    after = _lines(lines).match(data, min(to + 1, highest), highest)
    return low, after.end() if after else highest


@cache
def _lines(count: int) -> re.Pattern[bytes]:
    """Return a pattern for the rest of a line and the `count - 1` lines after it."""
    return re.compile(rb"[^\n]*+(?:\n[^\n]*+){0,%d}" % (count - 1))


def line_start(data: bytes, to: int, most: int) -> int:
    """Return the start of the line that `to` is in, but at most `most` bytes before `to`."""
    return data.rfind(b"\n", max(0, to - most), to) + 1 or max(0, to - most)
