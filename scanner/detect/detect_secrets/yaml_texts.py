"""Detect: the texts in a YAML file, as detect-secrets finds them, in a hundredth of its time.

It runs PyYAML's pure Python loader. Here libyaml's events give the same values and lines. Where the
two are known to differ, or where the look-ahead of the other puts a line elsewhere, DoubtError says
so.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from scanner.detect.detect_secrets.limits import MOST_VALUES, demand

_BINARY = re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern)
_BLOCK_HEADER = re.compile(r"[|>][+\-1-9]{0,2}(?: +#[^\n]*| *)(?:\n|\Z)")
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_KNOWN_TAGS = yaml.SafeLoader.yaml_constructors
_MOST_MERGED = 1_000_000
_NEVER_TEXT = {"=", "<<"}


class DoubtError(Exception):
    """Only the pure Python loader knows."""


class InvalidError(Exception):
    """No single YAML document that the loader can build."""


class Text(NamedTuple):
    """A value that is text. `line` is the transformer's, `first` to `last` are those it lies in.

    `escaped`: its text may be other than what stands in the file.
    """

    key: str
    value: str
    line: int
    first: int
    last: int
    escaped: bool


def texts(text: str) -> list[Text]:
    """All texts of a YAML file, in the library's order.

    InvalidError where the library takes the file for no YAML, DoubtError where only it knows,
    TooLargeError for one of very many values.
    """
    if _BINARY.search(text):
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


def in_breadth(root: Any) -> Iterator[Text]:
    """The texts below a mapping or sequence, nearest first, as the transformer walks.

    What an alias repeats is seen once: its texts would be the same.
    """
    queue = deque([root])
    seen = set()
    while queue:
        item = queue.popleft()
        if isinstance(item, Text):
            yield item
        elif item and id(item) not in seen:
            seen.add(id(item))
            queue.extend(item.values() if isinstance(item, dict) else item)


class _Open:
    """A collection whose end has not come yet. `children`: by key in a mapping."""

    def __init__(self, event: Any, *, flow: bool) -> None:
        self.mapping = isinstance(event, yaml.MappingStartEvent)
        self.flow = flow
        self.line: int = event.start_mark.line
        self.anchor: str | None = event.anchor
        self.children: Any = {} if self.mapping else []
        self.key: Any = None  # the event of a key whose value has not come yet
        self.name: tuple[str, bool] = ("", False)  # of that key, and whether it is text
        self.merging = False  # that key is `<<`
        self.merged: dict[Any, Any] = {}  # of mappings that `<<` names
        self.others = 0  # keys that are no text
        self.numbers = True  # ... and all plain numbers
        self.end: int | None = None  # of the value before; -1 where that is empty


class _Builder:
    """Takes events, builds the values that the loader would, and notices what it cannot know."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root: Any = None
        self._take = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        self._open: list[_Open] = []
        self._anchors: dict[str, Any] = {}  # the children of a collection that is complete
        self._documents = self._values = 0
        self._merged = 0
        self._doubled = False
        self._tabs = text.count("\t")
        self._questions = "?" in text

    def take(self, event: Any) -> None:
        take = self._take.get(type(event))
        if take:
            take(event)

    def finish(self) -> list[Text]:
        if self._tabs:
            raise DoubtError  # a tab that is not inside quotes or a block
        if self._merged and self._doubled:
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
        self._properties(event, parent)
        if parent and parent.mapping and parent.key is None:
            raise InvalidError  # a key that cannot be hashed
        opened = _Open(event, flow=bool(event.flow_style))
        in_flow_sequence = parent and parent.flow and not parent.mapping
        if in_flow_sequence and opened.mapping and self._text[event.start_mark.index] != "{":
            raise DoubtError  # a pair without braces
        self._open.append(opened)

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        children = {**done.merged, **done.children} if done.merged else done.children
        if done.anchor is not None:
            self._anchors[done.anchor] = children
        self._place(children, event.end_mark.index)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise InvalidError
        children = self._anchors[event.anchor]
        parent = self._open[-1] if self._open else None
        if children is None or (parent and parent.mapping and parent.key is None):
            raise DoubtError  # of a scalar, or of the collection that this is in; or a key
        if parent is None or not parent.merging:
            self._place(children, event.end_mark.index)
            return
        if isinstance(children, list):
            raise DoubtError
        self._merged += len(children) + 1
        if self._merged > _MOST_MERGED:
            raise InvalidError
        self._doubled = self._doubled or bool(parent.merged)
        parent.merged.update(children)
        parent.end, parent.key, parent.merging = event.end_mark.index, None, False

    def _scalar(self, event: Any) -> None:
        parent = self._open[-1] if self._open else None
        self._properties(event, parent)
        start, end = event.start_mark.index, event.end_mark.index
        value, style = event.value, event.style
        if style:
            self._quoted(style, start, end)
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
            escaped = self._escaped(key) or self._escaped(event)
            last = event.end_mark.line + 1
            self._place(Text(key.value, value, line, line, last, escaped), end)
        else:
            self._place(None, -1 if start == end else end)

    def _properties(self, event: Any, parent: _Open | None) -> None:
        """Tag and anchor; and only aliases of mappings are merged here."""
        if parent and parent.merging:
            raise DoubtError
        tag, anchor = event.tag, event.anchor
        if tag is not None:
            raise DoubtError if tag in _KNOWN_TAGS or tag == "!" else InvalidError
        if anchor is not None:
            if anchor in self._anchors:
                raise InvalidError
            self._anchors[anchor] = None

    def _quoted(self, style: str, start: int, end: int) -> None:
        """What libyaml takes and PyYAML does not."""
        if self._tabs:
            self._tabs -= self._text.count("\t", start, end)
        if style == '"' and self._text.find("\\'", start, end) >= 0:
            raise DoubtError
        if style in "|>" and not _BLOCK_HEADER.match(self._text, start):
            raise DoubtError

    def _escaped(self, event: Any) -> bool:
        start, end = event.start_mark.index, event.end_mark.index
        return bool(event.style == '"') and self._text.find("\\", start, end) >= 0

    def _key(self, parent: _Open, event: Any, *, text: bool) -> None:
        start, end, line = event.start_mark.index, event.end_mark.index, event.start_mark.line
        if (event.style or "'") in "|>" or start == end or self._explicit(start, end):
            raise DoubtError
        if parent.flow and line != parent.line and parent.end is not None:
            gap = self._text[parent.end : start].lstrip(" ")
            if parent.end < 0 or gap[:1] != ",":
                raise DoubtError  # the look-ahead may have seen the comma before
        if not text:
            self._other(parent, event.value)
        parent.key = event
        parent.name = event.value, text

    def _other(self, parent: _Open, value: str) -> None:
        """A key that is no text."""
        if value == "<<":
            parent.merging = True
            return
        parent.others += 1
        parent.numbers = parent.numbers and bool(_NUMBER.fullmatch(value))
        if value == "=" or (parent.others > 1 and not parent.numbers):
            raise DoubtError  # 1, 1.0 and true are one key

    def _explicit(self, start: int, end: int) -> bool:
        """Is the key at these places not `key:`, on one line, without a question mark?"""
        text = self._text
        while text[end : end + 1] == " ":
            end += 1
        while self._questions and start and text[start - 1] == " ":
            start -= 1
        return text[end : end + 1] != ":" or text[start - 1 : start] == "?"

    def _place(self, child: Any, end: int) -> None:
        """Gives a finished value to the collection around it."""
        self._values += 1
        demand(self._values, MOST_VALUES)
        if not self._open:
            self._root = child
            return
        parent = self._open[-1]
        if not parent.mapping:
            parent.children.append(child)
            return
        if parent.name in parent.children:
            self._doubled = True
        parent.children[parent.name] = child
        parent.key = None
        parent.end = end


def _is_text(plain: str) -> bool:
    """Is a scalar without quotes no number, date, truth or nothing?"""
    resolvers: Sequence[tuple[str, re.Pattern[str]]] = _RESOLVERS.get(plain[:1], ())
    return not resolvers or all(not regex.match(plain) for _, regex in resolvers)
