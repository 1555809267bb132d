"""Detect: JSON -> leaves, as people write it: with comments, trailing commas, bare words.

Where only zones are asked for, the rest is passed over from bracket to bracket. A parser in C that
knows places makes a tree of all of it first, which takes three times as long as going past.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scanner.detect.structure.file_kinds import content_kinds
from scanner.detect.structure.filler import ERB, filled, filled_matches
from scanner.detect.structure.leaf import (
    DEEPEST,
    MOST_LEAVES,
    Leaf,
    NotParsedError,
    Path,
    Structure,
)

_EXPRESSION = re.compile(rb"\{\{[^{}\n]*\}\}")
# Escaped quotes are those of JSON in a string of JSON. Possessive: no text makes one go back.
_STRING = (
    rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\''
    rb'|\\"[^"\\\n]*+(?:\\\\.[^"\\\n]*+)*+\\"'
)
_COMMENT = rb"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/"
_TOKEN = re.compile(
    _STRING + rb"|" + _COMMENT + rb"|[{}\[\],:]|[^\s{}\[\],:\"'\\/][^\s{}\[\],:\"'\\]*|\S"
)
_PLAIN = rb"(?:[^\"'\\/{}\[\]]++|" + _STRING + rb"|" + _COMMENT + rb"|/(?![/*]))"
# What holds no other bracket is passed over at once, as most of what has brackets is.
_FLAT = rb"\{" + _PLAIN + rb"*+\}|\[" + _PLAIN + rb"*+\]"
_BETWEEN = rb"(?:" + _PLAIN + rb"|" + _FLAT + rb")*+"
_TO_END = re.compile(_BETWEEN, re.DOTALL)
_TO_BRACKET = re.compile(_BETWEEN + rb"[{}\[\]]", re.DOTALL)
_KEY = re.compile(rb"(?:\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'|([\w$.\-]+))\s*:\s*\Z")
_LONGEST_KEY = 300
_LARGEST, _LARGEST_IN_PART = 1_000_000, 4_000_000


def read_json(data: bytes, zones: Sequence[tuple[int, int]] = ()) -> Iterator[Structure]:
    """The documents of a file; NotParsedError where it is none.

    `zones`: the stretches of whole lines that are asked for, in order; all where there are none.
    """
    if len(data) > (_LARGEST_IN_PART if zones else _LARGEST):
        raise NotParsedError("it is too large")
    text = filled(filled_matches(_EXPRESSION, data, b"x"), ERB, b"x")
    walk = _Walk(text, data)
    for start, end in zones or ((0, len(data)),):
        walk.pass_to(start)
        walk.read_to(end)
    if not zones:
        walk.demand_end()
    for leaves in walk.documents:
        yield Structure(leaves=tuple(leaves), kinds=content_kinds(leaves))


class _Open:
    """An object or an array that is not closed yet. `key`: of what comes next in it."""

    def __init__(self, path: Path, *, is_object: bool) -> None:
        self.path = path
        self.is_object = is_object
        self.key: str | None = None
        self.count = 0
        self.is_after_value = False
        self.is_after_colon = not is_object

    def wait_for_any(self) -> None:
        """What comes next may be a key, a value of an array, or the end."""
        self.key = None
        self.is_after_value = False
        self.is_after_colon = not self.is_object

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
        self._passed: list[int] = []  # where what is open within the last of the stack begins
        self._count = 0

    def pass_to(self, end: int) -> None:
        """On to `end`, which no token crosses, with an eye on brackets alone."""
        text, passed, at = self._text, self._passed, self._at
        while found := _TO_BRACKET.match(text, at, end):
            at = found.end()
            bracket = text[at - 1]
            if bracket in b"{[":
                passed.append(at - 1)
                if len(passed) > DEEPEST:
                    raise _too_deep()
            elif not passed:
                self._close(text[at - 1 : at])
            elif text[passed.pop()] + 2 != bracket:  # in ASCII a pair is two apart
                raise _refused()
        rest = _TO_END.match(text, at, end)
        if at < end and (not rest or rest.end() != end):
            raise _refused()
        self._at = max(at, end)

    def read_to(self, end: int) -> None:
        self._resume()
        for token in _TOKEN.finditer(self._text, self._at, end):
            self._take(token[0], token.start(), token.end())
        self._at = max(self._at, end)

    def demand_end(self) -> None:
        if self._stack:
            raise _refused()

    def _resume(self) -> None:
        """What was opened on the way, with its path; where in the last one we are is not known.

        An item's index is not known either: the place where it begins stands for it.
        """
        for at in self._passed:
            above = self._stack[-1] if self._stack else None
            key = (self._key_before(at) if above.is_object else at,) if above else ()
            self._open(self._text[at : at + 1], (*(above.path if above else ()), *key))
        self._passed.clear()
        if self._stack:
            self._stack[-1].wait_for_any()

    def _key_before(self, at: int) -> str:
        found = _KEY.search(self._text, max(0, at - _LONGEST_KEY), at)
        if not found:
            raise _refused()
        group = found.lastindex or 0
        return self._data[found.start(group) : found.end(group)].decode("latin-1")

    def _take(self, token: bytes, start: int, end: int) -> None:
        first = token[:1]
        top = self._stack[-1] if self._stack else None
        if first in b"{[":
            self._open(first, (*top.path, top.next_key()) if top else ())
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
        if self._count > MOST_LEAVES:
            raise NotParsedError("it has too many values")
        path = (*top.path, top.next_key())
        self.documents[-1].append(
            Leaf(path=path, start=start, end=end, style="quoted" if quote else "plain")
        )

    def _open(self, bracket: bytes, path: Path) -> None:
        if len(self._stack) >= DEEPEST:
            raise _too_deep()
        if not self._stack and self.documents[-1]:
            self.documents.append([])
        self._stack.append(_Open(path, is_object=bracket == b"{"))

    def _close(self, bracket: bytes) -> None:
        if not self._stack or self._stack.pop().is_object != (bracket == b"}"):
            raise _refused()
        if self._stack:
            self._stack[-1].wait_for_any()
            self._stack[-1].is_after_value = True


def _too_deep() -> NotParsedError:
    return NotParsedError("it is nested too deeply")


def _refused() -> NotParsedError:
    return NotParsedError("it is not valid JSON")
