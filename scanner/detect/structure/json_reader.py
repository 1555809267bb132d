"""Detect: read JSON with comments, trailing commas and unquoted words.

If only ranges are requested, the reader skips the text between them and looks only at brackets.
This is three times faster than a parser in C that builds a tree with offsets of the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scanner.detect.structure.file_kinds import content_kinds
from scanner.detect.structure.leaf import (
    MAX_DEPTH,
    MAX_LEAVES,
    Leaf,
    NotParsedError,
    Path,
    Structure,
)
from scanner.detect.structure.template_filler import ERB, filled, filled_matches

_EXPRESSION = re.compile(rb"\{\{[^{}\n]*\}\}")
# The last alternative, `\"…\"`, is a string of JSON that is nested in a string. The quantifiers are
# possessive, so that no text causes backtracking.
_STRING = (
    rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|\'[^\'\\\n]*+(?:\\.[^\'\\\n]*+)*+\''
    rb'|\\"[^"\\\n]*+(?:\\\\.[^"\\\n]*+)*+\\"'
)
_COMMENT = rb"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/"
# A string, a comment, a bracket or sign, a bare word, or any other character.
_TOKEN = re.compile(
    _STRING + rb"|" + _COMMENT + rb"|[{}\[\],:]|[^\s{}\[\],:\"'\\/][^\s{}\[\],:\"'\\]*|\S"
)
_PLAIN_TEXT = rb"(?:[^\"'\\/{}\[\]]++|" + _STRING + rb"|" + _COMMENT + rb"|/(?![/*]))"
# Brackets without inner brackets, such as `{"a": 1}`, which are most brackets.
_CLOSED_BRACKETS = rb"\{" + _PLAIN_TEXT + rb"*+\}|\[" + _PLAIN_TEXT + rb"*+\]"
_WITHOUT_BRACKETS = rb"(?:" + _PLAIN_TEXT + rb"|" + _CLOSED_BRACKETS + rb")*+"
_REST = re.compile(_WITHOUT_BRACKETS, re.DOTALL)
_UP_TO_BRACKET = re.compile(_WITHOUT_BRACKETS + rb"[{}\[\]]", re.DOTALL)
# The key before a value: `"name": `, `'name': ` or `name: `.
_KEY = re.compile(rb"(?:\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'|([\w$.\-]+))\s*:\s*\Z")
_ESCAPE = re.compile(r"\\u00([0-9A-Fa-f]{2})")
_CLOSING_BRACKET = {ord("{"): ord("}"), ord("["): ord("]")}
_MAX_KEY_LENGTH = 300
_MAX_SIZE, _MAX_SIZE_IN_PARTS = 1_000_000, 4_000_000


def read_json(data: bytes, ranges: Sequence[tuple[int, int]] = ()) -> Iterator[Structure]:
    """Yield the documents of a file. Raises NotParsedError if it is not JSON.

    ranges: sorted ranges of whole lines; empty for the whole file.
    """
    if len(data) > (_MAX_SIZE_IN_PARTS if ranges else _MAX_SIZE):
        raise NotParsedError("it is too large")
    text = filled(filled_matches(_EXPRESSION, data, b"x"), ERB, b"x")
    parser = _Parser(text, data)
    for start, end in ranges or ((0, len(data)),):
        parser.skip_to(start)
        parser.read_to(end)
    if not ranges:
        parser.require_end()
    for leaves in parser.documents:
        yield Structure(leaves=tuple(leaves), kinds=content_kinds(leaves))


class _OpenBracket:
    """An object or an array that is not closed yet. `key` is the key of its next value."""

    def __init__(self, path: Path, *, is_object: bool) -> None:
        self.path = path
        self.is_object = is_object
        self.key: str | None = None
        self.count = 0
        self.is_after_value = False
        self.is_after_colon = not is_object

    def accept_any(self) -> None:
        """Accept a key, a value of an array, or the end as the next token."""
        self.key = None
        self.is_after_value = False
        self.is_after_colon = not self.is_object

    def take_key(self) -> str | int:
        """Return the key or the index of the value that is read now."""
        if self.is_after_value or not self.is_after_colon:
            raise _not_valid()
        key = self.key if self.is_object else self.count
        self.count += 1
        self.key = None
        self.is_after_value = True
        self.is_after_colon = not self.is_object
        assert key is not None  # noqa: S101 - the colon before the value needs a key
        return key


class _Parser:
    """Reads the text of a file forwards, and collects the leaves of each document.

    text: the data with filler in place of templates.
    """

    def __init__(self, text: bytes, data: bytes) -> None:
        self.documents: list[list[Leaf]] = [[]]
        self._text = text
        self._data = data
        self._at = 0
        self._stack: list[_OpenBracket] = []
        self._skipped: list[int] = []  # offsets of open brackets inside the last one of the stack
        self._count = 0

    def skip_to(self, end: int) -> None:
        """Advance to `end`, which no token crosses, and look only at brackets."""
        text, skipped, at = self._text, self._skipped, self._at
        while found := _UP_TO_BRACKET.match(text, at, end):
            at = found.end()
            bracket = text[at - 1]
            if bracket in b"{[":
                skipped.append(at - 1)
                if len(skipped) > MAX_DEPTH:
                    raise _too_deep()
            elif not skipped:
                self._close(text[at - 1 : at])
            elif bracket != _CLOSING_BRACKET[text[skipped.pop()]]:
                raise _not_valid()
        rest = _REST.match(text, at, end)
        if at < end and (not rest or rest.end() != end):
            raise _not_valid()
        self._at = max(at, end)

    def read_to(self, end: int) -> None:
        """Read all tokens up to `end`."""
        self._resume()
        for token in _TOKEN.finditer(self._text, self._at, end):
            self._take_token(token[0], token.start(), token.end())
        self._at = max(self._at, end)

    def require_end(self) -> None:
        """Raise NotParsedError if a bracket is still open."""
        if self._stack:
            raise _not_valid()

    def _resume(self) -> None:
        """Put the skipped open brackets on the stack, with their paths.

        The index of a skipped item is unknown, so its offset replaces it in the path. The position
        in the last bracket is unknown too.
        """
        for at in self._skipped:
            parent = self._stack[-1] if self._stack else None
            path: Path = ()
            if parent:
                path = (*parent.path, self._key_before(at) if parent.is_object else at)
            self._open(self._text[at : at + 1], path)
        self._skipped.clear()
        if self._stack:
            self._stack[-1].accept_any()

    def _key_before(self, at: int) -> str:
        found = _KEY.search(self._text, max(0, at - _MAX_KEY_LENGTH), at)
        if not found:
            raise _not_valid()
        group = found.lastindex or 0
        return _key(self._data[found.start(group) : found.end(group)])

    def _take_token(self, token: bytes, start: int, end: int) -> None:
        first = token[:1]
        top = self._stack[-1] if self._stack else None
        if first in b"{[":
            self._open(first, (*top.path, top.take_key()) if top else ())
        elif first in b"}]":
            self._close(first)
        elif first == b"/" and len(token) > 1:
            return
        elif first == b"," and top:
            if not top.is_after_value and top.count:
                raise _not_valid()
            top.is_after_value = False
        elif first == b":" and top and top.key is not None and not top.is_after_colon:
            top.is_after_colon = True
        else:
            self._take_scalar(token, start, end, top)

    def _take_scalar(self, token: bytes, start: int, end: int, top: _OpenBracket | None) -> None:
        quote = 2 if token[:1] == b"\\" else int(token[:1] in b"\"'")
        if top is None or token in b",:/" or (quote and len(token) < 2 * quote):
            raise _not_valid()
        start, end = start + quote, end - quote
        end = start + len(self._data[start:end].rstrip())
        if top.is_object and not top.is_after_colon:
            if top.key is not None or top.is_after_value:
                raise _not_valid()
            top.key = _key(self._data[start:end])
            return
        self._count += 1
        if self._count > MAX_LEAVES:
            raise NotParsedError("it has too many values")
        path = (*top.path, top.take_key())
        self.documents[-1].append(
            Leaf(path=path, start=start, end=end, style="quoted" if quote else "plain")
        )

    def _open(self, bracket: bytes, path: Path) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _too_deep()
        if not self._stack and self.documents[-1]:
            self.documents.append([])
        self._stack.append(_OpenBracket(path, is_object=bracket == b"{"))

    def _close(self, bracket: bytes) -> None:
        if not self._stack or self._stack.pop().is_object != (bracket == b"}"):
            raise _not_valid()
        if self._stack:
            self._stack[-1].accept_any()
            self._stack[-1].is_after_value = True


def _key(text: bytes) -> str:
    """Return a key without its escapes, which may hide a name."""
    key = text.decode("latin-1")
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), key) if "\\u" in key else key


def _too_deep() -> NotParsedError:
    return NotParsedError("it is nested too deeply")


def _not_valid() -> NotParsedError:
    return NotParsedError("it is not valid JSON")
