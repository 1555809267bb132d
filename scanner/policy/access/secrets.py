"""Policy: the API paths at which a declared secret of Vault can be read, used or changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.model import Location
from scanner.policy.declarations.model import DeclaredSecret, SecretEntry

READ, WRITE, DELETE = "read", "write", "delete"
Actions = Mapping[str, str]
"""What each capability means at one path."""
_WRITES: Actions = {"create": WRITE, "update": WRITE, "patch": WRITE}
_KV_2 = re.compile(r"\A(?P<mount>.+?)/data/(?P<path>.+)\Z")
_OTHER = re.compile(
    r"\A(?P<mount>.+?)/(?P<kind>static-creds|creds|keys|issue|sign)/(?P<name>[^/]+)\Z"
)
_VARIABLE = re.compile(r"\$\{[^}]*\}|\{\{[^}]*\}\}")
KV_2_FOLDERS = frozenset(("data", "metadata", "delete", "undelete", "destroy", "subkeys", "config"))


class Secret(NamedTuple):
    """A declared secret. `name` is what findings call it. `needed` holds the paths and
    capabilities by which its value is read or used; one of them is enough. `endpoints` is every
    path at which its value can be had or changed. A `+` stands for a segment that only an
    environment variable knows."""

    id: str
    name: str
    secret_class: str
    location: Location
    mount: str
    kind: str
    needed: tuple[tuple[str, str], ...]
    endpoints: tuple[tuple[str, Actions], ...]


def secrets(
    declared: Iterable[Sequence[DeclaredSecret]], classes: Mapping[DeclaredSecret, SecretEntry]
) -> Iterator[Secret]:
    """The secrets of Vault among the declarations, which are grouped by secret. A secret without
    an entry has the class ""."""
    for group in declared:
        first = group[0]
        if first.scheme == "vault":
            entry = next((classes[one] for one in group if one in classes), None)
            yield secret(first, entry.secret_class if entry else "")


def secret(one: DeclaredSecret, secret_class: str) -> Secret:
    path = _VARIABLE.sub("+", one.written.strip("/"))
    path = "/".join(
        "+" if "+" in part and "${" in one.written else part for part in path.split("/")
    )
    mount, kind, needed, endpoints = _engine(path)
    return Secret(
        id=one.id,
        name=one.written,
        secret_class=secret_class,
        location=one.location,
        mount=mount,
        kind=kind,
        needed=needed,
        endpoints=endpoints,
    )


def _engine(
    full: str,
) -> tuple[str, str, tuple[tuple[str, str], ...], tuple[tuple[str, Actions], ...]]:
    if found := _KV_2.match(full):
        mount, path = found.groups()
        return mount, "kv-v2", ((full, READ),), tuple(_kv_2(mount, path))
    found = _OTHER.match(full)
    if not found:
        whole = {READ: READ, **_WRITES, "delete": DELETE}
        return full.partition("/")[0], "kv-v1", ((full, READ),), ((full, whole),)
    mount, kind, name = found.groups()
    if kind == "keys":
        uses = tuple((path, "update") for path in _transit(mount, name))
        used = tuple((path, {"update": "use"}) for path, _ in uses)
        return mount, "transit", uses, (*used, *_exported(mount, name))
    if kind in ("issue", "sign"):
        issued = {"create": "use", "update": "use"}
        return mount, "pki", ((full, "update"),), ((full, issued),)
    roles = "static-roles" if kind == "static-creds" else "roles"
    changes = {**_WRITES, "delete": DELETE}
    ends: list[tuple[str, Actions]] = [(full, {READ: READ}), (f"{mount}/{roles}/{name}", changes)]
    if kind == "static-creds":
        ends.append((f"{mount}/rotate-role/{name}", _WRITES))
    return mount, "database", ((full, READ),), tuple(ends)


def _kv_2(mount: str, path: str) -> Iterator[tuple[str, Actions]]:
    yield f"{mount}/data/{path}", {READ: READ, **_WRITES, "delete": DELETE}
    yield f"{mount}/metadata/{path}", {**_WRITES, "delete": DELETE}
    for folder in ("delete", "undelete", "destroy"):
        yield f"{mount}/{folder}/{path}", {"create": DELETE, "update": DELETE}


def _transit(mount: str, name: str) -> Iterator[str]:
    for use in ("encrypt", "decrypt", "sign", "verify", "hmac", "rewrap"):
        yield f"{mount}/{use}/{name}"
    for form in ("plaintext", "wrapped"):
        yield f"{mount}/datakey/{form}/{name}"


def _exported(mount: str, name: str) -> Iterator[tuple[str, Actions]]:
    for kind in ("encryption-key", "signing-key", "hmac-key"):
        yield f"{mount}/export/{kind}/{name}", {READ: READ}
    yield f"{mount}/backup/{name}", {READ: READ}
    yield f"{mount}/keys/{name}", {**_WRITES, "delete": DELETE}
    yield f"{mount}/keys/{name}/config", _WRITES
    yield f"{mount}/keys/{name}/rotate", _WRITES
