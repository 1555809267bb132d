"""Detect: make a pattern smaller for the prefilter.

Hyperscan reports every possible end of a match: up to 220 hits for one token that matches
`ghp_[0-9A-Za-z]{36,255}`, and one hit for each byte after `key=` for `key=.+`. The cut pattern,
`ghp_[0-9A-Za-z]{36}`, ends at the shortest match. It is found wherever the pattern is, but once.

Hyperscan also takes long to compile large counts, such as `{36}` or `{1,200}`: without them, half
of the time.
"""

from __future__ import annotations

import re

# `*`, `+`, `?`, `{3}`, `{3,}`, `{3,9}`, each possibly lazy or possessive
_QUANTIFIER = re.compile(r"(?:\*|\+|\?|\{(\d+)(,\d*)?\})[?+]?")
_LARGE = 16
# An escape, a class or one character, and its count if it has one.
_COUNTED = re.compile(
    r"(?P<atom>\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|.)(?:\{(?P<least>\d+)(?P<range>,(?P<most>\d*))?\})?"
)
# The opening of a group: `(`, `(?:`, `(?i:`, `(?P<name>`
_GROUP = re.compile(r"\((?:\?(?:P<\w+>|[a-zA-Z]*(?:-[a-zA-Z]+)?:))?")

_Item = tuple[str, str]  # an atom and its quantifier, as text


def without_open_end(pattern: str) -> str:
    """Return a pattern that matches a prefix of every match of `pattern`.

    Raises ValueError if nothing would be left, or if a parenthesis is not closed.
    """
    branches = [_cut(_items(branch)) for branch in alternatives(pattern)]
    if not all(branches):
        raise ValueError("every part of the pattern is optional, so it matches everywhere")
    return "|".join(branches)


def with_small_counts(pattern: str, *, in_line: bool = True) -> str:
    """Return a pattern that matches wherever `pattern` does, with fewer counts over 16.

    `x{36}` and `x{27,300}` become `x{16,}`, and `x{1,200}` becomes `x{1,}`.

    in_line: the end of a hit matters only for its line. Otherwise the end stays the same, and so
        does how far a match reaches over lines.
    """

    def smaller(part: re.Match[str]) -> str:
        atom, least, most = part["atom"], int(part["least"] or 0), int(part["most"] or 0)
        if max(least, most) <= _LARGE or (
            not in_line and (not part["range"] or atom == ")" or _matches_line_break(atom))
        ):
            return part[0]
        return f"{atom}{{{min(least, _LARGE)},}}"

    return _COUNTED.sub(smaller, pattern)


def _matches_line_break(atom: str) -> bool:
    """May an atom match a line break?"""
    named = "\\n" in atom or "\\s" in atom or "\\W" in atom
    return not named if atom.startswith("[^") else named or "\\D" in atom


def alternatives(pattern: str) -> list[str]:
    """Split a pattern at its top-level `|`."""
    depth, i, start, out = 0, 0, 0, []
    while i < len(pattern):
        char = pattern[i]
        if char in "\\[":
            i = _atom_end(pattern, i)
            continue
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            out.append(pattern[start:i])
            start = i + 1
        i += 1
    return [*out, pattern[start:]]


def _items(branch: str) -> list[_Item]:
    items, i = [], 0
    while i < len(branch):
        end = _atom_end(branch, i)
        quantifier = _QUANTIFIER.match(branch, end)
        after = quantifier.end() if quantifier else end
        items.append((branch[i:end], branch[end:after]))
        i = after
    return items


def _atom_end(text: str, i: int) -> int:
    """Return the end of the atom at `i`: an escape, a class, a group or one character."""
    if text[i] == "\\":
        return i + (4 if text[i + 1 : i + 2] == "x" and text[i + 2 : i + 3] != "{" else 2)
    if text[i] == "[":
        i += 2 if text[i + 1 : i + 2] == "^" else 1
        first = i
        while i < len(text) and (text[i] != "]" or i == first):
            if text.startswith("[:", i) and ":]" in text[i:]:
                i = text.index(":]", i) + 2
            else:
                i += 2 if text[i] == "\\" else 1
        return i + 1
    if text[i] == "(":
        depth = 0
        while i < len(text):
            if text[i] in "\\[":
                i = _atom_end(text, i)
                continue
            depth += (text[i] == "(") - (text[i] == ")")
            i += 1
            if depth == 0:
                return i
        raise ValueError("a parenthesis is not closed")
    return i + 1


def _cut(items: list[_Item]) -> str:
    """Join the items, with the last ones reduced to the least that they must match."""
    items = list(items)
    while items:
        atom, quantifier = items.pop()
        least = _least(quantifier)
        if atom in (r"\b", "$", r"\z", r"\Z") or least == 0:
            continue
        head = "".join(a + q for a, q in items)
        if atom.startswith("("):
            group = _cut_group(atom)
            if not group:
                continue
            if least == 1:
                return head + group
        return head + atom + ("" if least == 1 else f"{{{least}}}")
    return ""


def _cut_group(atom: str) -> str:
    """Cut each branch of a group. Returns "" if one of the branches may match nothing."""
    opening = _GROUP.match(atom)
    if opening is None:
        return atom
    branches = [_cut(_items(branch)) for branch in alternatives(atom[opening.end() : -1])]
    return f"{opening.group()}{'|'.join(branches)})" if all(branches) else ""


def _least(quantifier: str) -> int:
    if not quantifier or quantifier[0] == "+":
        return 1
    counted = _QUANTIFIER.match(quantifier)
    return int(counted[1]) if counted and counted[1] else 0
