"""Detection: a place where a rule's pattern matched, as its offline check sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scanner.model import Confidence


class Candidate(NamedTuple):
    """One match. It holds plaintext: it never leaves `scanner.detect`.

    `value` is the secret, `name` the identifier that the value is assigned to (b"" for none),
    `line` the line in which it begins, at the offset `at`.
    """

    value: bytes
    name: bytes
    line: bytes
    at: int
    path: str


Check = Callable[[Candidate], Confidence | None]
"""None refuses the candidate; a Confidence takes the place of the rule's own."""
