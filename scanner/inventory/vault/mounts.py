"""Inventory: secrets engines at their mounts, and how the entries of an engine are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote

from scanner.inventory.errors import ReadError
from scanner.inventory.vault.parallel_requests import EntryRead, Item, Step, StepResult
from scanner.model import Gap
from scanner.records import Dated, Record, Strength

if TYPE_CHECKING:
    from hvac import Client


_SAMPLES = 10
_LOST = "its parent or the operator config names this folder, but Vault lists nothing in it"

Samples: TypeAlias = "dict[tuple[str, EntryType], list[str]]"
"""Names of some entries, by the mount's path from the root and the entry type.

They come from different folders, because permissions differ by folder.
"""


class Namespace(NamedTuple):
    """What everything that is read in one namespace has in common. `path` is "" for the root.

    `samples` is filled while entries are read. `keys`: names of keys are read, too. `fresh`:
    records by ID that are not read again. `leases`: the longest lease by mount, filled when it is
    asked for. `own_accessor` is that of the auditor's token. `orphans`: paths that Vault no longer
    rotates.
    """

    backend: str
    path: str
    client: Client
    now: datetime
    samples: Samples
    keys: bool
    fresh: Mapping[str, Record]
    leases: dict[str, int | ReadError]
    own_accessor: str
    orphans: frozenset[str] = frozenset()

    def id(self, *parts: str) -> str:
        """The canonical ID of the namespace, or of a mount or path in it."""
        return canonical(self.backend, self.path or "-", *parts)


class Mount(NamedTuple):
    """An engine at `path`, for example `team/kv`, without a slash at the end."""

    namespace: Namespace
    path: str

    def id(self, below: str = "") -> str:
        below = below.strip("/").replace("#", "%23")
        return self.namespace.id(self.path, *filter(None, [below]))

    def names(self, below: str) -> list[str]:
        """The sorted names in a list. Folders end with a slash."""
        try:
            answer = self.namespace.client.adapter.list(self._url(below))
        except ReadError as error:
            if error.kind == "absent" and not error.server_text:
                return []
            raise
        return sorted(map(str, answer["data"]["keys"]))

    def read(self, below: str, query: str = "") -> Mapping[str, Any]:
        url = self._url(below) + query
        data: Mapping[str, Any] = self.namespace.client.adapter.get(url)["data"]
        return data

    def look_up(self, below: str, what: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self.namespace.client.adapter.post(self._url(below), json=what)
        data: Mapping[str, Any] = answer["data"]
        return data

    def longest_lease(self) -> int:
        """The longest life of a lease in seconds, by the mount's own settings or Vault's."""
        leases = self.namespace.leases
        if self.path not in leases:
            leases[self.path] = self._read_longest_lease()
        found = leases[self.path]
        if isinstance(found, ReadError):
            raise found
        return found

    def capped(self, lifetime: int) -> int:
        """A lifetime that an entry states, 0 if it states none, within the mount's longest lease.

        Without the right to read the mount's settings, the entry's own lifetime is used.
        """
        try:
            lease = self.longest_lease()
        except ReadError as error:
            if error.kind != "denied" or not lifetime:
                raise
            return lifetime
        return min(lifetime or lease, lease)

    def _read_longest_lease(self) -> int | ReadError:
        try:
            tuned = self.namespace.client.sys.read_mount_configuration(self.path)
        except ReadError as error:
            if error.kind != "denied":
                raise
            return error
        return int(tuned["data"]["max_lease_ttl"])

    def _url(self, below: str) -> str:
        return f"/v1/{quote(self.path)}/{quote(below)}"


class Entry(NamedTuple):
    """One entry of an engine, and what was read of it ({} if only its name is known)."""

    mount: Mount
    path: str
    id: str
    data: Mapping[str, Any]


class EntryType(NamedTuple):
    """One type of entry that an engine stores, with paths relative to the mount.

    `to_items` makes records of an entry. `list_path` lists the entries; None: `read_path` is the
    only entry. Each entry is read at `read_path`; None: only its name is known. `id_prefix` begins
    its path in a canonical ID. `value_path` is where its value is, with `{}` for its name:
    keywatch never asks for it, and an auditor should not be allowed to. `advice` is added to a Gap
    if permission is denied.
    """

    to_items: Callable[[Entry], Iterable[Item]]
    list_path: str | None
    read_path: str | None
    id_prefix: str
    value_path: str = ""
    advice: str = ""


def read_step(mount: Mount, entry_type: EntryType, folder: str = "") -> Step:
    """The step that reads all entries of a type, or those in a folder (`app/`)."""
    run = partial(_only if entry_type.list_path is None else _listed, mount, entry_type, folder)
    return Step(id=mount.id(entry_type.id_prefix + folder), run=run)


def _listed(mount: Mount, entry_type: EntryType, folder: str) -> Iterator[StepResult]:
    names = mount.names(f"{entry_type.list_path}{folder}")
    if folder and not names:
        return iter(
            [Gap(kind="absent", path=mount.id(entry_type.id_prefix + folder), reason=_LOST)]
        )
    return _each(mount, entry_type, [folder + name for name in names])


def _each(mount: Mount, entry_type: EntryType, names: Sequence[str]) -> Iterator[StepResult]:
    namespace = mount.namespace
    key = (f"{namespace.path}/{mount.path}", entry_type)
    samples = namespace.samples.setdefault(key, [])
    if len(samples) < _SAMPLES:
        samples += islice((name for name in names if not name.endswith("/")), 1)
    for name in names:
        if name.endswith("/"):
            yield read_step(mount, entry_type, name)
            continue
        path = entry_type.id_prefix + name
        entry = Entry(mount=mount, path=path, id=mount.id(path), data={})
        if fresh := namespace.fresh.get(entry.id):
            yield fresh
        elif entry_type.read_path is None:
            yield from entry_type.to_items(entry)
        else:
            yield EntryRead(
                id=entry.id, run=partial(_read, entry, entry_type, name), advice=entry_type.advice
            )


def _read(entry: Entry, entry_type: EntryType, name: str) -> Sequence[Item]:
    data = entry.mount.read(f"{entry_type.read_path}{name}")
    return list(entry_type.to_items(entry._replace(data=data)))


def _only(mount: Mount, entry_type: EntryType, name: str) -> Iterator[StepResult]:
    """The only entry of its type, if it has been written."""
    path = entry_type.id_prefix
    try:
        return iter(
            _read(Entry(mount=mount, path=path, id=mount.id(path), data={}), entry_type, name)
        )
    except ReadError as error:
        # The SSH engine says with 400 that it is not configured.
        if error.kind == "absent" or "configured" in error.server_text:
            return iter(())
        raise


def canonical(backend: str, namespace: str = "", mount: str = "", below: str = "") -> str:
    """`vault://<backend>/<namespace>/<mount>/<path>`, without the parts that are not given."""
    parts = (backend, namespace.replace("/", "%2F"), mount.replace("/", "%2F"), below)
    return "vault://" + "/".join(filter(None, parts))


def parse_time(text: object) -> datetime:
    """An RFC 3339 time in UTC. ValueError for anything else."""
    when = datetime.fromisoformat(str(text))
    if when.tzinfo is None:
        raise ValueError("a time without a time zone")
    return when.astimezone(UTC)


def is_no_time(text: object) -> bool:
    """Is it what Vault writes if there is no time: nothing, or Go's zero time 0001-01-01?"""
    return not text or str(text).startswith("0001-01-01")


def dated(when: datetime, field: str, strength: Strength = Strength.EXACT) -> Dated:
    return Dated(earliest=when, latest=when, field=field, strength=strength)
