"""Detect: remove the literal default of a reference."""

from __future__ import annotations

import re
from typing import NamedTuple

from scanner.detect.fixes.edits import NOT_SET, Edit, Site
from scanner.detect.fixes.variable_names import styled

_QUOTE = rb"""\\?["'`]"""
# `${X:-literal`, `${X:literal`, `${env:X, 'literal`. A name in capitals ends before a dash.
_BRACED = re.compile(
    rb"\$\{(?P<resolver>[\w.]+:(?![-=?+]))?"
    rb"(?P<name>[A-Z_][A-Z0-9_]*(?![\w.\[])|[A-Za-z_][\w.\-]*(?:\[[^\[\]]*\])*)"
    rb"(?P<cut>(?P<operator>:?[-=]|:(?![?+])|,\s*)[^{}]*)\Z"
)
# The variable of an expression: `ENV["X"]`, `getenv('X'`, `env "X"`, `secrets.X`. GITHUB_TOKEN is
# left out, because GitHub sets it.
_READ = re.compile(
    rb"""(?:(?:ENV\[|\bENV\.fetch\(|getenv\(|\benv[ (]|lookup\(.env.,)\s*\\?["']"""
    rb"""|(?<![\w.])secrets\.(?!GITHUB_TOKEN\b))([A-Z][A-Z0-9_]*)\b"""
)
_TO_BRACE = re.compile(rb"[^{}]*(?=\})")
_SUPPORTS_NOT_SET = frozenset(("compose", "shell", "env"))  # `${X:?…}` reports an error there


class _DefaultSyntax(NamedTuple):
    """Patterns of the text before and after a default.

    The edit removes the group `cut` of `before`, the default, and the match of `after`.
    """

    before: re.Pattern[bytes]
    after: re.Pattern[bytes]


_SYNTAXES = (
    _DefaultSyntax(  # a || 'lit'
        re.compile(rb"(?P<cut>\s*(?:\|\||\?\?|\?:|\bor\b)\s*" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE),
    ),
    _DefaultSyntax(  # a | default('lit', true)
        re.compile(rb"(?P<cut>\s*\|\s*(?:default|d)\s*\(\s*" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE + rb"(?:\s*,\s*\w+)?\s*\)"),
    ),
    _DefaultSyntax(  # a | default "lit"
        re.compile(rb"(?P<cut>\s*\|\s*default\s+" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE),
    ),
    _DefaultSyntax(  # default "lit" a
        re.compile(rb"(?P<cut>\bdefault\s+" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE + rb"\s+(?=[.$(\w])"),
    ),
    _DefaultSyntax(  # get("A", "lit")
        re.compile(
            rb"\w\(\s*"
            + _QUOTE
            + rb"[\w.\-/]+"
            + _QUOTE
            + rb"(?P<cut>\s*,\s*(?:default\s*=\s*)?"
            + _QUOTE
            + rb")\Z"
        ),
        re.compile(_QUOTE + rb"(?=\s*\))"),
    ),
)


def without_default(site: Site) -> Edit | None:
    """Return the edit that removes the default with the secret; None if it is in no default."""
    edits = (_edit_by_syntax(site, syntax) for syntax in _SYNTAXES)
    return _edit_braces(site) or next(filter(None, edits), None)


def _edit_braces(site: Site) -> Edit | None:
    before = _BRACED.search(site.near)
    after = _TO_BRACE.match(site.data, site.end, site.leaf.end + 1)
    if not before or not after:
        return None
    name = before["name"].decode("latin-1")
    shell = not before["resolver"] and before["operator"] in {b":-", b"-", b":=", b"="}
    text = NOT_SET.encode() if shell and site.kinds & _SUPPORTS_NOT_SET else b""
    start = site.start - len(site.near) + before.start("cut")
    return Edit(start, after.end(), text, name if styled(name) else "")


def _edit_by_syntax(site: Site, syntax: _DefaultSyntax) -> Edit | None:
    before = syntax.before.search(site.near)
    after = syntax.after.match(site.data, site.end, site.leaf.end + 1)
    if not before or not after:
        return None
    read = _READ.findall(site.near)
    name = read[-1].decode() if read else ""
    return Edit(site.start - len(site.near) + before.start("cut"), after.end(), b"", name)
