"""Detect: the surroundings of a hit, where the exact pattern of its rule runs."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from scanner.detect.rules.model import Rule

# A hit is at the end of a match's shortest form: long ones (a JWT) begin far before it.
_BEFORE, _AFTER, _LONGEST = 8192, 16384, 8192
_AFTER_MULTILINE = 65536
_LONGEST_MULTILINE = 16384


class Window(NamedTuple):
    """Where the exact pattern runs for a hit that ends at `hit`; hits up to `covered` need no other
    window."""

    text: bytes
    low: int
    covered: int
    hit: int = 0

    def cuts(self, m: Any) -> bool:
        """May a match after the hit be cut short, in a window that ends within a line?"""
        start, length = self.low + m.start(), len(self.text)
        near_end = start >= self.covered or m.end() == length
        return near_end and start >= self.hit and self.covered < self.low + length


def window_around(data: bytes, to: int, rule: Rule) -> Window:
    """The surroundings of a hit that ends at `to`."""
    if rule.lines > 1:
        low, high = _lines_around(data, to, rule.lines)
        end = data.find(b"\n", to, high)
        return Window(data[low:high], low, end if end >= 0 else high, to)
    low = max(0, to - _BEFORE) if rule.multiline else line_start(data, to, _BEFORE)
    after, again = (_AFTER_MULTILINE, _LONGEST_MULTILINE) if rule.multiline else (_AFTER, _LONGEST)
    end = -1 if rule.multiline else data.find(b"\n", to, to + after)
    high = end if end >= 0 else min(len(data), to + after)
    whole = end >= 0 or high == len(data)
    return Window(data[low:high], low, high if whole else high - again, to)


def _lines_around(data: bytes, to: int, lines: int) -> tuple[int, int]:
    """From the beginning of the line so many before `to` to the end of the one so many after."""
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
    """So many lines, the rest of the first one, without the last line break."""
    return re.compile(rb"[^\n]*+(?:\n[^\n]*+){0,%d}" % (count - 1))


def line_start(data: bytes, to: int, most: int) -> int:
    """The beginning of the line at `to`, or the place in it that is `most` bytes before."""
    return data.rfind(b"\n", max(0, to - most), to) + 1 or max(0, to - most)
