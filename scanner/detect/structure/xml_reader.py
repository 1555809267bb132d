"""Detect: read XML with expat. Filler replaces entities and declarations, so nothing expands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from xml.parsers import expat

from scanner.detect.structure.leaf import Leaf, NotParsedError, Path, Structure
from scanner.detect.structure.template_filler import filled

_MASK_NON_ASCII = bytes(b if b in b"\t\n\r" or 32 <= b < 127 else 120 for b in range(256))
_DECLARATIONS = {b"<!" + word: b">" for word in (b"ENTITY", b"ELEMENT", b"ATTLIST", b"NOTATION")}
_FILLER = {b"<%": b"%>", b"<?": b"?>", **_DECLARATIONS}
_TEMPLATES = {b"{{": b"}}"}
_ATTRIBUTE = re.compile(rb"""([\w.:\-]+)\s*=\s*(["'])(.*?)\2""", re.DOTALL)
_MAX_SIZE = 5_000_000
_MAX_DEPTH = 100


def read_xml(data: bytes) -> Iterator[Structure]:
    """Yield one document. Raises NotParsedError if it is not well-formed.

    A path has each element's name and its index among its siblings. The last part of the path of an
    attribute is `@name`.
    """
    if len(data) > _MAX_SIZE:
        raise NotParsedError("it is too large")
    masked = filled(filled(data, _TEMPLATES, b"x"), _FILLER, b" ")
    reader = _Reader(data, masked.translate(_MASK_NON_ASCII).replace(b"&", b"x"))
    try:
        reader.parser.Parse(reader.masked, 1)
    except expat.ExpatError:
        raise NotParsedError("it is not well-formed XML") from None
    yield Structure(leaves=tuple(reader.leaves))


class _Reader:
    """Collects leaves from the events of expat. `masked` is the data with filler."""

    def __init__(self, data: bytes, masked: bytes) -> None:
        self.masked = masked
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
        if len(self._path) > 2 * _MAX_DEPTH:
            raise NotParsedError("it is nested too deeply")
        self._path = (*self._path, name, self._counts[-1])
        self._counts[-1] += 1
        self._counts.append(0)
        self._text = None
        after_name = self.parser.CurrentByteIndex + 1 + len(name)
        for found in islice(_ATTRIBUTE.finditer(self.masked, after_name), len(attributes)):
            key = "@" + found[1].decode("ascii")
            start, end = found.span(3)
            leaf = Leaf(path=(*self._path, key), start=start, end=end, style="quoted")
            self.leaves.append(leaf)

    def _characters(self, text: str) -> None:
        start = self.parser.CurrentByteIndex
        self._text = (self._text[0] if self._text else start, start + len(text))

    def _end(self, _name: str) -> None:
        if self._text:
            start, end = self._text
            text = self._data[start:end]
            start += len(text) - len(text.lstrip())
            if text.strip():
                self.leaves.append(
                    Leaf(path=self._path, start=start, end=start + len(text.strip()), style="plain")
                )
        self._text = None
        self._path = self._path[:-2]
        self._counts.pop()
