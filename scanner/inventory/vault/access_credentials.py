"""Inventory: the credentials for Vault itself: AppRole secret IDs, tokens and the barrier key.

They are read only if the operator config asks for them (`groups`), because they need more
permissions than the engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from scanner.inventory.errors import ReadError
from scanner.inventory.vault.mounts import Mount, Namespace, dated, parse_time
from scanner.inventory.vault.parallel_requests import EntryRead, Item, Step, StepResult
from scanner.model import Note, NoteKind
from scanner.records import ENDLESS, Record


def group_step(namespace: Namespace, group: str) -> Step:
    """The step that reads a group in one namespace."""
    return Step(
        id=namespace.id(_MOUNTS[group]), run=partial(_GROUPS[group], namespace), advice=_ADVICE
    )


def _app_roles(namespace: Namespace) -> Iterator[StepResult]:
    methods = namespace.client.sys.list_auth_methods()["data"]
    paths = sorted(path for path, method in methods.items() if method["type"] == "approle")
    mounts = [Mount(namespace=namespace, path=f"auth/{path.strip('/')}") for path in paths]
    return (Step(id=mount.id(), run=partial(_roles, mount)) for mount in mounts)


def _roles(mount: Mount) -> Iterator[StepResult]:
    roles = mount.names("role/")
    return (
        Step(id=mount.id(f"role/{role}"), run=partial(_secret_ids, mount, role)) for role in roles
    )


def _secret_ids(mount: Mount, role: str) -> Iterator[StepResult]:
    accessors = mount.names(f"role/{role}/secret-id/")
    return (
        EntryRead(id=mount.id(below), run=partial(_secret_id, mount, role, accessor, below))
        for accessor in accessors
        for below in [f"role/{role}/secret-id/{accessor}"]
    )


def _secret_id(mount: Mount, role: str, accessor: str, below: str) -> Sequence[Item]:
    what = {"secret_id_accessor": accessor}
    data = mount.look_up(f"role/{role}/secret-id-accessor/lookup", what)
    record = Record(
        id=mount.id(below),
        kind="approle-secret-id",
        dated=dated(parse_time(data["creation_time"]), "creation_time"),
        tags={**_texts(data["metadata"]), "role": role},
        lifetime=int(data["secret_id_ttl"]) or ENDLESS,
    )
    return [record]


def _tokens(namespace: Namespace) -> Iterator[StepResult]:
    mount = Mount(namespace=namespace, path="auth/token")
    accessors = mount.names("accessors/")
    leases = _longest_leases(namespace)
    return (
        EntryRead(
            id=mount.id(below), run=partial(_token, mount, accessor, below, leases), advice=_ADVICE
        )
        for accessor in accessors
        for below in [f"accessors/{accessor}"]
    )


def _longest_leases(namespace: Namespace) -> Mapping[str, int]:
    """How long tokens can be renewed, by the path of the auth method that issues them."""
    methods = namespace.client.sys.list_auth_methods()["data"]
    mounts = [Mount(namespace=namespace, path=f"auth/{path.strip('/')}") for path in methods]
    return {f"{mount.path}/": mount.longest_lease() for mount in mounts}


def _token(mount: Mount, accessor: str, below: str, leases: Mapping[str, int]) -> Sequence[Item]:
    try:
        data = mount.look_up("lookup-accessor", {"accessor": accessor})
    except ReadError as error:
        if "invalid accessor" in error.server_text:
            return [
                Note(kind=NoteKind.GONE, path=mount.id(below), text="it expired while it was read")
            ]
        raise
    record = Record(
        id=mount.id(below),
        kind="token",
        dated=dated(datetime.fromtimestamp(data["creation_time"], UTC), "creation_time"),
        tags={
            **_texts(data["meta"]),
            "display_name": str(data["display_name"]),
            "path": str(data["path"]),
            "policies": ",".join(data["policies"]),
        },
        lifetime=_lifetime(data, leases),
    )
    return [record]


def _lifetime(data: Mapping[str, Any], leases: Mapping[str, int]) -> int:
    """How long the token can live with renewals. A renewal does not make a new token."""
    if limit := int(data["explicit_max_ttl"]):
        return limit
    if data["expire_time"] is None or data.get("period"):
        return ENDLESS
    methods = [path for path in leases if str(data["path"]).startswith(path)]
    if data["renewable"] and methods:
        return leases[max(methods, key=len)]
    return int(data["creation_ttl"])


def _barrier(namespace: Namespace) -> Iterator[StepResult]:
    data = namespace.client.sys.get_encryption_key_status()["data"]
    installed = dated(parse_time(data["install_time"]), "install_time")
    record = Record(id=namespace.id("sys", "key-status"), kind="barrier-key", dated=installed)
    return iter([record])


def _texts(tags: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (tags or {}).items()}


_ADVICE = "groups need more permissions than the engines: run keywatch audit --permissions"
_GROUPS: Mapping[str, Callable[[Namespace], Iterator[StepResult]]] = {
    "approle": _app_roles,
    "tokens": _tokens,
    "barrier": _barrier,
}
_MOUNTS = {"approle": "auth", "tokens": "auth/token", "barrier": "sys"}
