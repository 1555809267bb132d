"""Inventory: the secrets of one place, one by one; listing them and looking at each may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from scanner.model import Gap, Note
from scanner.records import Record

GONE = "gone"
"""The kind of trouble that is none: what was listed has been deleted since."""

_MAX_NAME = 2048  # of the longest that any of the stores allows

Look = Callable[[str], Record | Note | None]
"""Asks for what the listing does not tell, and makes the record of this id; None: it is not live,
or it is counted elsewhere."""


class Trouble(NamedTuple):
    """Why something could not be read, in words of our own: what servers say is hostile."""

    kind: str
    reason: str


def segment(name: str) -> str:
    """A name as it stands in a canonical id: its slashes stay, since they are part of the path."""
    return quote(name.strip("/")[:_MAX_NAME], safe="/_-.~+=,@:")


def walk(
    place: str,
    listing: Iterator[tuple[str, Look]],
    faults: tuple[type[Exception], ...],
    explain: Callable[[Exception], Trouble],
) -> Iterator[Record | Gap | Note]:
    """What can be told of the secrets of `place`, the beginning of their canonical ids. What fails
    with one of `faults` is a gap: the place, where it is the listing that does, else that secret
    alone."""
    try:
        for name, look in listing:
            found = _looked(f"{place}/{segment(name)}", look, faults, explain)
            if found:
                yield found
    except faults as error:
        yield gap(place, explain(error))


def gap(path: str, trouble: Trouble) -> Gap:
    return Gap(kind=trouble.kind, path=path, reason=trouble.reason)


def _looked(
    path: str,
    look: Look,
    faults: tuple[type[Exception], ...],
    explain: Callable[[Exception], Trouble],
) -> Record | Gap | Note | None:
    try:
        return look(path)
    except faults as error:
        trouble = explain(error)
    if trouble.kind == GONE:
        return Note(kind=GONE, path=path, text=trouble.reason)
    return gap(path, trouble)
