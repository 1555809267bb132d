"""Detect: what detect-secrets makes of YAML files: each text of a mapping as `key: "value"`."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.limits import MOST_LINES, MOST_WIDE, demand
from scanner.detect.detect_secrets.yaml_texts import DoubtError, InvalidError, Text, texts

_COMMENT = re.compile(r"(?<!\s)\s+#[\S ]*")
# The library's loader reads some 100,000 characters a second, and copies what an alias names.
_LARGEST_DOUBT = 1_000_000
_MOST_COPIED = 100_000_000
_LONGEST = 50_000_000
_ALIAS = re.compile(r"[\s\[{,]\*[\w-]")
# What PyYAML raises for a file that it does not take, or that it is not made for.
_REFUSED = (
    *(yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError),
)


class Lines:
    """Transformed lines, written when asked for; `sources[i]`: the value of line i, if any."""

    def __init__(self, source: list[str]) -> None:
        self.sources: list[Text | None] = []
        self._source = source
        self._comments: dict[int, str] = {}  # by line of the file

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> str:
        item = self.sources[index]
        if item is None:
            return ""
        value = item.value.replace('"', '\\"')
        return f'{item.key}: "{value}"{self.comment(item.line)}'

    def comment(self, line: int) -> str:
        if line not in self._comments:
            found = _COMMENT.search(self._source[line - 1].strip())
            self._comments[line] = found.group() if found else ""
        return self._comments[line]


def yaml_lines(text: str) -> Lines | None:
    """The lines that the library's transformer writes; None where it writes none.

    None, too, where it would take hours or all memory: then the lines of the file are looked at.
    """
    if not text.isascii():
        demand(len(text), MOST_WIDE)
    try:
        found = texts(text)
    except InvalidError:
        return None
    except DoubtError:
        found = [] if _is_too_much(text) else of_library(text)
    return transformed(found, text) if found else None


def _is_too_much(text: str) -> bool:
    copied = len(_ALIAS.findall(text)) * len(text)
    return len(text) > _LARGEST_DOUBT or copied > _MOST_COPIED


def transformed(found: Iterable[Text], text: str) -> Lines | None:
    """The lines that the transformer writes: each value at its own, or the next one free."""
    demand(text.count("\n"), MOST_LINES)
    lines = Lines(text.splitlines())
    seen = set()
    size = line = 0
    for item in sorted(found, key=lambda one: one.line):
        known = item.key, item.value, item.line
        if known in seen:
            continue
        seen.add(known)
        if item.line == line:  # one comment for many
            size += len(lines.comment(line))
            if size > _LONGEST:
                return None
        line = item.line
        lines.sources.extend([None] * (line - 1 - len(lines.sources)))
        lines.sources.append(item)
    return lines


def of_library(text: str) -> list[Text]:
    """All texts as the library's own parser finds them; none where it refuses the file."""
    last = len(text.splitlines())
    try:
        found = list(_from_library(library.yaml_document(text)))
    except _REFUSED:
        return []
    sound = all(isinstance(part, str) for one in found for part in (one.key, one.value))
    return found if sound and all(one.line <= last for one in found) else []


def _from_library(root: Any) -> Iterator[Text]:
    """As `in_breadth`, over mappings that stand for texts; nothing is visited twice."""
    queue = deque([root])
    seen: set[int] = set()
    while queue:
        item = queue.popleft()
        if id(item) in seen or not isinstance(item, dict | list | set | tuple):
            continue
        seen.add(id(item))
        if isinstance(item, dict) and "__line__" in item:
            value = item["__value__"]
            if isinstance(value, bytes):
                value = base64.b64encode(value).decode()
            yield Text(item["__original_key__"], value, item["__line__"], 0, 0, escaped=True)
        else:
            queue.extend(item.values() if isinstance(item, dict) else item)
