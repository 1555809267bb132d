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
from scanner.inventory.vault.engines import unknown_age
from scanner.inventory.vault.mounts import (
    Entry,
    EntryType,
    Mount,
    Namespace,
    dated,
    parse_time,
    read_step,
)
from scanner.inventory.vault.parallel_requests import EntryRead, Item, Step, StepResult
from scanner.model import Note, NoteKind
from scanner.records import ENDLESS, Record, Rotation


def group_step(namespace: Namespace, group: str) -> Step:
    """The step that reads a group in one namespace."""
    return Step(
        id=namespace.id(_MOUNTS[group]), run=partial(_GROUPS[group], namespace), advice=_ADVICE
    )


def users_step(namespace: Namespace) -> Step:
    """The step that reads the users of the auth methods with passwords of their own."""
    return Step(id=namespace.id("auth"), run=partial(_users, namespace), advice=_ADVICE_OWN)


def oidc_step(namespace: Namespace) -> Step:
    """The step that reads the keys with which Vault signs identity tokens."""
    mount = Mount(namespace=namespace, path="identity/oidc")
    return read_step(mount, _OIDC_KEY)._replace(advice=_ADVICE_OWN)


def _users(namespace: Namespace) -> Iterator[StepResult]:
    methods = namespace.client.sys.list_auth_methods()["data"]
    paths = sorted(path for path, method in methods.items() if method["type"] == "userpass")
    mounts = [Mount(namespace=namespace, path=f"auth/{path.strip('/')}") for path in paths]
    own = [
        _configured(Mount(namespace=namespace, path=f"auth/{path.strip('/')}"), method["type"])
        for path, method in sorted(methods.items())
        if method["type"] in _STORED
    ]
    return iter([*(read_step(mount, _USER) for mount in mounts), *own])


def _configured(mount: Mount, method: str) -> Record | Note:
    """The credential in the configuration of an auth method, which keywatch does not read.

    A note if it is not certain that there is one.
    """
    name, what = mount.id("config"), _STORED[method]
    if method in _ALWAYS_STORED:
        why = f"Vault stores no time for its {what}"
        return Record(id=name, kind="auth-method-credential", undated=why)
    text = f"its configuration may hold a credential ({what}), which is not audited"
    return Note(kind=NoteKind.NOT_AUDITED, path=name, text=text)


def _oidc_key(entry: Entry) -> Iterator[Item]:
    """The key `default` exists in every Vault, and Vault rotates it by itself."""
    if entry.path != "key/default":
        yield Record(
            id=entry.id,
            kind="oidc-key",
            undated="Vault rotates it, but stores no time",
            rotation=Rotation(period=int(entry.data["rotation_period"])),
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
        if accessor != namespace.own_accessor
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
        lifetime=_lifetime(mount.namespace, data, leases),
    )
    return [record]


def _lifetime(namespace: Namespace, data: Mapping[str, Any], leases: Mapping[str, int]) -> int:
    """How long the token can live with renewals. A renewal does not make a new token.

    The role that issued the token caps it (`token_max_ttl`), and so does the mount of the method.
    """
    if limit := int(data["explicit_max_ttl"]):
        return limit
    if data["expire_time"] is None or data.get("period"):
        return ENDLESS
    methods = [path for path in leases if str(data["path"]).startswith(path)]
    if data["renewable"] and methods:
        method = max(methods, key=len)
        return min(leases[method], _role_limit(namespace, method, data) or leases[method])
    return int(data["creation_ttl"])


def _role_limit(namespace: Namespace, method: str, data: Mapping[str, Any]) -> int:
    """The `token_max_ttl` of the role that issued a token. 0 if there is none, or it is unknown."""
    meta = data["meta"] or {}
    for kind, key in _ROLE_NAMES:
        if name := meta.get(key):
            try:
                role = Mount(namespace=namespace, path=method.strip("/")).read(f"{kind}/{name}")
            except ReadError as error:
                if error.kind in ("denied", "absent"):
                    continue
                raise
            return int(role.get("token_max_ttl") or 0)
    return 0


def _barrier(namespace: Namespace) -> Iterator[StepResult]:
    data = namespace.client.sys.get_encryption_key_status()["data"]
    installed = dated(parse_time(data["install_time"]), "install_time")
    record = Record(id=namespace.id("sys", "key-status"), kind="barrier-key", dated=installed)
    return iter([record])


def _texts(tags: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (tags or {}).items()}


_USER = EntryType(
    to_items=partial(unknown_age, "userpass-user", "Vault stores no time for its password"),
    list_path="users/",
    read_path="users/",
    id_prefix="users/",
)
_OIDC_KEY = EntryType(to_items=_oidc_key, list_path="key/", read_path="key/", id_prefix="key/")
_ALWAYS_STORED = {"kerberos", "oidc", "radius"}
_STORED = {
    "kerberos": "keytab",
    "oidc": "client secret",
    "radius": "shared secret",
    "ldap": "bind password",
    "okta": "API token",
    "kubernetes": "token reviewer JWT",
    "aws": "access key",
    "azure": "client secret",
    "gcp": "service account key",
}
"""By type of auth method, the credential that its configuration holds."""
_ADVICE_OWN = "grant it, or list the mounts in the operator config, to audit only those"
_ROLE_NAMES = (
    ("role", "role_name"),  # AppRole
    ("role", "role"),  # Kubernetes, JWT, AWS
    ("users", "username"),
    ("certs", "cert_name"),
)
"""By the name of a role in a token's metadata: the list of the auth method that has the role."""
_ADVICE = "groups need more permissions than the engines: run keywatch audit --permissions"
_GROUPS: Mapping[str, Callable[[Namespace], Iterator[StepResult]]] = {
    "approle": _app_roles,
    "tokens": _tokens,
    "barrier": _barrier,
}
_MOUNTS = {"approle": "auth", "tokens": "auth/token", "barrier": "sys"}
