"""Detect: a secret with the file around it, and the edit that replaces it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from scanner.detect.structure import Leaf, Path

NOT_SET = ":?not set"
"""The end of a shell reference to a variable that must be set: `${NAME:?not set}`."""

_NEAR = 2000
_ASSIGNED = re.compile(rb"[A-Za-z_][\w.\-]*[ \t]*=[ \t]*")
_FLOW_END = re.compile(rb"(?:[ \t\r\n]|#[^\n]*)*[,\]}]")
_IN_TEXT = re.compile(rb"://[^\s]*\Z|[?&;][\w .\-]*=\s*\Z")


class UnfixableError(ValueError):
    """Says why a value cannot be replaced, and what to do by hand. It holds no plaintext.

    variable: a name to add to .env.example in spite of that; "" for none.
    """

    def __init__(self, reason: str, variable: str = "") -> None:
        super().__init__(reason)
        self.variable = variable


class Site(NamedTuple):
    """A secret in a leaf of a structured file.

    kinds: the kinds of the file and of the document.
    texts: the texts of all leaves of the document, by path.
    start, end: the span of the secret in `data`, the whole file.
    name: the environment variable that may replace the secret.
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
        """The text before the secret in its leaf."""
        return self.data[self.leaf.start : self.start]

    @property
    def near(self) -> bytes:
        """The last part of `before`, which shows what the secret belongs to."""
        return self.data[max(self.leaf.start, self.start - _NEAR) : self.start]

    @property
    def after(self) -> bytes:
        return self.data[self.end : self.leaf.end]

    @property
    def quote(self) -> bytes:
        """The quote around the leaf; b"" if there is none."""
        mark = self.data[: self.leaf.start][-1:]
        return mark if mark in {b'"', b"'"} and self.data.startswith(mark, self.leaf.end) else b""

    @property
    def value_start(self) -> int:
        """The start of the value: after the `=` if the leaf is a list item `NAME=value`."""
        in_list = bool(self.leaf.path) and isinstance(self.leaf.path[-1], int)
        found = _ASSIGNED.match(self.data, self.leaf.start, self.end) if in_list else None
        return found.end() if found else self.leaf.start

    @property
    def is_whole(self) -> bool:
        """Is the secret the whole value?"""
        return self.start <= self.value_start and not self.after

    @property
    def is_in_flow(self) -> bool:
        """Is the leaf in brackets or braces? Then one of them, or a comma, follows it."""
        end = self.leaf.end + len(self.quote)
        return "json" in self.kinds or _FLOW_END.match(self.data, end) is not None

    @property
    def in_text(self) -> bool:
        """Is the secret a part of a larger text, such as the password in a URL?"""
        return _IN_TEXT.search(self.near) is not None


class Edit(NamedTuple):
    """A replacement of bytes.

    variable: the name to add to .env.example; "" for none.
    todo: what the user must still do by hand; "" for nothing.
    """

    start: int
    end: int
    text: bytes
    variable: str = ""
    todo: str = ""
