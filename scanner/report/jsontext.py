"""Report: JSON as text that is safe wherever it is shown: ASCII, valid Unicode, stable.

A list has one item a line, so that reports compare well line by line and large ones are quick to
write; `lists` says how many lists deep that holds.
"""

from __future__ import annotations

import json
import re
from typing import Any

from scanner.report import text

# Beside what is not ASCII: the start of a CI system's command, should a log show the report.
_UNSAFE = re.compile(r"[^ -~]|##")


def dumps(value: Any, *, lists: int) -> str:
    """`value` as JSON, ending with a newline; a lone surrogate stands as an escape in words."""
    return _layout(value, lists, "") + "\n"


def _layout(value: Any, lists: int, indent: str) -> str:
    inner = indent + "  "
    if lists and value and isinstance(value, dict):
        items = [f"{_flat(key)}: {_layout(item, lists, inner)}" for key, item in value.items()]
        return _block("{", items, "}", indent)
    if lists and value and isinstance(value, list):
        return _block("[", [_layout(item, lists - 1, inner) for item in value], "]", indent)
    return _flat(value)


def _block(opening: str, items: list[str], closing: str, indent: str) -> str:
    separator = f",\n{indent}  "
    return f"{opening}\n{indent}  {separator.join(items)}\n{indent}{closing}"


def _flat(value: Any) -> str:
    return _UNSAFE.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if found == "##":
        return "#\\u0023"
    return json.dumps(text.storable(found))[1:-1]
