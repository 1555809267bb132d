"""Detect: transform INI files like detect-secrets: each value becomes `key = "value"` on its line.

The lines are those of its ConfigFileTransformer, but in linear time. The library compiles a regular
expression for each line, copies the rest of the file for each key, and does not limit the growth of
interpolated values.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.detect.detect_secrets.limits import MAX_NON_ASCII, MAX_OPTIONS, require_at_most

# A line that the parser never accepts.
_INVALID_LINE = re.compile(r"^(?![#;\[\s])[^=:\n]+$", re.MULTILINE)
_FIRST_CHARACTER = re.compile(r"^[^\S\n]*([^\s#;])", re.MULTILINE)
_COMMENT = re.compile(r"\s*[;#]")
_TOKEN = re.compile(r"%(?:%|\(([^)]+)\)s)?")
_MAX_EXPANDED = 5_000_000  # characters
_MAX_DEFAULTS = 1_000_000  # over all sections


def ini_lines(
    text: str, is_pragma: Callable[[str], bool], *, sectionless: bool
) -> list[str] | None:
    """Return the transformed lines; None if the text is not INI.

    is_pragma: recognises a comment that allows a secret in the next line. Such comments are kept.
    sectionless: options may come before the first section.

    Raises TooLargeError for an INI file of too many lines.
    """
    first = _FIRST_CHARACTER.search(text)
    may_be_ini = sectionless or (first and first.group(1) == "[")
    if not may_be_ini or _INVALID_LINE.search(text):
        return None
    if not text.isascii():
        require_at_most(len(text), MAX_NON_ASCII)
    lines: list[str] = []
    try:
        for option in _options(text, is_pragma, sectionless=sectionless):
            value = option.value
            lines += [""] * (option.line - 1 - len(lines))
            lines.append(value if is_pragma(value) else f'{option.key} = "{_escaped(value)}"')
    except configparser.Error:
        return None
    return lines


def _escaped(value: str) -> str:
    if value[0] in "'\"" and value[-1] == value[0]:
        value = value[1:-1]
    return value.replace('"', '\\"')


class _Option(NamedTuple):
    """One line of an option's value, and its number from 1."""

    key: str
    value: str
    line: int


def _options(
    text: str, is_pragma: Callable[[str], bool], *, sectionless: bool
) -> Iterator[_Option]:
    """Yield the values of all options in the order of the parser."""
    parser = _Parser(interpolation=_Interpolation())
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way
    parser.read_file(_lines(text, sectionless=sectionless))
    sections = parser.sections()
    if not sections or len(sections) * len(parser.defaults()) > _MAX_DEFAULTS:
        raise configparser.Error
    finder = _LineFinder([line.strip() for line in text.split("\n")], is_pragma)
    for section in parser:
        for key, values in parser.items(section):
            for value, line in finder.find(key, values):
                if value:
                    yield _Option(key=key, value=value, line=line)


def _lines(text: str, *, sectionless: bool) -> Iterator[str]:
    if sectionless:
        yield "[global]\n"
    at = count = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        count += 1
        require_at_most(count, MAX_OPTIONS)
        yield text[at:end]
        at = end


class _LineFinder:
    """Finds the lines of values. Each search begins where the last one ended."""

    def __init__(self, lines: list[str], is_pragma: Callable[[str], bool]) -> None:
        self._lines = lines
        self._is_pragma = is_pragma
        self._next = 0

    def find(self, key: str, values: str) -> list[tuple[str, int]]:
        """Return the values of a key and the pragmas between them, each with its line from 1."""
        wanted = values.splitlines()
        wanted[1:] = filter(None, wanted[1:])
        if not wanted:
            return []
        found: list[tuple[str, int]] = []
        count = 0
        for index in range(self._next, len(self._lines)):
            line = self._lines[index]
            if self._is_pragma(line):
                found.append((line, index + 1))
            elif not line or _COMMENT.match(line):
                continue
            elif count == len(wanted):
                self._next = index
                return found
            elif count or _assigns(line, key, wanted[0]):
                found.append((wanted[count], index + 1))
                count += 1
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
    # The inherited pattern takes quadratic time on runs of spaces.
    OPTCRE = re.compile(r"(?P<option>[^=:]*)(?P<vi>=|:)\s*(?P<value>.*)$")


class _Interpolation(configparser.Interpolation):
    """The `%(name)s` of ConfigParser, with a limit for the size of all values."""

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
            if self._expanded > _MAX_EXPANDED:
                raise configparser.Error
            yield value[at : token.start()]
            at = token.end()
            if name and "%" in inner:
                yield from self._expand(inner, values, depth + 1)
            else:
                yield inner
        yield value[at:]
