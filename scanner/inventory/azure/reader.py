"""Inventory: the secrets, keys and certificates of Azure's vaults.

The value in use is the newest enabled version; all are listed, since they come in no order.
`updated` moves with every edit, `nbf` is what people write, and an `exp` that is past says nothing
of a rotation. Lists of versions hold no values; what would is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Protocol

from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

from scanner.inventory.azure.access import Access, Vault
from scanner.inventory.azure.errors import FAULTS, explain
from scanner.inventory.azure.required_permissions import vault_name
from scanner.inventory.azure.rotation import rotation
from scanner.inventory.interface import Settings
from scanner.inventory.listing import Look, Trouble, gap, segment, walk
from scanner.inventory.threads import in_order
from scanner.model import Gap, Note, NoteKind
from scanner.records import Dated, Record, Strength

Part = Callable[[], Iterator[Record | Gap | Note]]

_FIELD = "created of the newest enabled version"
_UNTOLD = (
    "which rights this identity holds beyond need is not told: Key Vault does not say, and to try "
    "would be to read a value (see: az role assignment list --assignee AUDITOR --all)"
)


class _Properties(Protocol):
    """What a listing says of a secret, key or certificate, or of one version of it."""

    @property
    def name(self) -> str | None: ...
    @property
    def enabled(self) -> bool | None: ...
    @property
    def created_on(self) -> datetime | None: ...
    @property
    def tags(self) -> dict[str, str] | None: ...


class Reader:
    """A Backend (see interface.py)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self) -> Iterator[Record | Gap | Note]:
        """All vaults at once, and in each its secrets, keys and certificates."""
        access = Access(self._settings)
        urls = self._settings.options["vaults"]
        yield from in_order(part for url in urls for part in self._parts(access, url))
        yield Note(
            kind=NoteKind.EXCESS_UNKNOWN, path=f"azure://{self._settings.name}", text=_UNTOLD
        )

    def _parts(self, access: Access, url: str) -> Iterator[Part]:
        path = f"azure://{self._settings.name}/{segment(vault_name(url))}"
        try:
            vault = access.vault(url)
        except (OSError, ValueError):
            found = gap(path, Trouble("unauthenticated", "what auth names cannot be used"))
            yield partial(iter, (found,))
            return
        for kind, listed in _LISTED.items():
            yield partial(walk, f"{path}/{kind}", listed(vault), FAULTS, explain)

    def excess(self) -> Iterator[str]:
        """None: see the note of `read`."""
        return iter(())


def _secrets(vault: Vault) -> Iterator[tuple[str, Look]]:
    """Those that belong to a certificate are counted there."""
    for secret in vault.secrets.list_properties_of_secrets():
        if not secret.managed:
            yield _name(secret), partial(_secret, vault.secrets, secret)


def _secret(client: SecretClient, secret: _Properties, path: str) -> Record | None:
    created = _enabled(client.list_properties_of_secret_versions(_name(secret)))
    if not created:
        return None
    return Record(
        id=path,
        kind="key-vault-secret",
        dated=Dated(earliest=created[0], latest=created[0], field=_FIELD),
        tags=_tags(secret),
        superseded=_superseded(created),
    )


def _keys(vault: Vault) -> Iterator[tuple[str, Look]]:
    for key in vault.keys.list_properties_of_keys():
        if not key.managed:
            yield _name(key), partial(_key, vault.keys, key)


def _key(client: KeyClient, key: _Properties, path: str) -> Record | None:
    """Older versions stay enabled to decrypt what they encrypted: that is no old credential."""
    created = _enabled(client.list_properties_of_key_versions(_name(key)))
    if not created:
        return None
    return Record(
        id=path,
        kind="key-vault-key",
        dated=Dated(earliest=created[0], latest=created[0], field=_FIELD),
        tags=_tags(key),
        rotation=rotation(client.get_key_rotation_policy(_name(key)), created[0]),
    )


def _certificates(vault: Vault) -> Iterator[tuple[str, Look]]:
    for certificate in vault.certificates.list_properties_of_certificates():
        yield _name(certificate), partial(_certificate, vault.certificates, certificate)


def _certificate(client: CertificateClient, certificate: _Properties, path: str) -> Record | None:
    """One that is renewed with the same private key is not rotated by that: the key is as old as
    some version, and which one is not told."""
    name = _name(certificate)
    created = _enabled(client.list_properties_of_certificate_versions(name))
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
        superseded=_superseded(created),
    )


_LISTED: Mapping[str, Callable[[Vault], Iterator[tuple[str, Look]]]] = {
    "secret": _secrets,
    "key": _keys,
    "certificate": _certificates,
}


def _enabled(versions: Iterable[_Properties]) -> list[datetime]:
    """When the enabled versions were made, the newest first. ValueError where one does not say."""
    created = [one.created_on for one in versions if one.enabled is not False]
    if None in created:
        raise ValueError
    return sorted((moment for moment in created if moment), reverse=True)


def _name(found: _Properties) -> str:
    """ValueError where an answer does not say."""
    if not found.name:
        raise ValueError
    return found.name


def _superseded(created: list[datetime]) -> datetime | None:
    return created[0] if len(created) > 1 else None


def _tags(found: _Properties) -> Mapping[str, str]:
    return MappingProxyType(found.tags or {})
