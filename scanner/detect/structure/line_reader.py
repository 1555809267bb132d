"""Detect: INI, properties, .env, TOML and shell -> leaves, by their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scanner.detect.structure.leaf import Leaf, Path, Structure

_SECTION = re.compile(rb"[ \t]*\[{1,2}([^\[\]\n]{1,200})\]{1,2}[ \t]*(?:[#;].*)?$")
# npm writes the registry that a setting is for before its name: `//r.example.com/:_authToken=`.
_SETTING = re.compile(
    rb"""[ \t]*(?:export[ \t]+|setx?[ \t]+(?:/[mM][ \t]+)?|SET[ \t]+|\$env:|-[Ddv][ \t]?)?"?["']?"""
    rb"""(?://[^\s=]{1,200}:)?"""
    rb"""(?P<key>(?:[^\W\d]|[.@$*])[\w.\-\[\]/@$*]{0,120}|(?:[A-Za-z]\w*[ ]){1,3}[A-Za-z]\w*)"""
    rb"""["']?"""
    rb"""[ \t]*(?:[?:+!]?=(?!=)|:(?!/))[ \t]*"""
)
_MULTILINE = re.compile(rb'(?P<quote>"""|\'\'\')(?P<text>.*?)(?P=quote)', re.DOTALL)
_QUOTED = re.compile(
    rb"""(?P<quote>["'`])(?P<text>(?:[^"'`\\]|\\.|(?!(?P=quote))["'`])*)(?P=quote)""", re.DOTALL
)
_TABLE = re.compile(rb"\{(?![{%]|[A-Za-z_]\w*\}(?:\s|$))|\[(?!\[)")
_COMMENT = re.compile(rb"(?:^|[ \t])[#;].*$")
_INLINE = re.compile(
    rb"""["']?(?<![\w.\-])(?P<key>[\w.\-]+)["']?[ \t]*=[ \t]*"""
    rb"""(?P<quote>["'])(?P<text>[^"'\n]*)(?P=quote)"""
)
# In shell, an assignment may stand anywhere in a line.
_ASSIGNMENT = re.compile(
    rb"""(?:^|(?<=[\s;&|(`"']))(?:\$env:|\$)?(?P<key>[A-Za-z_]\w*)[ \t]*(?:[?:+]?=(?!=))[ \t]*"""
    rb"""(?P<value>"(?:[^"\\]|\\.)*"|'[^']*'|(?:\$\{[^}\n]{0,300}\}|\{\{[^}\n]{0,300}\}\}"""
    rb"""|\$\((?:[^()\n]|\([^()\n]*\))*\)|`[^`\n]*`|\\.|[^\s;&|()`"'\\])+)""",
    re.MULTILINE,
)
_SHELL_COMMENT = re.compile(rb"(?:^|(?<=[ \t]))#[^\n]*$", re.MULTILINE)
_MOST_QUOTED = 20_000
_MOST_AFTER = 4_000  # bytes of a value after the zone that it begins in


def read_lines(data: bytes) -> Iterator[Structure]:
    """Sections and `key = value`, one document."""
    yield Structure(leaves=tuple(_settings(data)))


def read_shell(data: bytes, zones: Sequence[tuple[int, int]] = ()) -> Iterator[Structure]:
    """Assignments, wherever they stand in a line; those that begin in a zone, where there are
    any."""
    stretches = zones or ((0, len(data)),)
    yield Structure(
        leaves=tuple(leaf for low, high in stretches for leaf in _assigned(data, low, high))
    )


def _assigned(data: bytes, low: int, high: int) -> Iterator[Leaf]:
    masked = _SHELL_COMMENT.sub(lambda m: b" " * len(m[0]), data[low : high + _MOST_AFTER])
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
            leaf = _setting(data, at, end, section)
            if leaf:
                yield from leaf[0]
                end = max(end, leaf[1])
        at = end + 1


def _setting(data: bytes, at: int, end: int, section: Path) -> tuple[list[Leaf], int] | None:
    """The values of one line, and where the last of them ends."""
    found = _SETTING.match(data, at, end)
    if not found:
        return None
    path = (*section, *found["key"].decode("latin-1").split("\0"))
    start = found.end()
    for pattern in (_MULTILINE, _QUOTED):
        quoted = pattern.match(data, start, min(len(data), start + _MOST_QUOTED))
        if quoted and not data[quoted.end() : end].strip(b" \t\r,;")[:1].strip(b"#\r"):
            span = quoted.span("text")
            return [Leaf(path, *span, "quoted")], quoted.end()
    if _TABLE.match(data, start):
        return [_inline(path, m) for m in _INLINE.finditer(data, start, end)], end
    if data[start:end].rstrip() == b"\\":  # it begins in the next line
        start = min(end + 1, len(data))
        while data[start : start + 1] in {b" ", b"\t"}:
            start += 1
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
    return [Leaf(path=path, start=start, end=_bare_end(data, start, end))], end


def _inline(path: Path, found: re.Match[bytes]) -> Leaf:
    return Leaf((*path, found["key"].decode("latin-1")), *found.span("text"), "quoted")


def _bare_end(data: bytes, start: int, end: int) -> int:
    """Where an unquoted value ends: before a comment and trailing space."""
    comment = _COMMENT.search(data[start:end])
    text = data[start : start + comment.start()] if comment else data[start:end]
    return start + len(text.rstrip())
