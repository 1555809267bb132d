"""Policy: read the secrets that a valid file of configs/secrets declares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from scanner.document import Document
from scanner.policy.declarations.model import DeclaredSecret, StoreReference

_FOLDERS = {"static-creds": "static-roles", "creds": "roles"}
_ISSUED = re.compile(r"\A(?!.*/data/).+/(?:static-creds|creds)/[^/]+\Z")
_SIGNED = re.compile(r"\A(?!.*/data/).+/(?:issue|sign)/[^/]+\Z")
_UNKNOWN = "${}"
_VARIABLE = re.compile(r"\$\{|\{\{")
_ARN_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}\Z")
_VAULT_HOST = re.compile(r"https://([A-Za-z0-9-]+)\.")
Section = Mapping[str, Any]
_SCHEMES = {"vault": "vault", "aws": "aws", "azure": "azure", "kubernetes": "k8s"}


def declared(document: Document) -> tuple[DeclaredSecret, ...]:
    """The secrets of a file that passed the schema, in the order of the file."""
    found: list[DeclaredSecret] = []
    for name, read in _FORMS.items():
        form = document.data.get(name)
        for index, item in enumerate(form["secrets"] if form else ()):
            location = document.at((name, "secrets", index))
            reference = _reference(document, name)
            found.append(read(form, item)._replace(location=location, form=reference))
    return tuple(found)


def _reference(document: Document, name: str) -> StoreReference:
    """The store of a section. Contexts and regions are not addresses: they differ by machine."""
    section = document.data[name]
    auth = section.get("auth", {})
    address = next((key for key in ("address", "vault_url") if key in section), "")
    role = auth.get("role", auth.get("client_id", ""))
    return StoreReference(
        scheme=_SCHEMES[name],
        address=section.get(address, ""),
        identity=vault_identity(auth) if name == "vault" else role,
        location=document.at((name, address)),
        identity_location=document.at((name, "auth")),
    )


def vault_identity(auth: Mapping[str, str]) -> str:
    """The mount and role with which a section `auth` logs in to Vault.

    "" if the section names no role. The operator config uses the same format.
    """
    role = auth.get("role", auth.get("role_id", ""))
    return f"{auth.get('mount', auth['method'])} {role}" if role else ""


def of_vault_path(path: str, mounts: Sequence[str] = ()) -> tuple[str, str]:
    """Split a path of Vault's API into (mount, path below it as in a canonical id).

    The mount is the longest of `mounts` that the path starts with, or else its first part.
    """
    path = path.strip("/")
    named = [one.strip("/") for one in mounts if path.startswith(one.strip("/") + "/")]
    mount = max(named, key=len, default=path.partition("/")[0])
    rest = path[len(mount) + 1 :]
    first, _, below = rest.partition("/")
    if first == "data" and below:
        return mount, below
    if first in _FOLDERS and below and "/" not in below:
        return mount, f"{_FOLDERS[first]}/{below}"
    return mount, rest


def is_issued(one: DeclaredSecret) -> bool:
    """Whether a Vault engine issues the value and renews it by itself."""
    return one.scheme == "vault" and bool(_ISSUED.search(one.written))


def is_listed(one: DeclaredSecret) -> bool:
    """Whether the store lists the secret. Vault does not store what its CA signs."""
    return one.scheme != "vault" or not _SIGNED.search(one.written)


def known(part: str) -> str | None:
    """A part of a name, or None if it contains a variable."""
    return None if _VARIABLE.search(part) else part


def _vault(form: Section, item: Section) -> DeclaredSecret:
    mount, path = of_vault_path(item["path"], form.get("mounts", ()))
    namespace = form.get("namespace", "-").strip("/").replace("/", "%2F")
    below = tuple(map(known, path.replace("#", "%23").split("/")))
    return DeclaredSecret(
        scheme="vault",
        segments=(None, known(namespace), known(mount.replace("/", "%2F")), *below),
        key=item.get("key", ""),
        name=(*map(known, mount.split("/")), *map(known, path.split("/"))),
        store=form["address"],
        written=item["path"].strip("/"),
    )


def _aws(form: Section, item: Section) -> DeclaredSecret:
    region, account = form["region"], form.get("account", _UNKNOWN)
    name, service = item.get("name", ""), item.get("service", "secretsmanager")
    if "arn" in item:
        name = item["arn"]
        _, _, service, region, account, _ = name.split(":", 5)
    path = tuple(map(known, name_of(name).split("/")))
    return DeclaredSecret(
        scheme="aws",
        segments=(None, known(account or _UNKNOWN), known(region or _UNKNOWN), service, *path),
        key=item.get("key", ""),
        name=path,
        store=f"{account} {region}",
        written=name_of(name),
    )


def name_of(secret: str) -> str:
    """The name of an AWS secret, given its name or ARN: `…:secret:app/db-AbCdEf` is `app/db`."""
    resource = secret.split(":", 5)[-1]
    if resource.startswith("secret:"):
        resource = _ARN_SUFFIX.sub("", resource.removeprefix("secret:"))
    return resource.removeprefix("parameter/").strip("/")


def _azure(form: Section, item: Section) -> DeclaredSecret:
    host = _VAULT_HOST.match(form["vault_url"])
    return DeclaredSecret(
        scheme="azure",
        segments=(None, host[1] if host else None, item.get("kind", "secret"), item["name"]),
        key="",
        name=(item["name"],),
        store=form["vault_url"],
        written=item["name"],
    )


def _kubernetes(form: Section, item: Section) -> DeclaredSecret:
    namespace = item.get("namespace", form["namespace"])
    return DeclaredSecret(
        scheme="k8s",
        segments=(None, known(namespace), "secret", item["name"]),
        key=item.get("key", ""),
        name=(item["name"],),
        store=form.get("context", ""),
        written=item["name"],
    )


_FORMS: Mapping[str, Callable[[Section, Section], DeclaredSecret]] = {
    "vault": _vault,
    "aws": _aws,
    "azure": _azure,
    "kubernetes": _kubernetes,
}


def by_secret(secrets: Sequence[DeclaredSecret]) -> Iterator[tuple[DeclaredSecret, ...]]:
    """Group declarations by secret, ignoring keys. The groups keep the order of the file."""
    groups: dict[tuple[str, str], list[DeclaredSecret]] = {}
    for one in secrets:
        groups.setdefault((one.store, one.id), []).append(one)
    return (tuple(group) for group in groups.values())
