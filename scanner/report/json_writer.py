"""JSON as text that is safe in any log: ASCII and valid Unicode.

The outer lists, up to the depth `lists`, have one item on each line, so that reports are easy to
compare and large ones are written piece by piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from scanner.report import text

# Anything that is not ASCII, and the start of a CI system's command, in case a log shows it.
_UNSAFE = re.compile(r"[^ -~]|##")


def pieces(value: Any, *, lists: int) -> Iterator[str]:
    """`value` as JSON in pieces, ending with a newline.

    A lone surrogate becomes the text of an escape. An outer list may be an iterator.
    """
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
