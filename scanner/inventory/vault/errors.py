"""Inventory: why something of a Vault could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scanner.model import Gap


class Trouble(Exception):  # noqa: N818 - it is what a Gap says, not a defect
    """The kind and reason of a Gap. `status` is HTTP's, 0 where there was no answer; `words` are
    the server's own, to be compared and not to be shown."""

    def __init__(self, kind: str, reason: str, *, status: int = 0, words: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.words = words


def gap(path: str, error: Trouble, advice: str = "") -> Gap:
    """The Gap; with `advice`, if a right is missing."""
    more = f"; {advice}" if advice and error.kind == "denied" else ""
    return Gap(kind=error.kind, path=path, reason=error.reason + more)


def cut(text: str, limit: int = 200) -> str:
    """What another side says, as short as a line of a report allows."""
    return text if len(text) <= limit else f"{text[:limit]}…"


@contextmanager
def readable() -> Iterator[None]:
    """Trouble for all that an answer raises where it is read, if it has another form."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        reason = "the answer has not the form that Vault documents"
        raise Trouble("malformed", reason) from None
