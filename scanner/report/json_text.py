"""Report: JSON as text that is safe wherever it is shown: ASCII, valid Unicode, stable.

A list has one item a line, so that reports compare well line by line and large ones are quick to
write; `lists` says how many lists deep that holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from scanner.report import text

# Beside what is not ASCII: the start of a CI system's command, should a log show the report.
_UNSAFE = re.compile(r"[^ -~]|##")


def pieces(value: Any, *, lists: int) -> Iterator[str]:
    """`value` as JSON in pieces, ending with a newline; a lone surrogate stands as an escape in
    words. An iterator in the place of a list that is so laid out is asked item by item."""
    yield from _layout(value, lists, "")
    yield "\n"


def _layout(value: Any, lists: int, indent: str) -> Iterator[str]:
    if lists and isinstance(value, dict):
        items = ((f"{_flat(key)}: ", item) for key, item in value.items())
        return _block("{}", items, lists, indent)
    if lists and isinstance(value, (list, Iterator)):
        return _block("[]", (("", item) for item in value), lists - 1, indent)
    return iter([_flat(value)])


def _block(
    brackets: str, items: Iterable[tuple[str, Any]], lists: int, indent: str
) -> Iterator[str]:
    start, end = brackets[0], brackets
    for name, item in items:
        yield f"{start}\n{indent}  {name}"
        yield from _layout(item, lists, indent + "  ")
        start, end = ",", f"\n{indent}{brackets[1]}"
    yield end


def _flat(value: Any) -> str:
    return _UNSAFE.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if found == "##":
        return "#\\u0023"
    return json.dumps(text.storable(found))[1:-1]
