"""Detect: read INI, properties, .env, TOML and shell files line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scanner.detect.structure.leaf import Leaf, Path, Structure
from scanner.lazy_pattern import lazy

# `[section]`, `[[table.name]]  # comment`.
_SECTION = lazy(rb"[ \t]*\[{1,2}([^\[\]\n]{1,200})\]{1,2}[ \t]*(?:[#;].*)?$")
# The beginning of a line with a setting, up to its value: `export NAME=`, `$env:NAME = `,
# `-Dname=`, `"key": `, `two words: `. In .npmrc the registry comes first:
# `//registry.example.com/:_authToken=`.
_SETTING = lazy(
    rb"""[ \t]*(?:export[ \t]+|setx?[ \t]+(?:/[mM][ \t]+)?|SET[ \t]+|\$env:|-[Ddv][ \t]?)?"?["']?"""
    rb"""(?://[^\s=]{1,200}:)?"""
    rb"""(?P<key>(?:[^\W\d]|[.@$*])[\w.\-\[\]/@$*]{0,120}|(?:[A-Za-z]\w*[ ]){1,3}[A-Za-z]\w*)"""
    rb"""["']?"""
    rb"""[ \t]*(?:[?:+!]?=(?!=)|:(?!/))[ \t]*"""
)
# A string of TOML that may have several lines.
_TRIPLE_QUOTED = lazy(rb'(?P<quote>"""|\'\'\')(?P<text>.*?)(?P=quote)', re.DOTALL)
# `"value"`, also with other quotes in it.
_QUOTED = lazy(
    rb"""(?P<quote>["'`])(?P<text>(?:[^"'`\\]|\\.|(?!(?P=quote))["'`])*)(?P=quote)""", re.DOTALL
)
# The beginning of an inline table or array, but not of a template.
_TABLE = lazy(rb"\{(?![{%]|[A-Za-z_]\w*\}(?:\s|$))|\[(?!\[)")
_COMMENT = lazy(rb"(?:^|[ \t])[#;].*$")
# In an inline table: `name = "value"`.
_INLINE_SETTING = lazy(
    rb"""["']?(?<![\w.\-])(?P<key>[\w.\-]+)["']?[ \t]*=[ \t]*"""
    rb"""(?P<quote>["'])(?P<text>[^"'\n]*)(?P=quote)"""
)
# In shell, an assignment may be anywhere in a line: `cd x && TOKEN="$(cat file)"`.
_ASSIGNMENT = lazy(
    rb"""(?:^|(?<=[\s;&|(`"']))(?:\$env:|\$)?(?P<key>[A-Za-z_]\w*)[ \t]*(?:[?:+]?=(?!=))[ \t]*"""
    rb"""(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|(?:\$\{[^}\n]{0,300}\}|\{\{[^}\n]{0,300}\}\}"""
    rb"""|\$\((?:[^()\n]|\([^()\n]*\))*\)|`[^`\n]*`|\\.|[^\s;&|()`"'\\])+)""",
    re.MULTILINE,
)
_SHELL_COMMENT = lazy(rb"(?:^|(?<=[ \t]))#[^\n]*$", re.MULTILINE)
_MAX_QUOTED = 20_000
_QUOTES = (b'"', b"'", b"`")
_MAX_AFTER_RANGE = 4_000  # bytes of a value after the range in which it begins


def read_lines(data: bytes) -> Iterator[Structure]:
    """Yield one document: settings `key = value` under their sections."""
    yield Structure(leaves=tuple(_settings(data)))


def read_shell(data: bytes, ranges: Sequence[tuple[int, int]] = ()) -> Iterator[Structure]:
    """Yield one document: the assignments in the ranges, or in the whole file if there are none."""
    searched = ranges or ((0, len(data)),)
    yield Structure(
        leaves=tuple(leaf for low, high in searched for leaf in _assignments(data, low, high))
    )


def _assignments(data: bytes, low: int, high: int) -> Iterator[Leaf]:
    text = data[low:high]
    if b"$(" in text or text.endswith(b"\\") or any(text.count(quote) % 2 for quote in _QUOTES):
        text = data[low : high + _MAX_AFTER_RANGE]  # the last value may end after the range
    masked = _SHELL_COMMENT.sub(lambda m: b" " * len(m[0]), text)
    for match in _ASSIGNMENT.finditer(masked):
        if low + match.start() >= high:
            return
        start, end = match.span("value")
        quoted = match["value"][:1] in {b'"', b"'"}
        key = match["key"].decode("latin-1")
        style = "quoted" if quoted else "plain"
        yield Leaf(path=(key,), start=low + start + quoted, end=low + end - quoted, style=style)


def _settings(data: bytes) -> Iterator[Leaf]:
    section: Path = ()
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        if found := _SECTION.match(data, at, end):
            section = tuple(found[1].decode("latin-1").strip().strip("\"'").split("."))
        elif (
            data[at:end].lstrip()[:1] not in {b"#", b";", b"!"}
            or data[at:end].lstrip()[:2] == b"!="
        ):
            setting = _setting(data, at, end, section)
            if setting:
                leaves, value_end = setting
                yield from leaves
                end = max(end, value_end)
        at = end + 1


def _setting(data: bytes, at: int, end: int, section: Path) -> tuple[list[Leaf], int] | None:
    """Return the values of a setting and the end of the last one; None if the line has none."""
    found = _SETTING.match(data, at, end)
    if not found:
        return None
    path = (*section, *found["key"].decode("latin-1").split("\0"))
    start = found.end()
    for pattern in (_TRIPLE_QUOTED, _QUOTED):
        quoted = pattern.match(data, start, min(len(data), start + _MAX_QUOTED))
        if quoted and not data[quoted.end() : end].strip(b" \t\r,;")[:1].strip(b"#\r"):
            low, high = quoted.span("text")
            return [Leaf(path=path, start=low, end=high, style="quoted")], quoted.end()
    if _TABLE.match(data, start):
        return [_inline_leaf(path, m) for m in _INLINE_SETTING.finditer(data, start, end)], end
    if data[start:end].rstrip() == b"\\":  # the value begins in the next line
        start = min(end + 1, len(data))
        while data[start : start + 1] in {b" ", b"\t"}:
            start += 1
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
    return [Leaf(path=path, start=start, end=_bare_end(data, start, end))], end


def _inline_leaf(path: Path, found: re.Match[bytes]) -> Leaf:
    start, end = found.span("text")
    key = found["key"].decode("latin-1")
    return Leaf(path=(*path, key), start=start, end=end, style="quoted")


def _bare_end(data: bytes, start: int, end: int) -> int:
    """Return the end of an unquoted value, before trailing space and a comment."""
    comment = _COMMENT.search(data[start:end])
    text = data[start : start + comment.start()] if comment else data[start:end]
    return start + len(text.rstrip())
