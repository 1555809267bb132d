"""Benchmark: the patterns that peers carry, read at run time from the programs that are installed,
and values that such a pattern accepts. Nothing of theirs is kept in this project.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
import string
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bench.peers import BenchError, Tool, environment

# The parser of Python's own patterns: the one walk that makes values also sees what is fixed.
_parser: Any = importlib.import_module("re._parser")

_RULES = b"[[rules]]"
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1f]")
_ALNUM = string.ascii_letters + string.digits
_PRINTABLE = _ALNUM + "-_./+=:@%&*#!?,;~^$|<>()[]{}'\"`\\ "
_MANY = 10  # letters and digits in a class: its other characters are left out of values
_MOST_PREFIXES = 100
_CATEGORIES: Mapping[str, str] = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": _ALNUM + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": "".join(each for each in _PRINTABLE if not each.isdigit()),
    "CATEGORY_NOT_WORD": "".join(each for each in _PRINTABLE if not re.match(r"\w", each)),
    "CATEGORY_NOT_SPACE": _PRINTABLE.replace(" ", ""),
}
# RE2 and Rust know classes by these names, Python does not.
_POSIX = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:xdigit:]": "0-9A-Fa-f",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:word:]": r"\w",
    "[:space:]": r"\s",
}
_FLAGS = re.compile(r"\(\?([ims]+|[ims]*-[ims]+)\)")


class Published(NamedTuple):
    """A rule of a peer: its id, its pattern as it stands there, and the group that is the secret
    (None: a group called TOKEN, else the first one, else the whole match)."""

    id: str
    pattern: str
    group: int | None = None


class Value(NamedTuple):
    """A text that a pattern accepts, and where its secret begins and ends."""

    text: str
    start: int
    end: int


def of_kingfisher(tool: Tool) -> list[Published]:
    argv = [str(tool.binary), "rules", "list", "-f", "json"]
    env = environment() | dict(tool.env)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    return [Published(row["id"], row["pattern"]) for row in json.loads(done.stdout)]


def embedded(tool: Tool) -> list[Published]:
    """The rules of the TOML that a binary carries as its default configuration."""
    data = Path(tool.binary).read_bytes()
    first, last = data.find(_RULES), data.rfind(_RULES)
    end = _BINARY.search(data, last)
    if first < 0 or end is None:
        raise BenchError(f"{tool.name} {tool.version} carries no rules in TOML")
    for row in (rows := _parsed(data[first : end.start()].decode(errors="replace"))):
        row.setdefault("regex", "")
    return [
        Published(row["id"], row["regex"], row.get("secretGroup"))
        for row in rows
        if row["regex"] and "path" not in row
    ]


def _parsed(text: str) -> list[dict[str, Any]]:
    """Rules, with whatever stands behind the last one cut off."""
    while True:
        try:
            rules: list[dict[str, Any]] = tomllib.loads(text)["rules"]
        except tomllib.TOMLDecodeError:
            text = text[: text.rindex("\n")]
        else:
            return rules


class Format:
    """A pattern as something that values can be made of. ValueError for one that Python does not
    read."""

    def __init__(self, published: Published) -> None:
        self.id = published.id
        try:
            self._regex = re.compile(python(published.pattern))
            self._tree = _parser.parse(python(published.pattern))
        except (re.error, OverflowError) as error:
            raise ValueError(f"{published.id}: {error}") from None
        named = self._regex.groupindex.get("TOKEN", min(1, self._regex.groups))
        self._group = named if published.group is None else published.group

    def accepts(self, text: str) -> bool:
        return bool(self._regex.search(text))

    @functools.cached_property
    def prefixes(self) -> tuple[str, ...]:
        """The literals, one of which every secret begins with."""
        tokens = _group(self._tree, self._group) if self._group else self._tree
        return tuple(
            sorted({text for text, _ in _fixed(tokens or ())}, key=lambda text: (len(text), text))
        )

    def values(self, seed: str) -> list[Value]:
        """Made-up values, the same for the same seed: of each length and case that may be meant."""
        source = Random(f"{seed}/{self.id}")  # noqa: S311 - samples, not secrets
        styles = (style._replace(flags=self._regex.flags) for style in _STYLES)
        texts = ("".join(_made(self._tree, style, source)) for style in styles)
        met = {text: self._regex.search(text) for text in texts}
        return [Value(text, *m.span(self._group)) for text, m in met.items() if m]


def python(pattern: str) -> str:
    """A pattern of RE2 or Rust as Python reads it: a flag in the middle becomes a group up to the
    end of the one that it stands in."""
    for name, characters in _POSIX.items():
        pattern = pattern.replace(name, characters)
    pattern = pattern.replace(r"\z", r"\Z")
    out, closing, at = "", [0], 0
    while at < len(pattern):
        char = pattern[at]
        if flags := _FLAGS.match(pattern, at):
            out += f"(?{flags[1]}:"
            closing[-1] += 1
            at = flags.end()
            continue
        size = _class_end(pattern, at) - at if char == "[" else 2 if char == "\\" else 1
        if char == "(":
            closing.append(0)
        elif char == ")" and len(closing) > 1:
            out += ")" * closing.pop()
        out += pattern[at : at + size]
        at += size
    return out + ")" * closing[0]


def _class_end(pattern: str, at: int) -> int:
    """Where the class that begins at `at` ends."""
    at += 2 if pattern.startswith("[^", at) else 1
    at += pattern.startswith("]", at)
    while pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _group(tokens: Iterable[Any], wanted: int) -> Any:
    """The tokens of a group by its number, None where it is not there."""
    for kind, value in tokens:
        if str(kind) == "SUBPATTERN":
            if value[0] == wanted:
                return value[3]
            inner = [value[3]]
        elif str(kind) == "BRANCH":
            inner = value[1]
        elif str(kind) in {"MAX_REPEAT", "MIN_REPEAT"}:
            inner = [value[2]]
        else:
            continue
        for each in inner:
            if (found := _group(each, wanted)) is not None:
                return found
    return None


def _fixed(tokens: Iterable[Any]) -> list[tuple[str, bool]]:
    """The literals at the beginning of what the tokens match, each with whether it is all of it."""
    known = [("", True)]
    for kind, value in tokens:
        match str(kind):
            case "AT":
                continue
            case "LITERAL":
                more = [(chr(value), True)]
            case "SUBPATTERN":
                more = _fixed(value[3])
            case "BRANCH":
                more = [each for branch in value[1] for each in _fixed(branch)]
            case "MAX_REPEAT" | "MIN_REPEAT" if value[0] == value[1] == 1:
                more = _fixed(value[2])
            case _:
                more = [("", False)]
        known = [
            (text + added, whole) if is_open else (text, False)
            for text, is_open in known
            for added, whole in (more if is_open else more[:1])
        ]
        if not any(is_open for _, is_open in known) or len(known) > _MOST_PREFIXES:
            break
    return known


class _Style(NamedTuple):
    """How values of a pattern are made: in which case its letters are where they may be in both,
    how much longer than the shortest its runs are, and under which flags."""

    letters: str
    longer: int
    flags: int = 0


_STYLES = tuple(
    _Style(letters, longer)
    for letters in (_ALNUM, _ALNUM.lower(), _ALNUM.upper())
    for longer in (0, 4, 10, 24, 100)
    for _ in range(2)
)


def _made(tokens: Sequence[Any], style: _Style, source: Random) -> Iterator[str]:
    for kind, value in tokens:
        match str(kind):
            case "LITERAL":
                yield chr(value)
            case "NOT_LITERAL":
                yield source.choice(_ALNUM.replace(chr(value), ""))
            case "ANY":
                yield source.choice(_ALNUM)
            case "IN":
                yield source.choice(_likely(value, style))
            case "SUBPATTERN":
                yield from _made(value[3], style._replace(flags=style.flags | value[1]), source)
            case "BRANCH":
                yield from _made(_branch(value[1], source), style, source)
            case "MAX_REPEAT" | "MIN_REPEAT":
                yield from _repeated(value, style, source)


def _repeated(
    value: tuple[int, int, Sequence[Any]], style: _Style, source: Random
) -> Iterator[str]:
    least, most, inner = value
    longest = min(most, least + style.longer)
    times = longest if least or _is_run(inner, most) else 0
    if len(inner) == 1 and str(inner[0][0]) == "IN":
        yield from source.choices(_likely(inner[0][1], style), k=times)
        return
    for _ in range(times):
        yield from _made(inner, style, source)


def _is_run(inner: Sequence[Any], most: int) -> bool:
    """Does an optional repeat hold a part of the secret, not what stands before it?"""
    kind, value = inner[0]
    return most > _MANY and str(kind) == "IN" and " " not in _characters(value)


def _branch(branches: Sequence[Any], source: Random) -> Any:
    """One of the alternatives: what ends a line before a quote that was never opened, the first
    operator before a rare one, any of several words."""
    for branch in branches:
        if all(str(kind) == "AT" for kind, _ in branch):
            return branch
    has_words = all(
        re.search(r"\w", "".join(_made(branch, _STYLES[0], source))) for branch in branches
    )
    return source.choice(branches) if has_words else branches[0]


def _likely(items: Sequence[Any], style: _Style) -> str:
    """The characters of a class that a value of its kind is mostly made of."""
    chosen = _characters(items)
    if style.flags & re.IGNORECASE:
        chosen |= {other for each in chosen for other in (each.lower(), each.upper())}
    plain = chosen & set(_ALNUM)
    if len(plain) >= _MANY:
        return "".join(sorted(plain & set(style.letters) or plain))
    return "".join(sorted(chosen & set(_PRINTABLE))) or "".join(sorted(chosen))


def _characters(items: Sequence[Any]) -> set[str]:
    chosen: set[str] = set()
    negated = False
    for kind, value in items:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL":
                chosen.add(chr(value))
            case "RANGE":
                chosen |= {chr(code) for code in range(value[0], min(value[1], 126) + 1)}
            case "CATEGORY":
                chosen |= set(_CATEGORIES[str(value)])
    return set(_PRINTABLE) - chosen if negated else chosen
