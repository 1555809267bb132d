"""Detect: what detect-secrets makes of INI files: each value as `key = "value"` on its line.

The same lines as its ConfigFileTransformer gives, in linear time: that one compiles a regular
expression for every line, copies the rest of the file for every key, and lets interpolation grow
without end.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scanner.detect.detect_secrets.limits import MOST_OPTIONS, MOST_WIDE, demand

# A line that makes the parser refuse the file, whatever stands before it.
_NO_OPTION = re.compile(r"^(?![#;\[\s])[^=:\n]+$", re.MULTILINE)
_FIRST = re.compile(r"^[^\S\n]*([^\s#;])", re.MULTILINE)
_COMMENT = re.compile(r"\s*[;#]")
_TOKEN = re.compile(r"%(?:%|\(([^)]+)\)s)?")
_MOST_EXPANDED = 5_000_000  # characters
_MOST_DEFAULTS = 1_000_000  # over all sections


def ini_lines(text: str, is_pragma: Callable[[str], bool], *, headless: bool) -> list[str] | None:
    """The transformed lines; None if the text is not INI.

    `headless`: options may stand before the first section. `is_pragma` knows the comments that
    allow a secret in the next line; those are kept. TooLargeError for an INI file of many lines.
    """
    first = _FIRST.search(text)
    headed = headless or (first and first.group(1) == "[")
    if not headed or _NO_OPTION.search(text):
        return None
    if not text.isascii():
        demand(len(text), MOST_WIDE)
    lines: list[str] = []
    try:
        for key, value, number in _values(text, is_pragma, headless=headless):
            lines += [""] * (number - 1 - len(lines))
            lines.append(value if is_pragma(value) else f'{key} = "{_escaped(value)}"')
    except configparser.Error:
        return None
    return lines


def _escaped(value: str) -> str:
    if value[0] in "'\"" and value[-1] == value[0]:
        value = value[1:-1]
    return value.replace('"', '\\"')


def _values(
    text: str, is_pragma: Callable[[str], bool], *, headless: bool
) -> Iterator[tuple[str, str, int]]:
    """(key, value, line) in the order of the parser."""
    parser = _Parser(interpolation=_Interpolation())
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # documented to be set so
    parser.read_file(_lines(text, headless=headless))
    sections = parser.sections()
    if not sections or len(sections) * len(parser.defaults()) > _MOST_DEFAULTS:
        raise configparser.Error
    places = _Places([line.strip() for line in text.split("\n")], is_pragma)
    for section in parser:
        for key, values in parser.items(section):
            for value, number in places.of(key, values):
                if value:
                    yield key, value, number


def _lines(text: str, *, headless: bool) -> Iterator[str]:
    if headless:
        yield "[global]\n"
    at = count = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        count += 1
        demand(count, MOST_OPTIONS)
        yield text[at:end]
        at = end


class _Places:
    """Finds the lines of values; each search goes on where the last one ended."""

    def __init__(self, lines: list[str], is_pragma: Callable[[str], bool]) -> None:
        self._lines = lines
        self._is_pragma = is_pragma
        self._next = 0

    def of(self, key: str, values: str) -> list[tuple[str, int]]:
        """The values of one key with their lines, and the pragmas met on the way."""
        wanted = values.splitlines()
        wanted[1:] = filter(None, wanted[1:])
        if not wanted:
            return []
        found: list[tuple[str, int]] = []
        known = 0
        for index in range(self._next, len(self._lines)):
            line = self._lines[index]
            if self._is_pragma(line):
                found.append((line, index + 1))
            elif not line or _COMMENT.match(line):
                continue
            elif known == len(wanted):
                self._next = index
                return found
            elif known or _assigns(line, key, wanted[0]):
                found.append((wanted[known], index + 1))
                known += 1
        self._next = len(self._lines)
        return found


def _assigns(line: str, key: str, value: str) -> bool:
    """Does the stripped line begin with the key, one or more of ` :=`, and the value?"""
    if not line.startswith(key):
        return False
    start = end = len(key)
    while end < len(line) and line[end] in " :=":
        end += 1
    earliest = start + 1 if value[:1] in {":", "="} else end
    return end > start and any(line.startswith(value, at) for at in range(end, earliest - 1, -1))


class _Parser(configparser.ConfigParser):
    # The parser's own pattern tries every length of the option at each run of spaces.
    OPTCRE = re.compile(r"(?P<option>[^=:]*)(?P<vi>=|:)\s*(?P<value>.*)$")


class _Interpolation(configparser.Interpolation):
    """ConfigParser's own `%(name)s`, with an end to its growth."""

    def __init__(self) -> None:
        self._expanded = 0

    def before_get(
        self, _parser: Any, _section: str, _option: str, value: str, defaults: Any
    ) -> str:
        return "".join(self._expand(value, defaults, 1)) if "%" in value else value

    def _expand(self, value: str, values: Mapping[str, str], depth: int) -> Iterator[str]:
        if depth > configparser.MAX_INTERPOLATION_DEPTH:
            raise configparser.Error
        at = 0
        for token in _TOKEN.finditer(value):
            name = token.group(1)
            if token.group() != "%%" and name not in values:
                raise configparser.Error
            inner = values[name] if name else "%"
            self._expanded += len(inner) + 1
            if self._expanded > _MOST_EXPANDED:
                raise configparser.Error
            yield value[at : token.start()]
            at = token.end()
            if name and "%" in inner:
                yield from self._expand(inner, values, depth + 1)
            else:
                yield inner
        yield value[at:]
