"""Detect: a reference with a literal default -> the same without it."""

from __future__ import annotations

import re
from typing import NamedTuple

from scanner.detect.fixes.site import NOT_SET, Edit, Site
from scanner.detect.fixes.variable_names import styled

_QUOTE = rb"""\\?["'`]"""
# `${X:-lit`, `${X:lit`, `${env:X, 'lit`; a name in capitals ends before a dash.
_BRACED = re.compile(
    rb"\$\{(?P<resolver>[\w.]+:(?![-=?+]))?"
    rb"(?P<name>[A-Z_][A-Z0-9_]*(?![\w.\[])|[A-Za-z_][\w.\-]*(?:\[[^\[\]]*\])*)"
    rb"(?P<cut>(?P<operator>:?[-=]|:(?![?+])|,\s*)[^{}]*)\Z"
)
# The variable that an expression reads. GitHub sets its own token.
_READ = re.compile(
    rb"""(?:(?:ENV\[|\bENV\.fetch\(|getenv\(|\benv[ (]|lookup\(.env.,)\s*\\?["']"""
    rb"""|(?<![\w.])secrets\.(?!GITHUB_TOKEN\b))([A-Z][A-Z0-9_]*)\b"""
)
_TO_BRACE = re.compile(rb"[^{}]*(?=\})")
_REFUSES = frozenset(("compose", "shell", "env"))  # where `:?` ends a run


class _Form(NamedTuple):
    """What stands before a default, from the group `cut` on to be taken out, and what after."""

    before: re.Pattern[bytes]
    after: re.Pattern[bytes]


_FORMS = (
    _Form(  # a || 'lit'
        re.compile(rb"(?P<cut>\s*(?:\|\||\?\?|\?:|\bor\b)\s*" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE),
    ),
    _Form(  # a | default('lit', true)
        re.compile(rb"(?P<cut>\s*\|\s*(?:default|d)\s*\(\s*" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE + rb"(?:\s*,\s*\w+)?\s*\)"),
    ),
    _Form(  # a | default "lit"
        re.compile(rb"(?P<cut>\s*\|\s*default\s+" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE),
    ),
    _Form(  # default "lit" a
        re.compile(rb"(?P<cut>\bdefault\s+" + _QUOTE + rb")\Z"),
        re.compile(_QUOTE + rb"\s+(?=[.$(\w])"),
    ),
    _Form(  # get("A", "lit")
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
    """The edit that takes out the default that the secret is, or is in; None where it is none."""
    return _of_braces(site) or next(filter(None, (_of_form(site, form) for form in _FORMS)), None)


def _of_braces(site: Site) -> Edit | None:
    before = _BRACED.search(site.near)
    after = _TO_BRACE.match(site.data, site.end, site.leaf.end + 1)
    if not before or not after:
        return None
    name = before["name"].decode("latin-1")
    shell = not before["resolver"] and before["operator"] in {b":-", b"-", b":=", b"="}
    text = NOT_SET.encode() if shell and site.kinds & _REFUSES else b""
    start = site.start - len(site.near) + before.start("cut")
    return Edit(start, after.end(), text, name if styled(name) else "")


def _of_form(site: Site, form: _Form) -> Edit | None:
    before = form.before.search(site.near)
    after = form.after.match(site.data, site.end, site.leaf.end + 1)
    if not before or not after:
        return None
    read = _READ.findall(site.near)
    name = read[-1].decode() if read else ""
    return Edit(site.start - len(site.near) + before.start("cut"), after.end(), b"", name)
