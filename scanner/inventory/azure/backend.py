"""Inventory: the secrets, keys and certificates in Azure's vaults.

The current value is the newest enabled version. All versions are listed, because they are not
sorted. Other dates do not tell the age: `updated` changes with every edit, people choose `nbf`, and
a past `exp` does not mean that the value was rotated. Lists of versions contain no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from operator import itemgetter
from types import MappingProxyType
from typing import Protocol

from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

from scanner.inventory.azure.clients import Clients, Vault
from scanner.inventory.azure.errors import FAILURES, explain
from scanner.inventory.azure.required_permissions import vault_name
from scanner.inventory.azure.rotation import rotation
from scanner.inventory.clock import CloudClock
from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.listing import ReadSecret, id_part, read_all
from scanner.inventory.threads import in_order
from scanner.model import Gap, Note, NoteKind
from scanner.records import Dated, Record, Strength

Task = Callable[[], Iterator[Record | Gap | Note]]

_FIELD = "created of the newest enabled version"
_EXCESS_UNKNOWN = (
    "the excess permissions of the auditor are unknown: Key Vault does not list them, and keywatch "
    "does not try to read a value (see: az role assignment list --assignee AUDITOR --all)"
)


class _Properties(Protocol):
    """What a list says about a secret, key or certificate, or about one version of it."""

    @property
    def name(self) -> str | None: ...
    @property
    def enabled(self) -> bool | None: ...
    @property
    def created_on(self) -> datetime | None: ...
    @property
    def expires_on(self) -> datetime | None: ...
    @property
    def tags(self) -> dict[str, str] | None: ...


class AzureBackend:
    """A Backend (see interface.py)."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._clock = CloudClock(settings, now)

    def read(self) -> Iterator[Record | Gap | Note]:
        """Read the secrets, keys and certificates of all vaults in parallel."""
        yield from self._clock.corrected(self._items(), f"azure://{self._settings.name}")

    def _items(self) -> Iterator[Record | Gap | Note]:
        clients = Clients(self._settings, answered=self._clock.saw)
        urls = self._settings.options["vaults"]
        yield from in_order(task for url in urls for task in self._tasks(clients, url))
        yield Note(
            kind=NoteKind.EXCESS_UNKNOWN,
            path=f"azure://{self._settings.name}",
            text=_EXCESS_UNKNOWN,
        )

    def _tasks(self, clients: Clients, url: str) -> Iterator[Task]:
        path = f"azure://{self._settings.name}/{id_part(vault_name(url))}"
        try:
            vault = clients.vault(url)
        except (OSError, ValueError):
            found = gap(path, ReadError("unauthenticated", "the login in auth cannot be used"))
            yield partial(iter, (found,))
            return
        for kind, listed in _LISTED.items():
            yield partial(read_all, f"{path}/{kind}", listed(vault), FAILURES, explain)

    def excess(self) -> Iterator[str]:
        """Empty: `read` returns a note that they are unknown."""
        return iter(())

    def close(self) -> None:
        """Its credentials end by themselves."""


def _secrets(vault: Vault) -> Iterator[tuple[str, ReadSecret]]:
    """Without the secrets of certificates, which are counted as certificates."""
    for secret in vault.secrets.list_properties_of_secrets():
        if not secret.managed:
            yield _name(secret), partial(_secret, vault.secrets, secret)


def _secret(client: SecretClient, secret: _Properties, path: str) -> Record | None:
    created, expires = _enabled(client.list_properties_of_secret_versions(_name(secret)))
    if not created:
        return None
    return Record(
        id=path,
        kind="key-vault-secret",
        dated=Dated(earliest=created[0], latest=created[0], field=_FIELD),
        tags=_tags(secret),
        expires=expires,
        superseded=_superseded(created),
    )


def _keys(vault: Vault) -> Iterator[tuple[str, ReadSecret]]:
    for key in vault.keys.list_properties_of_keys():
        if not key.managed:
            yield _name(key), partial(_key, vault.keys, key)


def _key(client: KeyClient, key: _Properties, path: str) -> Record | None:
    """Older versions stay enabled to decrypt old data, so they are not reported."""
    created, expires = _enabled(client.list_properties_of_key_versions(_name(key)))
    if not created:
        return None
    return Record(
        id=path,
        kind="key-vault-key",
        dated=Dated(earliest=created[0], latest=created[0], field=_FIELD),
        tags=_tags(key),
        expires=expires,
        rotation=rotation(client.get_key_rotation_policy(_name(key)), created[0]),
    )


def _certificates(vault: Vault) -> Iterator[tuple[str, ReadSecret]]:
    for certificate in vault.certificates.list_properties_of_certificates():
        yield _name(certificate), partial(_certificate, vault.certificates, certificate)


def _certificate(client: CertificateClient, certificate: _Properties, path: str) -> Record | None:
    """A renewal with the same private key is not a rotation.

    The key is then as old as one of the versions, but Key Vault does not say which one.
    """
    name = _name(certificate)
    created, expires = _enabled(client.list_properties_of_certificate_versions(name))
    if not created:
        return None
    reused = client.get_certificate_policy(name).reuse_key and len(created) > 1
    return Record(
        id=path,
        kind="key-vault-certificate",
        dated=Dated(
            earliest=created[-1] if reused else created[0],
            latest=created[0],
            field=_FIELD,
            strength=Strength.BOUND if reused else Strength.EXACT,
        ),
        tags=_tags(certificate),
        expires=expires,
        superseded=_superseded(created),
    )


_LISTED: Mapping[str, Callable[[Vault], Iterator[tuple[str, ReadSecret]]]] = {
    "secret": _secrets,
    "key": _keys,
    "certificate": _certificates,
}


def _enabled(versions: Iterable[_Properties]) -> tuple[list[datetime], datetime | None]:
    """Creation times of enabled versions, newest first, and the end of the newest one.

    ValueError if a creation time is missing.
    """
    found: list[tuple[datetime, datetime | None]] = []
    for one in versions:
        if one.enabled is not False:
            if one.created_on is None:
                raise ValueError
            found.append((one.created_on, one.expires_on))
    found.sort(key=itemgetter(0), reverse=True)
    return [created for created, _ in found], found[0][1] if found else None


def _name(found: _Properties) -> str:
    """ValueError if the answer has no name."""
    if not found.name:
        raise ValueError
    return found.name


def _superseded(created: list[datetime]) -> datetime | None:
    return created[0] if len(created) > 1 else None


def _tags(found: _Properties) -> Mapping[str, str]:
    return MappingProxyType(found.tags or {})
