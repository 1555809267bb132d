"""Detect: transform YAML files like detect-secrets: each text of a mapping is `key: "value"`."""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.limits import MAX_LINES, MAX_NON_ASCII, require_at_most
from scanner.detect.detect_secrets.yaml_texts import DoubtError, InvalidError, YamlText, texts

_COMMENT = re.compile(r"(?<!\s)\s+#[\S ]*")
# The library's loader reads about 100,000 characters a second, and copies the target of each alias.
_MAX_SLOW_SIZE = 1_000_000
_MAX_COPIED = 100_000_000
_MAX_COMMENTS = 50_000_000
_ALIAS = re.compile(r"[\s\[{,]\*[\w-]")
# The exceptions that PyYAML raises for files that it cannot load.
_LOAD_ERRORS = (
    *(yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError),
)


class YamlLines:
    """The transformed lines. Each is made when it is read.

    sources: the value of each line; None for an empty line.
    """

    def __init__(self, source: list[str]) -> None:
        self.sources: list[YamlText | None] = []
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
        """Return the comment in a line of the file, numbered from 1."""
        if line not in self._comments:
            found = _COMMENT.search(self._source[line - 1].strip())
            self._comments[line] = found.group() if found else ""
        return self._comments[line]


def yaml_lines(text: str) -> YamlLines | None:
    """Return the lines of the library's transformer; None if it returns none.

    Also None if it would take hours or too much memory; then plugins run on the file's own lines.
    Raises TooLargeError for a text that is too large.
    """
    if not text.isascii():
        require_at_most(len(text), MAX_NON_ASCII)
    try:
        found = texts(text)
    except InvalidError:
        return None
    except DoubtError:
        found = [] if _is_too_slow(text) else texts_of_library(text)
    return transformed(found, text) if found else None


def _is_too_slow(text: str) -> bool:
    """Would the library's loader take too much time or memory?"""
    copied = len(_ALIAS.findall(text)) * len(text)
    return len(text) > _MAX_SLOW_SIZE or copied > _MAX_COPIED


def transformed(found: Iterable[YamlText], text: str) -> YamlLines | None:
    """Return the transformed lines: each text in its own line, or in the next free one.

    None if they would be too long.
    """
    require_at_most(text.count("\n"), MAX_LINES)
    lines = YamlLines(text.splitlines())
    seen = set()
    size = line = 0
    for item in sorted(found, key=lambda one: one.line):
        identity = item.key, item.value, item.line
        if identity in seen:
            continue
        seen.add(identity)
        if item.line == line:  # each text of a line repeats its comment
            size += len(lines.comment(line))
            if size > _MAX_COMMENTS:
                return None
        line = item.line
        lines.sources.extend([None] * (line - 1 - len(lines.sources)))
        lines.sources.append(item)
    return lines


def texts_of_library(text: str) -> list[YamlText]:
    """Return the texts that the library's parser finds; none if it cannot parse the file."""
    last = len(text.splitlines())
    try:
        found = list(_texts_below(library.yaml_document(text)))
    except _LOAD_ERRORS:
        return []
    # The library may give other types than YamlText declares.
    are_texts = all(isinstance(each, str) for one in found for each in (one.key, one.value))
    is_valid = are_texts and all(one.line <= last for one in found)
    return found if is_valid else []


def _texts_below(root: Any) -> Iterator[YamlText]:
    """Yield the texts of the library's document, in the order of `in_breadth`.

    The library represents a text by a mapping with `__line__`. Nothing is visited twice.
    """
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
            yield YamlText(
                key=item["__original_key__"],
                value=value,
                line=item["__line__"],
                first=0,
                last=0,
                escaped=True,
            )
        else:
            queue.extend(item.values() if isinstance(item, dict) else item)
