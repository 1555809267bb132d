"""Detect: read YAML with libyaml, also if the file contains templates.

The parser gets a text of the same length in which filler replaces templates and non-ASCII bytes. So
its marks are offsets in the file, and the values are read from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from scanner.detect.structure.file_kinds import content_kinds
from scanner.detect.structure.leaf import (
    MAX_DEPTH,
    MAX_LEAVES,
    Leaf,
    NotParsedError,
    Path,
    Structure,
)
from scanner.detect.structure.template_filler import ERB, filled, filled_matches, without_lines

_LOADER = getattr(yaml, "CLoader", yaml.Loader)
_MASK_NON_ASCII = bytes(
    b if b in b"\n\r" or 32 <= b < 127 else (32 if b < 32 else 120) for b in range(256)
)
_BRACED_VARIABLE = re.compile(rb"\$\{[^{}\n]*\}")
_TEMPLATES = {b"{{": b"}}", b"{%": b"%}", b"$[[": b"]]", **ERB}
_LINE_TEMPLATES = _TEMPLATES | {b"{#": b"#}"}
# A plain scalar may not begin with these characters: `user: @name`.
_RESERVED_START = re.compile(rb"(?<=[:\-\[,] )[@%`](?=\w)")
_BLOCK_HEADER = re.compile(rb"[|>][-+0-9]*[^\n]*\n[ \t]*")
_PROPERTIES = re.compile(rb"(?:[!&][^\s]*[ \t]*\n?[ \t]*)+")
_DOCUMENT_START = re.compile(rb"^---", re.MULTILINE)
_MAX_PARTS = 1000  # documents that are parsed alone if one of them does not parse
_MAX_SIZE = 1_000_000


def read_yaml(data: bytes) -> Iterator[Structure]:
    """Yield the documents of a file.

    Raises NotParsedError if libyaml cannot parse one of them. The error holds the others.
    """
    if len(data) > _MAX_SIZE:
        raise NotParsedError("it is too large")
    masked = filled(without_lines(data, _LINE_TEMPLATES), _TEMPLATES, b"x")
    masked = filled_matches(_BRACED_VARIABLE, masked, b"x").translate(_MASK_NON_ASCII)
    try:
        yield from list(_documents(_RESERVED_START.sub(b"x", masked), data))
    except NotParsedError:  # what looked like a template may be plain text
        try:
            yield from list(_documents(data.translate(_MASK_NON_ASCII), data))
        except NotParsedError as error:
            _raise_with_parts(_RESERVED_START.sub(b"x", masked), data, str(error))


def _raise_with_parts(masked: bytes, data: bytes, reason: str) -> NoReturn:
    """Raise NotParsedError with those documents that parse alone."""
    starts = [0, *(found.start() for found in _DOCUMENT_START.finditer(masked))]
    if not 1 < len(starts) < _MAX_PARTS:
        raise NotParsedError(reason)
    parsed: list[Structure] = []
    unparsed = []
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        try:
            for each in list(_documents(masked[start:end], data[start:end])):
                leaves = (
                    leaf._replace(start=leaf.start + start, end=leaf.end + start)
                    for leaf in each.leaves
                )
                parsed.append(each._replace(leaves=tuple(leaves)))
        except NotParsedError:
            unparsed.append((start, end))
    raise NotParsedError(reason, parsed, unparsed)


def _documents(masked: bytes, data: bytes) -> Iterator[Structure]:
    try:
        events = yaml.parse(masked.decode("ascii"), Loader=_LOADER)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                leaves = tuple(_leaves(events, data))
                yield Structure(leaves=leaves, kinds=content_kinds(leaves))
    except yaml.YAMLError:
        raise NotParsedError("it is not valid YAML") from None


def _leaves(events: Iterator[Any], data: bytes) -> Iterator[Leaf]:  # noqa: C901 - one loop over events
    """Yield the scalars of one document.

    The stack holds the current key of each open mapping, and the current index of each sequence.
    """
    stack: list[str | int | None] = []
    in_mapping: list[bool] = []
    tags: list[str] = []  # of the open collections; a collection's tag applies to its values
    anchors: dict[str, Leaf] = {}
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
            if count > MAX_LEAVES:
                raise NotParsedError("it has too many values")
            leaf = _leaf(event, data, tuple(part for part in stack if part is not None))
            if event.anchor:
                anchors[event.anchor] = leaf
            yield leaf._replace(tag=leaf.tag or tags[-1]) if tags else leaf
        elif kind is yaml.AliasEvent and event.anchor in anchors:
            count += 1
            path = tuple(part for part in stack if part is not None)
            yield anchors[event.anchor]._replace(path=path)
        if kind in {yaml.MappingStartEvent, yaml.SequenceStartEvent}:
            if len(stack) >= MAX_DEPTH:
                raise NotParsedError("it is nested too deeply")
            stack.append(None if kind is yaml.MappingStartEvent else 0)
            in_mapping.append(kind is yaml.MappingStartEvent)
            tags.append(event.tag or (tags[-1] if tags else ""))
            continue
        _advance(stack, in_mapping)


def _advance(stack: list[str | int | None], in_mapping: list[bool]) -> None:
    """Move to the next key or item of the innermost collection, after one of its values."""
    if stack:
        last = stack[-1]
        stack[-1] = None if in_mapping[-1] else (last + 1 if isinstance(last, int) else 0)


def _key(event: Any, data: bytes) -> str:
    if type(event) is yaml.ScalarEvent:
        start, end = event.start_mark, event.end_mark
        # An escape may hide a name.
        if event.style == '"' and start and end and b"\\" in data[start.index : end.index]:
            return str(event.value).encode("latin-1", "replace").decode("latin-1")
        leaf = _leaf(event, data, ())
        return data[leaf.start : leaf.end].decode("latin-1")
    return ""


def _leaf(event: Any, data: bytes, path: Path) -> Leaf:
    start, end, style = event.start_mark.index, event.end_mark.index, "plain"
    if event.tag or event.anchor:  # the start mark is before them
        properties = _PROPERTIES.match(data, start, end)
        start = properties.end() if properties else start
    if event.style in {'"', "'"}:
        start, end, style = start + 1, end - 1, "quoted"
    elif event.style in {"|", ">"}:
        header = _BLOCK_HEADER.match(data, start, end)
        start, style = (header.end() if header else start), "block"
    end = start + len(data[start:end].rstrip())
    return Leaf(path=path, start=start, end=max(start, end), style=style, tag=event.tag or "")
