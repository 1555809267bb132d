"""Inventory: ask Azure Resource Manager about the key vaults of a backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from azure.core.rest import HttpRequest

from scanner.inventory.azure.clients import Clients
from scanner.inventory.azure.errors import FAILURES, explain
from scanner.inventory.azure.required_permissions import vault_name
from scanner.inventory.errors import GONE, ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.listing import id_part
from scanner.model import Gap, GapKind

ROLES = "2022-04-01"
"""The version of the API of role assignments and definitions."""
_SUBSCRIPTIONS = "2022-12-01"
_VAULTS = "2023-07-01"
_PAGES = 1_000


class Manager:
    """Asks Azure Resource Manager, page by page."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._roles: dict[str, Mapping[str, Any]] = {}

    def get(self, path: str, version: str) -> Any:
        whole = self._client.format_url(path)
        address = path if path.startswith("https://") else f"{whole}?api-version={version}"
        response = self._client.send_request(HttpRequest("GET", address))
        response.raise_for_status()
        found = response.json()
        if not isinstance(found, dict):
            raise TypeError
        return found

    def all(self, path: str, version: str) -> Iterator[Mapping[str, Any]]:
        """The entries of all pages. ValueError for a link to another server, or too many pages."""
        for _ in range(_PAGES):
            page = self.get(path, version)
            yield from page["value"]
            path = page.get("nextLink") or ""
            if not path:
                return
        raise ValueError

    def role(self, number: str) -> Mapping[str, Any]:
        if number not in self._roles:
            self._roles[number] = self.get(number, ROLES)["properties"]
        return self._roles[number]


class Found(NamedTuple):
    """A vault as Azure Resource Manager describes it, and who was asked."""

    manager: Manager
    vault: Mapping[str, Any]


def vaults(settings: Settings) -> Iterator[tuple[str, Found | Gap]]:
    """The canonical ID of each vault that the settings name, and what was found. Raises nothing."""
    clients = Clients(settings)
    for url in settings.options["vaults"]:
        place = f"azure://{settings.name}/{id_part(vault_name(url))}"
        try:
            manager = Manager(clients.manager(url))
            vault = _vault(manager, url)
        except FAILURES as error:
            yield place, unread(place, error)
            continue
        if vault is None:
            reason = "no subscription that this identity may list has a vault of this name"
            yield place, Gap(kind=GapKind.SELECTION, path=place, reason=reason)
        else:
            yield place, Found(manager, vault)


def unread(place: str, error: Exception) -> Gap:
    """The Gap of a vault about which Azure Resource Manager could not be asked."""
    failure = explain(error)
    if failure.kind == GONE:
        failure = ReadError("unreadable", "Azure Resource Manager does not know it")
    return gap(place, failure)


def _vault(manager: Manager, url: str) -> Mapping[str, Any] | None:
    host = urlsplit(url).hostname
    for subscription in manager.all("/subscriptions", _SUBSCRIPTIONS):
        number = subscription["subscriptionId"]
        below = f"/subscriptions/{number}/providers/Microsoft.KeyVault/vaults"
        for vault in manager.all(below, _VAULTS):
            if urlsplit(vault["properties"]["vaultUri"]).hostname == host:
                return vault
    return None
