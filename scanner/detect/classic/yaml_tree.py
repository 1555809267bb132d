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

_BINARY = re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern)
_BLOCK_HEADER = re.compile(r"[|>][+\-1-9]{0,2}(?: +#[^\n]*| *)(?:\n|\Z)")
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_KNOWN_TAGS = yaml.SafeLoader.yaml_constructors
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

    InvalidError where the library takes the file for no YAML, DoubtError where only it knows.
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
        self.merged: dict[Any, Any] = {}  # of mappings that `<<` names
        self.key: Any = None
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
        self._documents = 0
        self._merges = False
        self._doubled = False
        self._tabs = text.count("\t")

    def take(self, event: Any) -> None:
        take = self._take.get(type(event))
        if take:
            take(event)

    def finish(self) -> list[Text]:
        if self._tabs:
            raise DoubtError  # a tab that is not inside quotes or a block
        if self._merges and self._doubled:
            raise DoubtError  # PyYAML may build both values of a key
        return list(in_breadth(self._root))

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise InvalidError
        if event.version or event.tags:
            raise DoubtError

    def _start(self, event: Any) -> None:
        self._not_merged()
        self._tag(event.tag)
        self._anchor(event.anchor)
        parent = self._open[-1] if self._open else None
        if parent and parent.mapping and parent.key is None:
            raise InvalidError  # a key that cannot be hashed
        mark = event.start_mark
        flow = bool(event.flow_style)
        if flow and isinstance(event, yaml.MappingStartEvent) and self._text[mark.index] != "{":
            raise DoubtError  # a pair in a flow sequence
        self._open.append(_Open(event, flow=flow))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        children = {**done.merged, **done.children} if done.merged else done.children
        if done.anchor is not None:
            self._anchors[done.anchor] = children
        self._place(children, event.end_mark)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise InvalidError
        children = self._anchors[event.anchor]
        if children is None or self._wants_key():
            raise DoubtError  # a scalar, or the collection that this is in
        if isinstance(children, list):
            self._not_merged()
        if self._merging():
            parent = self._open[-1]
            self._merges = True
            self._doubled = self._doubled or bool(parent.merged)
            parent.merged.update(children)
            parent.key = None
            parent.end = event.end_mark.index
        else:
            self._place(children, event.end_mark)

    def _scalar(self, event: Any) -> None:
        self._not_merged()
        self._tag(event.tag)
        self._anchor(event.anchor)
        self._check(event)
        parent = self._open[-1] if self._open else None
        if parent and parent.mapping and parent.key is None:
            self._key(parent, event)
        elif parent and parent.mapping and _is_text(event):
            line = parent.key.start_mark.line + 1
            escaped = self._escaped(parent.key) or self._escaped(event)
            item = Text(parent.key.value, event.value, line, line, event.end_mark.line + 1, escaped)
            self._place(item, event.end_mark)
        else:
            self._place(None, event.end_mark, empty=event.start_mark.index == event.end_mark.index)

    def _check(self, event: Any) -> None:
        """What libyaml takes and PyYAML does not."""
        start, end = event.start_mark.index, event.end_mark.index
        if not event.style:
            if event.value in _NEVER_TEXT and not self._wants_key():
                raise DoubtError
            if "?" in event.value and self._open and self._open[-1].flow:
                raise DoubtError
            return
        if self._tabs:
            self._tabs -= self._text.count("\t", start, end)
        if event.style == '"' and self._text.find("\\'", start, end) >= 0:
            raise DoubtError
        if event.style in "|>" and not _BLOCK_HEADER.match(self._text, start):
            raise DoubtError

    def _escaped(self, event: Any) -> bool:
        start, end = event.start_mark.index, event.end_mark.index
        return bool(event.style == '"') and self._text.find("\\", start, end) >= 0

    def _wants_key(self) -> bool:
        return bool(self._open) and self._open[-1].mapping and self._open[-1].key is None

    def _key(self, parent: _Open, event: Any) -> None:
        if (event.style or "'") in "|>" or self._explicit(
            event.start_mark.index, event.end_mark.index
        ):
            raise DoubtError
        if parent.flow and event.start_mark.line != parent.line and parent.end is not None:
            gap = self._text[parent.end : event.start_mark.index].lstrip(" ")
            if parent.end < 0 or gap[:1] != ",":
                raise DoubtError  # the look-ahead may have seen the comma before
        if not event.style and event.value == "=":
            raise DoubtError
        if not _is_text(event) and event.value != "<<":
            parent.others += 1
            parent.numbers = parent.numbers and bool(_NUMBER.fullmatch(event.value))
            if parent.others > 1 and not parent.numbers:
                raise DoubtError  # 1, 1.0 and true are one key
        parent.key = event

    def _explicit(self, start: int, end: int) -> bool:
        """Is the key at these places not `key:`, on one line, without a question mark?"""
        text = self._text
        while start and text[start - 1] == " ":
            start -= 1
        stop = end
        while text[stop : stop + 1] == " ":
            stop += 1
        return text[stop : stop + 1] != ":" or start == end or text[start - 1 : start] == "?"

    def _place(self, child: Any, end: Any, *, empty: bool = False) -> None:
        """Gives a finished value to the collection around it."""
        if not self._open:
            self._root = child
            return
        parent = self._open[-1]
        if not parent.mapping:
            parent.children.append(child)
            return
        key = parent.key
        name = key.value, _is_text(key)
        self._doubled = self._doubled or name in parent.children
        parent.children[name] = child
        parent.key = None
        parent.end = -1 if empty else end.index

    def _merging(self) -> bool:
        key = self._open[-1].key if self._open else None
        return key is not None and not key.style and bool(key.value == "<<")

    def _not_merged(self) -> None:
        """Only aliases of mappings are merged here."""
        if self._merging():
            raise DoubtError

    def _tag(self, tag: str | None) -> None:
        if tag is not None:
            raise DoubtError if tag in _KNOWN_TAGS or tag == "!" else InvalidError

    def _anchor(self, name: str | None) -> None:
        if name is not None:
            if name in self._anchors:
                raise InvalidError
            self._anchors[name] = None


def _is_text(event: Any) -> bool:
    if event.style:
        return True
    value = event.value
    resolvers: Sequence[tuple[str, re.Pattern[str]]] = _RESOLVERS.get(value[:1], ())
    return not any(regex.match(value) for _, regex in resolvers)
