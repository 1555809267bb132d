"""Detect: a finding of detect-secrets, with its plaintext."""

from __future__ import annotations

from typing import NamedTuple


class FoundSecret(NamedTuple):
    """A secret that detect-secrets found. It holds plaintext and never leaves scanner.detect.

    kind: the type that a baseline records.
    line: the line that detect-secrets reports and its audit opens.
    start, end: the span of the value in the file's bytes; -1 if the file does not contain it
        literally (an escape, or a text folded over lines).
    """

    kind: str
    hashed_secret: str
    line: int
    secret: str
    start: int = -1
    end: int = -1

    def __repr__(self) -> str:
        return f"FoundSecret(kind={self.kind!r}, line={self.line})"
