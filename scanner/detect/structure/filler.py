"""Detect: templates in a file that another parser reads -> filler of the same length.

All of it is linear: a closing mark that is missing once is missing for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_NO_BREAK = re.compile(rb"[^\n]")
_REST = re.compile(rb"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")

_Span = tuple[int, int]
Marks = Mapping[bytes, bytes]
ERB: Marks = {b"<%": b"%>"}


def spans(data: bytes, marks: Marks) -> Iterator[_Span]:
    """Where templates stand, in order. `marks`: what closes each opening."""
    openings = re.compile(b"|".join(map(re.escape, marks)))
    missing: set[bytes] = set()
    at = 0
    while found := openings.search(data, at):
        close = marks[found[0]]
        end = -1 if close in missing else data.find(close, found.end())
        if end < 0:
            missing.add(close)
            if len(missing) == len(set(marks.values())):
                return
            at = found.start() + 1
        else:
            at = end + len(close)
            yield found.start(), at


def filled(data: bytes, marks: Marks, by: bytes) -> bytes:
    """The data with each template written over."""
    return _over(data, spans(data, marks), by)


def filled_matches(pattern: re.Pattern[bytes], data: bytes, by: bytes) -> bytes:
    """The data with each match written over."""
    return pattern.sub(lambda match: written_over(match[0], by), data)


def without_lines(data: bytes, marks: Marks) -> bytes:
    """The data with blanks for the templates that have their lines to themselves."""
    blank: list[_Span] = []
    line: list[_Span] = []  # the templates so far, if there is nothing else
    reached = 0
    for start, end in spans(data, marks):
        if start < reached:
            continue  # in a comment that is blank now
        _, broken, gap = data[reached:start].rpartition(b"\n")
        is_first = broken or not reached or data[reached - 1] == 0x0A
        line = [] if broken or gap.strip() else line
        if gap.strip() or not (line or is_first):
            reached = end
            continue
        rest = _REST.match(data, end)
        reached = rest.end() if rest else end
        line.append((start, reached))
        if rest:
            blank += line
            line = []
    return _over(data, blank, b" ")


def written_over(text: bytes, by: bytes) -> bytes:
    """A text of the same length and lines."""
    return _NO_BREAK.sub(by, text)


def _over(data: bytes, found: Iterable[_Span], by: bytes) -> bytes:
    parts, done = [], 0
    for start, end in found:
        parts += [data[done:start], written_over(data[start:end], by)]
        done = end
    return b"".join([*parts, data[done:]])
