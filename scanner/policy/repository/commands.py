"""Policy: split scripts, CI jobs and manifests into commands.

This is not a shell parser. It removes quotes and replaces variables by the values that the same
file assigns; all other variables become `*`. The text is untrusted, so every step is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

_LONGEST = 500  # characters of a word
_VALUES = 50  # values of one variable or word
_DEEPEST = 3  # levels of variables inside variables

_TEMPLATE = re.compile(r"\$?\{\{[^{}\n]*\}\}")  # ${{ github.x }}, {{ .Values.x }}
_COMMENT = re.compile(r"(?:^|\s)(?:#|//).*")
_ITEM = re.compile(r"\s*-\s+(?:\"[^\"]*\"|'[^']*'|[^\s\"':#]+)\s*\Z")  # a word of a YAML list
_SPLIT = re.compile(r"[;|&`]|\$\(|[\"']\s*:")
_GAPS = re.compile(r"[\"']\s*,\s*[\"']|[\s()\[\]]+")
_QUOTES = str.maketrans("", "", "\"'")
_SAYS = {"echo", "printf", "cat", "grep", "name:", "-name:"}
# ${NAME}, ${NAME:-default}, $NAME, $1
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)[^{}]*\}|\$([A-Za-z_]\w*|[0-9@*#?])")
# NAME=value, NAME="value", NAME: 'value'
_SET = re.compile(
    r"(?:^|[\s;])([A-Za-z_]\w*)(?:=|:[ \t]+)(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s;&|\"'`(]+))"
)
# for name in one two three
_LOOP = re.compile(r"\bfor[ \t]+([A-Za-z_]\w*)[ \t]+in[ \t]+([^;\n]+)")

Variables = Mapping[str, Sequence[str]]


class Command(NamedTuple):
    """The words of one command, with variables not yet replaced, and the line of its start."""

    words: tuple[str, ...]
    line: int


def commands(text: str, *, first_line: int = 1) -> Iterator[Command]:
    """Every command of a file, in order. Commands are separated by `;`, `|`, `&`, `$(` and such."""
    for line, whole in _lines(text, first_line):
        for part in _SPLIT.split(whole):
            words = _GAPS.sub(" ", part).translate(_QUOTES).split()
            if words and not _SAYS & set(words[:3]):
                yield Command(tuple(words), line)


def _lines(text: str, first_line: int) -> Iterator[tuple[int, str]]:
    """(number, text) of each logical line, without comments.

    Lines that end in a backslash are joined, and so are the items of a YAML list of words.
    """
    start = first_line
    held: list[str] = []
    for number, raw in enumerate(text.split("\n"), first_line):
        line = _COMMENT.sub("", _TEMPLATE.sub("*", raw))
        item = _ITEM.match(line)
        if held and not (held[-1].endswith("\\") or item):
            yield start, _joined(held)
            held = []
        if not held:
            start = number
        held.append(line.replace("-", " ", 1) if item else line.rstrip())
    yield start, _joined(held)


def _joined(lines: Sequence[str]) -> str:
    return " ".join(line.removesuffix("\\") for line in lines)


def variables(text: str) -> Variables:
    """The values that a file assigns to each variable."""
    values: dict[str, list[str]] = {}
    for match in _SET.finditer(text):
        value = match[2] or match[3] or match[4] or ""
        if value and not value.isspace() and "$(" not in value:
            _add(values, match[1], [value])
    for match in _LOOP.finditer(text):
        _add(values, match[1], match[2].translate(_QUOTES).split())
    return values


def _add(values: dict[str, list[str]], name: str, more: Sequence[str]) -> None:
    known = values.setdefault(name, [])
    known += [one for one in more[:_VALUES] if len(known) < _VALUES and len(one) <= _LONGEST]


def expand(word: str, known: Variables, deepest: int = _DEEPEST) -> tuple[str, ...]:
    """The values that a word may have. `*` stands for variables that the file does not assign."""
    found = _VARIABLE.search(word)
    if len(word) > _LONGEST or not found:
        return (word,) if len(word) <= _LONGEST else ()
    values = known.get(found[1] or found[2]) if deepest else None
    heads = [one for value in values or ["*"] for one in expand(value, known, deepest - 1)]
    tails = expand(word[found.end() :], known, deepest)
    start = word[: found.start()]
    return tuple(islice((start + head + tail for head in heads for tail in tails), _VALUES))
