"""Inventory: list the secrets of one service and read each one. Both steps may fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote

from scanner.inventory.errors import GONE, ReadError, gap
from scanner.model import Gap, Note
from scanner.records import Record

_MAX_NAME = 2048  # characters: the longest name that any of the stores allows

ReadSecret = Callable[[str], Record | Note | None]
"""Takes a canonical ID, asks for what the listing does not contain, and returns the record.

None: the secret is not live, or it is counted elsewhere.
"""


def id_part(name: str) -> str:
    """A name as written in a canonical ID. Slashes stay, because they are part of the path."""
    return quote(name.strip("/")[:_MAX_NAME], safe="/_-.~+=,@:")


def read_all(
    prefix: str,
    listing: Iterator[tuple[str, ReadSecret]],
    failures: tuple[type[Exception], ...],
    explain: Callable[[Exception], ReadError],
) -> Iterator[Record | Gap | Note]:
    """Read every secret of a listing. `prefix` is the beginning of their canonical IDs.

    An exception in `failures` becomes a Gap: for `prefix` if the listing fails, otherwise only for
    the one secret.
    """
    try:
        for name, read in listing:
            found = _read_one(f"{prefix}/{id_part(name)}", read, failures, explain)
            if found:
                yield found
    except failures as error:
        yield gap(prefix, explain(error))


def _read_one(
    path: str,
    read: ReadSecret,
    failures: tuple[type[Exception], ...],
    explain: Callable[[Exception], ReadError],
) -> Record | Gap | Note | None:
    try:
        return read(path)
    except failures as error:
        explained = explain(error)
    if explained.kind == GONE:
        return Note(kind=GONE, path=path, text=explained.reason)
    return gap(path, explained)
