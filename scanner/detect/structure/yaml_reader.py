"""Detect: YAML -> leaves, by libyaml, whatever templates stand in the file.

The parser is given text of the same length in which all that it would stumble over is filler:
templates, bytes beyond ASCII. Its marks are then offsets into the file, and values are read there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from scanner.detect.structure.file_kinds import content_kinds
from scanner.detect.structure.filler import ERB, filled, filled_matches, without_lines
from scanner.detect.structure.leaf import (
    DEEPEST,
    MOST_LEAVES,
    Leaf,
    NotParsedError,
    Path,
    Structure,
)

_LOADER = getattr(yaml, "CLoader", yaml.Loader)
_ASCII = bytes(b if b in b"\n\r" or 32 <= b < 127 else (32 if b < 32 else 120) for b in range(256))
_VARIABLE = re.compile(rb"\$\{[^{}\n]*\}")
_TEMPLATES = {b"{{": b"}}", b"{%": b"%}", b"$[[": b"]]", **ERB}
_LINES = _TEMPLATES | {b"{#": b"#}"}
# What no plain scalar may begin with.
_NO_BEGINNING = re.compile(rb"(?<=[:\-\[,] )[@%`](?=\w)")
_BLOCK = re.compile(rb"[|>][-+0-9]*[^\n]*\n[ \t]*")
_PROPERTIES = re.compile(rb"(?:[!&][^\s]*[ \t]*\n?[ \t]*)+")
_LARGEST = 1_000_000


def read_yaml(data: bytes) -> Iterator[Structure]:
    """The documents of a file; NotParsedError where libyaml refuses one."""
    if len(data) > _LARGEST:
        raise NotParsedError("it is too large")
    masked = filled(without_lines(data, _LINES), _TEMPLATES, b"x")
    masked = filled_matches(_VARIABLE, masked, b"x").translate(_ASCII)
    try:
        yield from list(_documents(_NO_BEGINNING.sub(b"x", masked), data))
    except NotParsedError:  # what looked like a template is a text's own
        yield from _documents(data.translate(_ASCII), data)


def _documents(masked: bytes, data: bytes) -> Iterator[Structure]:
    try:
        events = yaml.parse(masked.decode("ascii"), Loader=_LOADER)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                leaves = tuple(_leaves(events, data))
                yield Structure(leaves=leaves, kinds=content_kinds(leaves))
    except yaml.YAMLError:
        raise NotParsedError("it is not valid YAML") from None


def _leaves(events: Iterator[Any], data: bytes) -> Iterator[Leaf]:
    """The scalars of one document. A mapping on the stack holds its key, a sequence its index."""
    stack: list[str | int | None] = []
    in_mapping: list[bool] = []
    tags: list[str] = []  # of the collections around: what they name gives what is in them, too
    count = 0
    for event in events:
        if isinstance(event, yaml.DocumentEndEvent):
            return
        kind = type(event)
        if kind in {yaml.MappingEndEvent, yaml.SequenceEndEvent}:
            stack.pop()
            in_mapping.pop()
            tags.pop()
        elif in_mapping and in_mapping[-1] and stack[-1] is None:
            stack[-1] = _key(event, data)  # the key; its value comes next
            if kind is yaml.ScalarEvent or kind is yaml.AliasEvent:
                continue
        elif kind is yaml.ScalarEvent:
            count += 1
            if count > MOST_LEAVES:
                raise NotParsedError("it has too many values")
            leaf = _leaf(event, data, tuple(part for part in stack if part is not None))
            yield leaf._replace(tag=leaf.tag or tags[-1]) if tags else leaf
        if kind in {yaml.MappingStartEvent, yaml.SequenceStartEvent}:
            if len(stack) >= DEEPEST:
                raise NotParsedError("it is nested too deeply")
            stack.append(None if kind is yaml.MappingStartEvent else 0)
            in_mapping.append(kind is yaml.MappingStartEvent)
            tags.append(event.tag or (tags[-1] if tags else ""))
            continue
        _advance(stack, in_mapping)


def _advance(stack: list[str | int | None], in_mapping: list[bool]) -> None:
    """A value is over: the mapping around it waits for a key, the sequence for its next item."""
    if stack:
        last = stack[-1]
        stack[-1] = None if in_mapping[-1] else (last + 1 if isinstance(last, int) else 0)


def _key(event: Any, data: bytes) -> str:
    if isinstance(event, yaml.ScalarEvent):
        leaf = _leaf(event, data, ())
        return data[leaf.start : leaf.end].decode("latin-1")
    return ""


def _leaf(event: Any, data: bytes, path: Path) -> Leaf:
    start, end, style = event.start_mark.index, event.end_mark.index, "plain"
    if event.tag or event.anchor:  # the mark is where they begin
        properties = _PROPERTIES.match(data, start, end)
        start = properties.end() if properties else start
    if event.style in {'"', "'"}:
        start, end, style = start + 1, end - 1, "quoted"
    elif event.style in {"|", ">"}:
        header = _BLOCK.match(data, start, end)
        start, style = (header.end() if header else start), "block"
    end = start + len(data[start:end].rstrip())
    return Leaf(path=path, start=start, end=max(start, end), style=style, tag=event.tag or "")
