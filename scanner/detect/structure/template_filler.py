"""Detect: replace templates in a file with filler of the same length, so that a parser accepts it.

Every function takes linear time: once a closing delimiter is missing, it is not searched again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_EXCEPT_NEWLINE = re.compile(rb"[^\n]")
_BLANK_REST = re.compile(rb"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")

_Span = tuple[int, int]
Delimiters = Mapping[bytes, bytes]
"""The closing delimiter for each opening delimiter of a template."""
ERB: Delimiters = {b"<%": b"%>"}


def spans(data: bytes, delimiters: Delimiters) -> Iterator[_Span]:
    """Yield the spans of templates, in order."""
    openings = re.compile(b"|".join(map(re.escape, delimiters)))
    missing: set[bytes] = set()
    at = 0
    while found := openings.search(data, at):
        close = delimiters[found[0]]
        end = -1 if close in missing else data.find(close, found.end())
        if end < 0:
            missing.add(close)
            if len(missing) == len(set(delimiters.values())):
                return
            at = found.start() + 1
        else:
            at = end + len(close)
            yield found.start(), at


def filled(data: bytes, delimiters: Delimiters, by: bytes) -> bytes:
    """Return the data with each template replaced with the byte `by`, except line breaks."""
    return _fill_spans(data, spans(data, delimiters), by)


def filled_matches(pattern: re.Pattern[bytes], data: bytes, by: bytes) -> bytes:
    """Return the data with each match replaced with the byte `by`, except line breaks."""
    return pattern.sub(lambda match: filler_for(match[0], by), data)


def without_lines(data: bytes, delimiters: Delimiters) -> bytes:
    """Return the data with spaces in place of templates on lines that hold only templates."""
    blank: list[_Span] = []
    line: list[_Span] = []  # the templates of the line so far, if there is no other text
    reached = 0
    for start, end in spans(data, delimiters):
        if start < reached:
            continue  # it is in a comment that is part of the last span
        _, broken, gap = data[reached:start].rpartition(b"\n")
        is_first = broken or not reached or data[reached - 1] == 0x0A
        line = [] if broken or gap.strip() else line
        if gap.strip() or not (line or is_first):
            reached = end
            continue
        rest = _BLANK_REST.match(data, end)
        reached = rest.end() if rest else end
        line.append((start, reached))
        if rest:
            blank += line
            line = []
    return _fill_spans(data, blank, b" ")


def filler_for(text: bytes, by: bytes) -> bytes:
    """Return a text of the same length and line breaks that consists of the byte `by`."""
    return _EXCEPT_NEWLINE.sub(by, text)


def _fill_spans(data: bytes, found: Iterable[_Span], by: bytes) -> bytes:
    parts, last = [], 0
    for start, end in found:
        parts += [data[last:start], filler_for(data[start:end], by)]
        last = end
    return b"".join([*parts, data[last:]])
