"""Inventory: what Vault's own access runs on: AppRole secret ids, tokens, the barrier key. Groups
that are read where the operator asks for them, since they need more rights than the engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from scanner.inventory.vault.errors import Trouble
from scanner.inventory.vault.mount import Mount, Place, at, moment
from scanner.inventory.vault.requests import Item, Leaf, Next, Step
from scanner.model import Note, NoteKind
from scanner.records import ENDLESS, Record


def opened(place: Place, group: str) -> Step:
    """The step that reads a group in one namespace."""
    return Step(place.id(_MOUNTS[group]), partial(_GROUPS[group], place), advice=_ADVICE)


def _app_roles(place: Place) -> Iterator[Next]:
    methods = place.client.sys.list_auth_methods()["data"]
    paths = sorted(path for path, about in methods.items() if about["type"] == "approle")
    mounts = [Mount(place, f"auth/{path.strip('/')}") for path in paths]
    return (Step(mount.id(), partial(_roles, mount)) for mount in mounts)


def _roles(mount: Mount) -> Iterator[Next]:
    roles = mount.names("role/")
    return (Step(mount.id(f"role/{role}"), partial(_secret_ids, mount, role)) for role in roles)


def _secret_ids(mount: Mount, role: str) -> Iterator[Next]:
    accessors = mount.names(f"role/{role}/secret-id/")
    return (
        Leaf(mount.id(below), partial(_secret_id, mount, role, accessor, below))
        for accessor in accessors
        for below in [f"role/{role}/secret-id/{accessor}"]
    )


def _secret_id(mount: Mount, role: str, accessor: str, below: str) -> Sequence[Item]:
    what = {"secret_id_accessor": accessor}
    data = mount.look_up(f"role/{role}/secret-id-accessor/lookup", what)
    record = Record(
        id=mount.id(below),
        kind="approle-secret-id",
        dated=at(moment(data["creation_time"]), "creation_time"),
        tags={**_words(data["metadata"]), "role": role},
        lifetime=int(data["secret_id_ttl"]) or ENDLESS,
    )
    return [record]


def _tokens(place: Place) -> Iterator[Next]:
    mount = Mount(place, "auth/token")
    accessors = mount.names("accessors/")
    leases = _longest_leases(place)
    return (
        Leaf(mount.id(below), partial(_token, mount, accessor, below, leases), _ADVICE)
        for accessor in accessors
        for below in [f"accessors/{accessor}"]
    )


def _longest_leases(place: Place) -> Mapping[str, int]:
    """How long a token may be renewed, by the path of the auth method that issued it."""
    methods = place.client.sys.list_auth_methods()["data"]
    mounts = [Mount(place, f"auth/{path.strip('/')}") for path in methods]
    return {f"{mount.path}/": mount.longest_lease() for mount in mounts}


def _token(mount: Mount, accessor: str, below: str, leases: Mapping[str, int]) -> Sequence[Item]:
    try:
        data = mount.look_up("lookup-accessor", {"accessor": accessor})
    except Trouble as error:
        if "invalid accessor" in error.words:
            return [
                Note(kind=NoteKind.GONE, path=mount.id(below), text="it ended while it was read")
            ]
        raise
    record = Record(
        id=mount.id(below),
        kind="token",
        dated=at(datetime.fromtimestamp(data["creation_time"], UTC), "creation_time"),
        tags={
            **_words(data["meta"]),
            "display_name": str(data["display_name"]),
            "path": str(data["path"]),
            "policies": ",".join(data["policies"]),
        },
        lifetime=_lifetime(data, leases),
    )
    return [record]


def _lifetime(data: Mapping[str, Any], leases: Mapping[str, int]) -> int:
    """What it may reach by renewals: `last_renewal` is no new token."""
    if most := int(data["explicit_max_ttl"]):
        return most
    if data["expire_time"] is None or data.get("period"):
        return ENDLESS
    methods = [path for path in leases if str(data["path"]).startswith(path)]
    if data["renewable"] and methods:
        return leases[max(methods, key=len)]
    return int(data["creation_ttl"])


def _barrier(place: Place) -> Iterator[Next]:
    data = place.client.sys.get_encryption_key_status()["data"]
    dated = at(moment(data["install_time"]), "install_time")
    return iter([Record(id=place.id("sys", "key-status"), kind="barrier-key", dated=dated)])


def _words(said: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (said or {}).items()}


_ADVICE = "groups need more rights than the engines: see keywatch audit --permissions"
_GROUPS: Mapping[str, Callable[[Place], Iterator[Next]]] = {
    "approle": _app_roles,
    "tokens": _tokens,
    "barrier": _barrier,
}
_MOUNTS = {"approle": "auth", "tokens": "auth/token", "barrier": "sys"}
