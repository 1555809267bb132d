"""Detect: XML -> leaves, by expat. Entities and declarations are filler, so nothing expands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from scanner.detect.structure.leaf import Leaf, NotParsedError, Path, Structure

_ASCII = bytes(b if b in b"\t\n\r" or 32 <= b < 127 else 120 for b in range(256))
_FILLER = re.compile(
    rb"<!DOCTYPE(?:[^\[>]|\[.*?\])*>|<%.*?%>|<\?(?!xml).*?\?>|<\?xml[^>]*\?>", re.DOTALL
)
_TEMPLATE = re.compile(rb"\{\{.*?\}\}", re.DOTALL)
_ATTRIBUTE = re.compile(rb"""([\w.:\-]+)\s*=\s*(["'])(.*?)\2""", re.DOTALL)
_LARGEST = 5_000_000
_DEEPEST = 100


def read_xml(data: bytes) -> Iterator[Structure]:
    """Texts by their elements (each followed by its number among its siblings), `@name` for an
    attribute. NotParsedError where expat refuses it."""
    if len(data) > _LARGEST:
        raise NotParsedError("it is too large")
    masked = _TEMPLATE.sub(lambda m: re.sub(rb"[^\n]", b"x", m[0]), data)
    masked = _FILLER.sub(lambda m: re.sub(rb"[^\n]", b" ", m[0]), masked)
    reader = _Reader(data)
    try:
        reader.parser.Parse(masked.translate(_ASCII).replace(b"&", b"x"), 1)
    except expat.ExpatError:
        raise NotParsedError("it is not well-formed XML") from None
    yield Structure(tuple(reader.leaves))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.leaves: list[Leaf] = []
        self._data = data
        self._path: Path = ()
        self._counts: list[int] = [0]
        self._text: tuple[int, int] | None = None
        self.parser: Any = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) > 2 * _DEEPEST:
            raise NotParsedError("it is nested too deeply")
        self._path = (*self._path, name, self._counts[-1])
        self._counts[-1] += 1
        self._counts.append(0)
        self._text = None
        if attributes:
            self._attributes()

    def _attributes(self) -> None:
        start = self.parser.CurrentByteIndex
        end = start + 1
        for found in _ATTRIBUTE.finditer(self._data, start):
            if b">" in self._data[end : found.start()]:
                return
            end = found.end()
            name = found[1].decode("latin-1")
            self.leaves.append(Leaf((*self._path, f"@{name}"), *found.span(3), "quoted"))

    def _characters(self, text: str) -> None:
        start = self.parser.CurrentByteIndex
        self._text = (self._text[0] if self._text else start, start + len(text))

    def _end(self, _name: str) -> None:
        if self._text:
            start, end = self._text
            text = self._data[start:end]
            start += len(text) - len(text.lstrip())
            if text.strip():
                self.leaves.append(Leaf(self._path, start, start + len(text.strip()), "plain"))
        self._text = None
        self._path = self._path[:-2]
        self._counts.pop()
