"""Detect: the match of a rule's pattern that an offline check accepts or rejects."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scanner.model import Confidence


class Candidate(NamedTuple):
    """One match of a rule's pattern. It holds plaintext and never leaves `scanner.detect`.

    value: the possible secret.
    name: the identifier that the value is assigned to; b"" if there is none.
    line: the line in which the value begins.
    at: the offset of the value in that line.
    path: the file.
    """

    value: bytes
    name: bytes
    line: bytes
    at: int
    path: str


Check = Callable[[Candidate], Confidence | None]
"""Returns None to reject the candidate, or the confidence that replaces the rule's own."""
