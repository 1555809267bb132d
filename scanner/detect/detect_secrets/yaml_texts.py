"""Detect: find the texts in a YAML file like detect-secrets, but a hundred times faster.

detect-secrets uses PyYAML's pure Python loader. Here the values and lines come from libyaml's
events. If the two may differ, in a value or because the loader's look-ahead changes a line,
DoubtError is raised.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from scanner.detect.detect_secrets.limits import MAX_VALUES, require_at_most

_NON_PRINTABLE = re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern)
_BLOCK_HEADER = re.compile(r"[|>][+\-1-9]{0,2}(?: +#[^\n]*| *)(?:\n|\Z)")
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_KNOWN_TAGS = yaml.SafeLoader.yaml_constructors
_MAX_MERGED = 1_000_000
_NEVER_TEXT = {"=", "<<"}


class DoubtError(Exception):
    """Only the pure Python loader gives the right texts."""


class InvalidError(Exception):
    """The text is not one YAML document that the loader can build."""


class YamlText(NamedTuple):
    """A value that is text.

    line: its line in the transformer's output.
    first, last: its lines in the file.
    escaped: the file may contain it only with escapes.
    """

    key: str
    value: str
    line: int
    first: int
    last: int
    escaped: bool


def texts(text: str) -> list[YamlText]:
    """Return all texts of a YAML file, in the library's order.

    Raises InvalidError if the library does not accept the file, DoubtError if only the library
    gives the right texts, and TooLargeError for too many values.
    """
    if _NON_PRINTABLE.search(text):
        raise InvalidError
    if not hasattr(yaml, "CSafeLoader") or re.search("[\x85\u2028\u2029\ufeff]|__line__", text):
        raise DoubtError
    builder = _Builder(text)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.YAMLError:
        raise DoubtError from None
    return builder.finish()


def in_breadth(root: Any) -> Iterator[YamlText]:
    """Yield the texts below a mapping or sequence, breadth first, in the transformer's order.

    The target of aliases is visited once, since its texts would be the same.
    """
    queue = deque([root])
    seen = set()
    while queue:
        item = queue.popleft()
        if isinstance(item, YamlText):
            yield item
        elif item and id(item) not in seen:
            seen.add(id(item))
            queue.extend(item.values() if isinstance(item, dict) else item)


class _OpenCollection:
    """A mapping or sequence whose end event has not come yet."""

    def __init__(self, event: Any, *, flow: bool) -> None:
        self.mapping = isinstance(event, yaml.MappingStartEvent)
        self.flow = flow
        self.line: int = event.start_mark.line
        self.anchor: str | None = event.anchor
        self.children: Any = {} if self.mapping else []
        self.key: Any = None  # the event of the current key, until its value comes
        self.name: tuple[str, bool] = ("", False)  # the current key, and whether it is text
        self.merging = False  # the current key is `<<`
        self.merged: dict[Any, Any] = {}  # the children of mappings merged by `<<`
        self.other_keys = 0  # keys that are not text
        self.only_numbers = True  # all keys that are not text are plain numbers
        self.end: int | None = None  # the end of the last value; -1 if that is empty


class _Builder:
    """Builds the values of the loader from events, and raises DoubtError if it may be wrong."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root: Any = None
        self._handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        self._open: list[_OpenCollection] = []
        self._anchors: dict[str, Any] = {}  # the children of complete collections
        self._documents = self._values = 0
        self._merged = 0
        self._has_double_key = False
        self._tabs = text.count("\t")
        self._questions = "?" in text

    def take(self, event: Any) -> None:
        handler = self._handlers.get(type(event))
        if handler:
            handler(event)

    def finish(self) -> list[YamlText]:
        if self._tabs:
            raise DoubtError  # a tab is outside of quotes and blocks
        if self._merged and self._has_double_key:
            raise DoubtError  # PyYAML may build both values of a key
        return list(in_breadth(self._root))

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise InvalidError
        if event.version or event.tags:
            raise DoubtError

    def _start(self, event: Any) -> None:
        parent = self._open[-1] if self._open else None
        self._check_properties(event, parent)
        if parent and parent.mapping and parent.key is None:
            raise InvalidError  # the key cannot be hashed
        opened = _OpenCollection(event, flow=bool(event.flow_style))
        in_flow_sequence = parent and parent.flow and not parent.mapping
        if in_flow_sequence and opened.mapping and self._text[event.start_mark.index] != "{":
            raise DoubtError  # it is a pair without braces
        self._open.append(opened)

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        children = {**done.merged, **done.children} if done.merged else done.children
        if done.anchor is not None:
            self._anchors[done.anchor] = children
        self._add(children, event.end_mark.index)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise InvalidError
        children = self._anchors[event.anchor]
        parent = self._open[-1] if self._open else None
        if children is None or (parent and parent.mapping and parent.key is None):
            raise DoubtError  # it names a scalar or its own parent, or it is a key
        if parent is None or not parent.merging:
            self._add(children, event.end_mark.index)
            return
        if isinstance(children, list):
            raise DoubtError
        self._merged += len(children) + 1
        if self._merged > _MAX_MERGED:
            raise InvalidError
        self._has_double_key = self._has_double_key or bool(parent.merged)
        parent.merged.update(children)
        parent.end, parent.key, parent.merging = event.end_mark.index, None, False

    def _scalar(self, event: Any) -> None:
        parent = self._open[-1] if self._open else None
        self._check_properties(event, parent)
        start, end = event.start_mark.index, event.end_mark.index
        value, style = event.value, event.style
        if style:
            self._check_style(style, start, end)
        elif self._questions and "?" in value and parent and parent.flow:
            raise DoubtError
        text = bool(style) or _is_text(value)
        if parent and parent.mapping and parent.key is None:
            self._key(parent, event, text=text)
        elif not text and value in _NEVER_TEXT:
            raise DoubtError
        elif text and parent and parent.mapping:
            key = parent.key
            line = key.start_mark.line + 1
            escaped = self._has_escape(key) or self._has_escape(event)
            last = event.end_mark.line + 1
            found = YamlText(
                key=key.value, value=value, line=line, first=line, last=last, escaped=escaped
            )
            self._add(found, end)
        else:
            self._add(None, -1 if start == end else end)

    def _check_properties(self, event: Any, parent: _OpenCollection | None) -> None:
        """Check the tag and the anchor. Only an alias may follow `<<` here."""
        if parent and parent.merging:
            raise DoubtError
        tag, anchor = event.tag, event.anchor
        if tag is not None:
            raise DoubtError if tag in _KNOWN_TAGS or tag == "!" else InvalidError
        if anchor is not None:
            if anchor in self._anchors:
                raise InvalidError
            self._anchors[anchor] = None

    def _check_style(self, style: str, start: int, end: int) -> None:
        """Raise DoubtError for quoted texts and blocks that libyaml accepts and PyYAML does not."""
        if self._tabs:
            self._tabs -= self._text.count("\t", start, end)
        if style == '"' and self._text.find("\\'", start, end) >= 0:
            raise DoubtError
        if style in "|>" and not _BLOCK_HEADER.match(self._text, start):
            raise DoubtError

    def _has_escape(self, event: Any) -> bool:
        start, end = event.start_mark.index, event.end_mark.index
        return bool(event.style == '"') and self._text.find("\\", start, end) >= 0

    def _key(self, parent: _OpenCollection, event: Any, *, text: bool) -> None:
        start, end, line = event.start_mark.index, event.end_mark.index, event.start_mark.line
        if (event.style or "'") in "|>" or start == end or self._is_unusual_key(start, end):
            raise DoubtError
        if parent.flow and line != parent.line and parent.end is not None:
            gap = self._text[parent.end : start].lstrip(" ")
            if parent.end < 0 or gap[:1] != ",":
                raise DoubtError  # the look-ahead may have seen the comma before
        if not text:
            self._add_other_key(parent, event.value)
        parent.key = event
        parent.name = event.value, text

    def _add_other_key(self, parent: _OpenCollection, value: str) -> None:
        """Register a key that is not text."""
        if value == "<<":
            parent.merging = True
            return
        parent.other_keys += 1
        parent.only_numbers = parent.only_numbers and bool(_NUMBER.fullmatch(value))
        if value == "=" or (parent.other_keys > 1 and not parent.only_numbers):
            raise DoubtError  # 1, 1.0 and true are the same key

    def _is_unusual_key(self, start: int, end: int) -> bool:
        """Is the key at these offsets written in another way than `key:`, such as `? key`?"""
        text = self._text
        while text[end : end + 1] == " ":
            end += 1
        while self._questions and start and text[start - 1] == " ":
            start -= 1
        return text[end : end + 1] != ":" or text[start - 1 : start] == "?"

    def _add(self, child: Any, end: int) -> None:
        """Add a complete value to its parent."""
        self._values += 1
        require_at_most(self._values, MAX_VALUES)
        if not self._open:
            self._root = child
            return
        parent = self._open[-1]
        if not parent.mapping:
            parent.children.append(child)
            return
        if parent.name in parent.children:
            self._has_double_key = True
        parent.children[parent.name] = child
        parent.key = None
        parent.end = end


def _is_text(plain: str) -> bool:
    """Is a scalar without quotes a text, not a number, date, boolean or null?"""
    resolvers: Sequence[tuple[str, re.Pattern[str]]] = _RESOLVERS.get(plain[:1], ())
    return not resolvers or all(not regex.match(plain) for _, regex in resolvers)
