"""Detect: a finding of detect-secrets, with its plaintext."""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """A secret as detect-secrets knows it. It holds plaintext: it never leaves scanner.detect.

    `line` is what detect-secrets reports, and where its audit looks. `start` and `end` are where
    the value stands in the file's bytes, -1 where it does not stand there as such (an escape, a
    text folded over lines).
    """

    kind: str
    hashed_secret: str
    line: int
    secret: str
    start: int = -1
    end: int = -1

    def __repr__(self) -> str:
        return f"Found(kind={self.kind!r}, line={self.line})"
