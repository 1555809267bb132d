"""Detect: a secret in its place, and what may be done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from scanner.detect.structure import Leaf, Path

NOT_SET = ":?not set"
"""What ends a shell's reference to a variable that must be set."""

_NEAR = 2000
_ASSIGNED = re.compile(rb"[A-Za-z_][\w.\-]*[ \t]*=[ \t]*")
_FLOW_END = re.compile(rb"(?:[ \t\r\n]|#[^\n]*)*[,\]}]")
_IN_TEXT = re.compile(rb"://[^\s]*\Z|[?&;][\w .\-]*=\s*\Z")


class UnfixableError(ValueError):
    """Why a value stays, and what to do by hand. Says nothing of the value.

    `variable`: a name that .env.example should have nevertheless, "" for none.
    """

    def __init__(self, reason: str, variable: str = "") -> None:
        super().__init__(reason)
        self.variable = variable


class Site(NamedTuple):
    """A secret: the leaf that holds it, its own bytes in that, and the file around it.

    `texts` has the leaves of the document by their paths; `name` is the variable that may stand
    for the secret, in capitals.
    """

    path: str
    kinds: frozenset[str]
    leaf: Leaf
    texts: Mapping[Path, str]
    data: bytes
    start: int
    end: int
    name: str

    @property
    def before(self) -> bytes:
        """What stands before the secret in its leaf."""
        return self.data[self.leaf.start : self.start]

    @property
    def near(self) -> bytes:
        """The end of that, in which to look for what the secret is a part of."""
        return self.data[max(self.leaf.start, self.start - _NEAR) : self.start]

    @property
    def after(self) -> bytes:
        return self.data[self.end : self.leaf.end]

    @property
    def quote(self) -> bytes:
        """The quote around the leaf, b"" where there is none."""
        mark = self.data[: self.leaf.start][-1:]
        return mark if mark in {b'"', b"'"} and self.data.startswith(mark, self.leaf.end) else b""

    @property
    def value_start(self) -> int:
        """Where the value begins: in `NAME=value` of a list, right of the sign."""
        in_list = bool(self.leaf.path) and isinstance(self.leaf.path[-1], int)
        found = _ASSIGNED.match(self.data, self.leaf.start, self.end) if in_list else None
        return found.end() if found else self.leaf.start

    @property
    def is_whole(self) -> bool:
        """Is the secret all of the value?"""
        return self.start <= self.value_start and not self.after

    @property
    def is_in_flow(self) -> bool:
        """Does it stand in brackets or braces? Then one of them, or a comma, follows it."""
        end = self.leaf.end + len(self.quote)
        return "json" in self.kinds or _FLOW_END.match(self.data, end) is not None

    @property
    def in_text(self) -> bool:
        """Is it one part of several that say what they are, as the password in a URL?"""
        return _IN_TEXT.search(self.near) is not None


class Edit(NamedTuple):
    """Bytes to put in the place of others. `variable`: what they name, as .env.example has it.
    `todo`: what is left to do by hand."""

    start: int
    end: int
    text: bytes
    variable: str = ""
    todo: str = ""
