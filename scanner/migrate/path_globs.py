"""Convert the regular expression of a path to globs, if some globs match the same paths.

gitleaks and TruffleHog search for the expression anywhere in the path. A glob matches whole
segments, and a folder that it matches is excluded with all that is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MOST = 50
_META = frozenset("*+?[]{}^$|()\\")
# `.*`, `.*?`, `.+`, an escaped character, or a single character
_TOKEN = re.compile(r"\.[*+]\??|\\.|.", re.DOTALL)


class _NoGlobError(ValueError):
    """The expression has a part that no glob expresses."""


def globs(pattern: str) -> tuple[str, ...]:
    """The globs, or () if the expression says something that globs cannot say."""
    tokens = _TOKEN.findall(pattern)
    try:
        found = [_glob(text) for text in _alternatives(iter(tokens), nested=False)]
    except _NoGlobError:
        return ()
    return tuple(dict.fromkeys(found)) if len(found) <= _MOST and all(found) else ()


def _alternatives(tokens: Iterator[str], *, nested: bool) -> list[str]:
    """The texts that the expression stands for. `^`, `$`, `**` and `?` have a meaning in them."""
    done: list[str] = []
    open_texts = [""]
    for piece in tokens:
        if piece == "|":
            done += open_texts
            open_texts = [""]
        elif piece == ")":
            if not nested:
                raise _NoGlobError
            return done + open_texts
        elif piece == "(":
            inner = _alternatives(_without_marks(tokens), nested=True)
            open_texts = [one + each for one in open_texts for each in inner]
        else:
            open_texts = [one + _meaning(piece) for one in open_texts]
        if len(done) + len(open_texts) > _MOST:
            raise _NoGlobError
    if nested:
        raise _NoGlobError
    return done + open_texts


def _without_marks(tokens: Iterator[str]) -> Iterator[str]:
    """The tokens of a group, without the `?:` at its beginning."""
    first = next(tokens, ")")
    if first == "?":
        if next(tokens, "") != ":":
            raise _NoGlobError
    else:
        yield first
        if first == ")":
            return
    yield from tokens


def _meaning(piece: str) -> str:
    if piece[0] == "." and len(piece) > 1:
        return "**" if piece[1] == "*" else "?**"
    if piece == ".":
        return "?"
    if piece[0] == "\\":
        if piece[1].isalnum() or piece[1] in "*?":
            raise _NoGlobError
        return piece[1]
    if piece in "^$":
        return "\0" if piece == "^" else "\1"
    if piece in _META:
        raise _NoGlobError
    return piece


def _glob(text: str) -> str:
    """The glob for one text that is searched for anywhere in a path."""
    at_start, at_end = text.startswith("\0"), text.endswith("\1")
    text = text.removeprefix("\0").removesuffix("\1")
    if "\0" in text or "\1" in text:
        raise _NoGlobError
    if text.startswith("**"):
        text, at_start = text.lstrip("*"), False
    if text.endswith("**"):
        text, at_end = text.rstrip("*"), False
    if not text.strip("/?"):
        raise _NoGlobError
    # Without the slash, a glob of one segment matches at any depth.
    text = f"/{text}" if at_start else f"**/*{text}"
    if text.endswith("/"):
        return f"{text}**"
    return text if at_end else f"{text}*"
