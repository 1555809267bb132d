"""Detect: apply edits to a text, and show the changed lines with every secret masked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scanner.detect import mask
from scanner.detect.fixes.edits import Edit

_BEFORE, _AFTER = 160, 80  # bytes of a long line that are shown around a change
_HIDDEN = "…"
_MIN_COPY = 8  # bytes of a value whose copies are hidden: shorter ones may be parts of names


class Hunk(NamedTuple):
    """Changed lines, masked.

    line, new_line: the number of the first line, from 1, before and after the change.
    """

    line: int
    new_line: int
    old: tuple[str, ...]
    new: tuple[str, ...]


class Masked(NamedTuple):
    """A span of a text that must not be shown, and what is shown instead."""

    start: int
    end: int
    preview: str


def offsets(data: bytes, places: Iterable[tuple[int, int]]) -> Mapping[tuple[int, int], int]:
    """Return the offset of each (line, column), counted as in the locations of findings."""
    found = {}
    number, begin = 1, len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
    text, column, at = None, 1, begin
    for place in sorted(set(places)):
        while number < place[0]:
            begin = data.find(b"\n", begin) + 1
            number, text = number + 1, None
        if text is None:
            end = data.find(b"\n", begin)
            text = data[begin : end if end >= 0 else len(data)].decode(errors="surrogateescape")
            column, at = 1, begin
        at += len(text[column - 1 : place[1] - 1].encode(errors="surrogateescape"))
        column = place[1]
        found[place] = at
    return found


def applied(data: bytes, edits: Sequence[Edit]) -> tuple[bytes, list[tuple[int, int]]]:
    """Apply sorted edits without overlaps. Return the new text, and the span of each edit in it."""
    out, spans, at, size = [], [], 0, 0
    for edit in edits:
        out += [data[at : edit.start], edit.text]
        size += edit.start - at
        spans.append((size, size + len(edit.text)))
        size += len(edit.text)
        at = edit.end
    return b"".join([*out, data[at:]]), spans


def hunks(
    old: bytes,
    new: bytes,
    edits: Sequence[Edit],
    spans: Sequence[tuple[int, int]],
    hidden: tuple[Sequence[Masked], Sequence[Masked]],
) -> tuple[Hunk, ...]:
    """Return the changed lines. `hidden`: the spans of the old and the new text to mask."""
    masked_old, masked_new = _MaskedText(old, hidden[0]), _MaskedText(new, hidden[1])
    made: list[Hunk] = []
    for low, high in _groups(old, edits):
        first, last = edits[low], edits[high - 1]
        before = _around(old, first.start, last.end)
        after = _around(new, spans[low][0], spans[high - 1][1])
        if not last.text and old[last.end - 1 : last.end] == b"\n":  # whole lines were removed
            after = after[0], after[0]
        values = masked_old.values(*before)
        made.append(
            Hunk(
                line=old.count(b"\n", 0, first.start) + 1,
                new_line=new.count(b"\n", 0, spans[low][0]) + 1,
                old=masked_old.shown(*before, values),
                new=masked_new.shown(*after, values),
            )
        )
    return tuple(made)


class _MaskedText:
    """A text whose secrets are hidden."""

    def __init__(self, data: bytes, hidden: Sequence[Masked]) -> None:
        self._data = data
        self._hidden: list[Masked] = []
        for each in sorted(hidden, key=lambda m: (m.start, -m.end)):
            if not self._hidden or each.start >= self._hidden[-1].end:
                self._hidden.append(each)
            elif each.end > self._hidden[-1].end:
                self._hidden[-1] = self._hidden[-1]._replace(end=each.end)
        self._starts = [each.start for each in self._hidden]

    def values(self, start: int, end: int) -> list[bytes]:
        """Return the hidden values in a span that are long enough to hide copies of them, too."""
        found = (self._data[each.start : each.end] for each in self._in(start, end))
        return [value for value in found if len(value) >= _MIN_COPY]

    def shown(self, start: int, end: int, values: Sequence[bytes]) -> tuple[str, ...]:
        """Return the lines of a span, with hidden spans and copies of `values` masked."""
        if start == end:
            return ()
        data, at = self._data, start
        parts = [_HIDDEN] if at and data[at - 1 : at] != b"\n" else []
        for each in self._in(start, end):
            parts += [_without(data[at : max(each.start, at)], values), each.preview]
            at = min(each.end, end)
        parts.append(_without(data[at:end], values))
        if data[end : end + 1] not in {b"", b"\n", b"\r"}:
            parts.append(_HIDDEN)
        return tuple("".join(parts).split("\n"))

    def _in(self, start: int, end: int) -> list[Masked]:
        first = max(bisect_right(self._starts, start) - 1, 0)
        some = self._hidden[first : bisect_left(self._starts, end)]
        return [each for each in some if each.end > start]


def _groups(data: bytes, edits: Sequence[Edit]) -> Iterable[tuple[int, int]]:
    """Group the edits that share lines; each group is a slice."""
    low = 0
    for index in range(1, len(edits) + 1):
        end = edits[index - 1].end
        if index == len(edits) or b"\n" in data[max(end - 1, 0) : edits[index].start]:
            yield low, index
            low = index


def _around(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the lines of a span, limited in length."""
    low = data.rfind(b"\n", 0, start) + 1
    at_end = end > start and data[end - 1 : end] == b"\n"
    high = end - 1 if at_end else data.find(b"\n", end)
    high = len(data) if high < 0 else high
    return max(low, start - _BEFORE), min(high, end + _AFTER)


def _without(text: bytes, values: Sequence[bytes]) -> str:
    for value in values:
        text = text.replace(value, _HIDDEN.encode())
    return mask.text(text)
