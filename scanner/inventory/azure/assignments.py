"""Inventory: who may read the secrets of a key vault: its access policies and role assignments, as
Azure Resource Manager tells them. No value is read."""

from __future__ import annotations

import fnmatch
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

_SUBSCRIPTIONS = "2022-12-01"
_VAULTS = "2023-07-01"
_ROLES = "2022-04-01"
_PAGES = 1_000
_DATA = {
    "read": "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "write": "Microsoft.KeyVault/vaults/secrets/setSecret/action",
}
_CONTROL = {
    "grant": "Microsoft.Authorization/roleAssignments/write",
    "change access policies": "Microsoft.KeyVault/vaults/accessPolicies/write",
}
_BY_POLICY = {"get": "read", "set": "write", "all": "read"}


class Assignment(NamedTuple):
    """What a principal may do with the secrets of a vault: read, write, grant, change access
    policies. `scope` is where the right is given, `by` is the role or "access policy"."""

    vault: str
    principal: str
    kind: str
    rights: tuple[str, ...]
    by: str
    scope: str


class _Manager:
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
            self._roles[number] = self.get(number, _ROLES)["properties"]
        return self._roles[number]


def read(settings: Settings) -> Iterator[Assignment | Gap]:
    """The rights on each vault that the settings name. Raises nothing: what cannot be read is a
    Gap."""
    clients = Clients(settings)
    for url in settings.options["vaults"]:
        place = f"azure://{settings.name}/{id_part(vault_name(url))}"
        try:
            manager = _Manager(clients.manager(url))
            found = _found(manager, url)
            if found is None:
                reason = "no subscription that this identity may list has a vault of this name"
                yield Gap(kind=GapKind.SELECTION, path=place, reason=reason)
            else:
                yield from _rights(manager, found, place)
        except FAILURES as error:
            failure = explain(error)
            if failure.kind == GONE:
                failure = ReadError("unreadable", "Azure Resource Manager does not know it")
            yield gap(place, failure)


def _found(manager: _Manager, url: str) -> Mapping[str, Any] | None:
    host = urlsplit(url).hostname
    for subscription in manager.all("/subscriptions", _SUBSCRIPTIONS):
        number = subscription["subscriptionId"]
        below = f"/subscriptions/{number}/providers/Microsoft.KeyVault/vaults"
        for vault in manager.all(below, _VAULTS):
            if urlsplit(vault["properties"]["vaultUri"]).hostname == host:
                return vault
    return None


def _rights(manager: _Manager, vault: Mapping[str, Any], place: str) -> Iterator[Assignment | Gap]:
    properties = vault["properties"]
    by_role = properties.get("enableRbacAuthorization") is True
    for policy in () if by_role else properties.get("accessPolicies") or ():
        said = {str(one).lower() for one in policy["permissions"].get("secrets") or ()}
        rights = sorted({_BY_POLICY[one] for one in said if one in _BY_POLICY})
        if rights:
            who = str(policy["objectId"])
            yield Assignment(place, who, "object", tuple(rights), "access policy", "the vault")
    below = f"{vault['id']}/providers/Microsoft.Authorization/roleAssignments"
    for one in manager.all(below, _ROLES):
        said_of = one["properties"]
        role = manager.role(str(said_of["roleDefinitionId"]))
        held = [*_allowed(role, "dataActions", _DATA)] if by_role else []
        control = [*_allowed(role, "actions", _CONTROL)]
        rights = held + [right for right in control if right == "grant" or not by_role]
        if rights:
            yield Assignment(
                vault=place,
                principal=str(said_of["principalId"]),
                kind=str(said_of.get("principalType", "principal")),
                rights=tuple(rights),
                by=f"role {role['roleName']}",
                scope=str(said_of["scope"]),
            )


def _allowed(role: Mapping[str, Any], field: str, wanted: Mapping[str, str]) -> Iterator[str]:
    """The rights that a role definition has, less those that it takes away again."""
    refused = f"not{field[0].upper()}{field[1:]}"
    for right, action in wanted.items():
        for permission in role["permissions"]:
            if _matches(permission.get(field), action) and not _matches(
                permission.get(refused), action
            ):
                yield right
                break


def _matches(patterns: Any, action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), str(one).lower()) for one in patterns or ())
