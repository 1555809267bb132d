"""Inventory: one secrets engine in its place, and the shelves on which it keeps its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote

from scanner.inventory.vault.errors import Trouble
from scanner.inventory.vault.requests import Item, Leaf, Next, Step
from scanner.records import Dated, Record, Strength

if TYPE_CHECKING:
    from hvac import Client


_SAMPLES = 10

Samples: TypeAlias = "dict[tuple[str, Shelf], list[str]]"
"""Names of some entries of each shelf, from different folders, by the mount's path from the root
and the shelf. Where rights differ, they do so by folders."""


class Place(NamedTuple):
    """What all that is read of one namespace ("" is the root) has in common. `client` is hvac's,
    `samples` is filled on the way, `keys`: are names of keys asked for, too; `fresh`: records, by
    id, that are not asked for again; `orphans` are paths whose rotation Vault has given up."""

    backend: str
    namespace: str
    client: Client
    now: datetime
    samples: Samples
    keys: bool
    fresh: Mapping[str, Record]
    orphans: frozenset[str] = frozenset()

    def id(self, *parts: str) -> str:
        """The canonical id of the namespace, or of a mount or a path below it."""
        return canonical(self.backend, self.namespace or "-", *parts)


class Mount(NamedTuple):
    """An engine below `path`, as `team/kv`, without a slash at its end."""

    place: Place
    path: str

    def id(self, below: str = "") -> str:
        below = below.strip("/").replace("#", "%23")
        return self.place.id(self.path, *filter(None, [below]))

    def names(self, below: str) -> list[str]:
        """What is listed there, in order; folders end with a slash."""
        try:
            answer = self.place.client.adapter.list(self._url(below))
        except Trouble as error:
            if error.kind == "absent" and not error.words:
                return []
            raise
        return sorted(map(str, answer["data"]["keys"]))

    def read(self, below: str, query: str = "") -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.place.client.adapter.get(self._url(below) + query)["data"]
        return data

    def look_up(self, below: str, what: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self.place.client.adapter.post(self._url(below), json=what)
        data: Mapping[str, Any] = answer["data"]
        return data

    def longest_lease(self) -> int:
        """Seconds that a lease of this mount may live at most, by its own settings or Vault's."""
        tuned = self.place.client.sys.read_mount_configuration(self.path)
        return int(tuned["data"]["max_lease_ttl"])

    def _url(self, below: str) -> str:
        return f"/v1/{quote(self.path)}/{quote(below)}"


class Entry(NamedTuple):
    """Something that a shelf holds, and what was read of it ({} where its name is all)."""

    mount: Mount
    path: str
    id: str
    data: Mapping[str, Any]


class Shelf(NamedTuple):
    """Where an engine keeps entries of one kind, below its mount.

    `lists` is listed (None: `reads` is itself the only entry), and below `reads` each is read
    (None: its name is all that is known of it). `named` begins its path in a canonical id. `values`
    is where its value could be had, `{}` for its name: never asked for, but nobody who only audits
    should be allowed to.
    """

    tells: Callable[[Entry], Iterable[Item]]
    lists: str | None
    reads: str | None
    named: str
    values: str = ""
    advice: str = ""


def opened(mount: Mount, shelf: Shelf, folder: str = "") -> Step:
    """The step that reads a shelf, or a folder of it (`app/`), with all below."""
    run = partial(_only if shelf.lists is None else _listed, mount, shelf, folder)
    return Step(mount.id(shelf.named + folder), run)


def _listed(mount: Mount, shelf: Shelf, folder: str) -> Iterator[Next]:
    return _each(mount, shelf, [folder + name for name in mount.names(f"{shelf.lists}{folder}")])


def _each(mount: Mount, shelf: Shelf, names: Sequence[str]) -> Iterator[Next]:
    samples = mount.place.samples.setdefault((f"{mount.place.namespace}/{mount.path}", shelf), [])
    if len(samples) < _SAMPLES:
        samples += islice((name for name in names if not name.endswith("/")), 1)
    for name in names:
        if name.endswith("/"):
            yield opened(mount, shelf, name)
            continue
        path = shelf.named + name
        entry = Entry(mount, path, mount.id(path), {})
        if fresh := mount.place.fresh.get(entry.id):
            yield fresh
        elif shelf.reads is None:
            yield from shelf.tells(entry)
        else:
            yield Leaf(entry.id, partial(_read, entry, shelf, name), shelf.advice)


def _read(entry: Entry, shelf: Shelf, name: str) -> Sequence[Item]:
    data = entry.mount.read(f"{shelf.reads}{name}")
    return list(shelf.tells(entry._replace(data=data)))


def _only(mount: Mount, shelf: Shelf, name: str) -> Iterator[Next]:
    """The one entry of a shelf, if it has been written."""
    try:
        return iter(_read(Entry(mount, shelf.named, mount.id(shelf.named), {}), shelf, name))
    except Trouble as error:
        if error.kind == "absent" or "configured" in error.words:  # SSH says so with 400
            return iter(())
        raise


def canonical(backend: str, namespace: str = "", mount: str = "", below: str = "") -> str:
    """`vault://<backend>/<namespace>/<mount>/<path>`, as far as it is known."""
    parts = (backend, namespace.replace("/", "%2F"), mount.replace("/", "%2F"), below)
    return "vault://" + "/".join(filter(None, parts))


def moment(text: object) -> datetime:
    """An RFC 3339 time of Vault's. ValueError where it is none; its zero is 0001-01-01."""
    when = datetime.fromisoformat(str(text))
    if when.tzinfo is None:
        raise ValueError("a time without a zone")
    return when.astimezone(UTC)


def is_zero(text: object) -> bool:
    """Is it what Vault says where there is no time?"""
    return not text or str(text).startswith("0001-01-01")


def at(when: datetime, field: str, strength: Strength = Strength.EXACT) -> Dated:
    return Dated(earliest=when, latest=when, field=field, strength=strength)
