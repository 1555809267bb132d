"""Detect: JSON -> leaves, as people write it: with comments, trailing commas, bare words.

Where only zones are asked for, the rest is passed over from bracket to bracket. A parser in C that
knows places makes a tree of all of it first, and that alone takes as long as this whole walk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scanner.detect.structure.filler import filled, written_over
from scanner.detect.structure.leaf import Leaf, NotParsedError, Path, Structure
from scanner.detect.structure.yaml_reader import content_kinds

_EXPRESSION = re.compile(rb"\{\{[^{}\n]*\}\}")
_ERB = {b"<%": b"%>"}
# Escaped quotes are those of JSON in a string of JSON. Possessive: no text makes one go back.
_STRING = (
    rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\''
    rb'|\\"[^"\\\n]*+(?:\\\\.[^"\\\n]*+)*+\\"'
)
_COMMENT = rb"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/"
_TOKEN = re.compile(
    _STRING + rb"|" + _COMMENT + rb"|[{}\[\],:]|[^\s{}\[\],:\"'\\/][^\s{}\[\],:\"'\\]*|\S"
)
_TO_BRACKET = re.compile(
    rb"(?:[^\"'\\/{}\[\]]++|" + _STRING + rb"|" + _COMMENT + rb"|/(?![/*]))*+", re.DOTALL
)
_KEY = re.compile(rb"(?:\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'|([\w$.\-]+))\s*:\s*\Z")
_LONGEST_KEY = 300
_LARGEST, _LARGEST_IN_PART = 1_000_000, 4_000_000
_MOST_LEAVES = 50_000
_DEEPEST = 100


def read_json(data: bytes, zones: Sequence[tuple[int, int]] = ()) -> Iterator[Structure]:
    """The documents of a file; NotParsedError where it is none.

    `zones`: the stretches of whole lines that are asked for, in order; all where there are none.
    """
    if len(data) > (_LARGEST_IN_PART if zones else _LARGEST):
        raise NotParsedError("it is too large")
    text = filled(_EXPRESSION.sub(lambda m: written_over(m[0], b"x"), data), _ERB, b"x")
    walk = _Walk(text, data)
    for start, end in zones or ((0, len(data)),):
        walk.pass_to(start)
        walk.read_to(end)
    if not zones:
        walk.demand_end()
    for leaves in walk.documents:
        yield Structure(tuple(leaves), content_kinds(leaves))


class _Open:
    """An object or an array that is not closed yet. `key`: of what comes next in it."""

    def __init__(self, at: int, path: Path | None, *, is_object: bool) -> None:
        self.at = at
        self.is_object = is_object
        self.path = path  # None: it was passed over
        self.key: str | None = None
        self.count = 0
        self.is_after_value = False
        self.is_after_colon = not is_object

    def next_key(self) -> str | int:
        """The key or the index of a value that comes now."""
        if self.is_after_value or not self.is_after_colon:
            raise _refused()
        key = self.key if self.is_object else self.count
        self.count += 1
        self.key = None
        self.is_after_value = True
        self.is_after_colon = not self.is_object
        assert key is not None  # noqa: S101 - a colon comes after a key alone
        return key


class _Walk:
    """Through the text of a file, forwards; the leaves that it read, for each document."""

    def __init__(self, text: bytes, data: bytes) -> None:
        self.documents: list[list[Leaf]] = [[]]
        self._text = text
        self._data = data
        self._at = 0
        self._stack: list[_Open] = []
        self._count = 0

    def pass_to(self, end: int) -> None:
        """On to `end`, which no token crosses, with an eye on brackets alone."""
        text = self._text
        while self._at < end:
            self._at = _TO_BRACKET.match(text, self._at, end).end()  # type: ignore[union-attr]
            if self._at >= end:
                return
            byte = text[self._at : self._at + 1]
            if byte in b"{[":
                self._open(byte, None)
            elif byte in b"}]":
                self._close(byte)
            else:
                raise _refused()
            self._at += 1

    def read_to(self, end: int) -> None:
        self._resume()
        for token in _TOKEN.finditer(self._text, self._at, end):
            self._take(token[0], token.start(), token.end())
        self._at = max(self._at, end)

    def demand_end(self) -> None:
        if self._stack or not any(self.documents):
            raise _refused()

    def _resume(self) -> None:
        """The paths of what was opened on the way; where in the last one we are is not known."""
        path: Path = ()
        for index, each in enumerate(self._stack):
            if each.path is None:
                each.path = (*path, self._key_of(each, self._stack[index - 1])) if index else ()
            path = each.path
        if self._stack:
            last = self._stack[-1]
            last.key, last.is_after_value, last.is_after_colon = None, False, not last.is_object

    def _key_of(self, opened: _Open, parent: _Open) -> str | int:
        if not parent.is_object:
            return parent.count - 1
        found = _KEY.search(self._text, max(0, opened.at - _LONGEST_KEY), opened.at)
        if not found:
            raise _refused()
        group = found.lastindex or 0
        return self._data[found.start(group) : found.end(group)].decode("latin-1")

    def _take(self, token: bytes, start: int, end: int) -> None:
        first = token[:1]
        top = self._stack[-1] if self._stack else None
        if first in b"{[":
            self._open(first, (*(top.path or ()), top.next_key()) if top else ())
            self._stack[-1].at = start
        elif first in b"}]":
            self._close(first)
        elif first == b"/" and len(token) > 1:
            return
        elif first == b"," and top:
            if not top.is_after_value and top.count:
                raise _refused()
            top.is_after_value = False
        elif first == b":" and top and top.key is not None and not top.is_after_colon:
            top.is_after_colon = True
        else:
            self._scalar(token, start, end, top)

    def _scalar(self, token: bytes, start: int, end: int, top: _Open | None) -> None:
        quote = 2 if token[:1] == b"\\" else int(token[:1] in b"\"'")
        if top is None or token in b",:/" or (quote and len(token) < 2 * quote):
            raise _refused()
        start, end = start + quote, end - quote
        end = start + len(self._data[start:end].rstrip())
        if top.is_object and not top.is_after_colon:
            if top.key is not None or top.is_after_value:
                raise _refused()
            top.key = self._data[start:end].decode("latin-1")
            return
        self._count += 1
        if self._count > _MOST_LEAVES:
            raise NotParsedError("it has too many values")
        path = (*(top.path or ()), top.next_key())
        self.documents[-1].append(Leaf(path, start, end, "quoted" if quote else "plain"))

    def _open(self, bracket: bytes, path: Path | None) -> None:
        if len(self._stack) >= _DEEPEST:
            raise NotParsedError("it is nested too deeply")
        if path is None and self._stack:
            self._stack[-1].count += 1
        if not self._stack and self.documents[-1]:
            self.documents.append([])
        self._stack.append(_Open(self._at, path, is_object=bracket == b"{"))

    def _close(self, bracket: bytes) -> None:
        if not self._stack or self._stack.pop().is_object != (bracket == b"}"):
            raise _refused()
        if self._stack:
            above = self._stack[-1]
            above.key, above.is_after_value = None, True
            above.is_after_colon = not above.is_object


def _refused() -> NotParsedError:
    return NotParsedError("it is not valid JSON")
