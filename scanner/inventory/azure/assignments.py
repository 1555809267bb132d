"""Inventory: who may read the secrets of a key vault: its access policies and role assignments, as
Azure Resource Manager tells them. No value is read."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scanner.inventory.azure.errors import FAILURES
from scanner.inventory.azure.manager import ROLES, Found, unread, vaults
from scanner.inventory.interface import Settings
from scanner.model import Gap

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


def read(settings: Settings) -> Iterator[Assignment | Gap]:
    """The rights on each vault that the settings name. Raises nothing: what cannot be read is a
    Gap."""
    for place, found in vaults(settings):
        if isinstance(found, Gap):
            yield found
            continue
        try:
            yield from _rights(found, place)
        except FAILURES as error:
            yield unread(place, error)


def _rights(found: Found, place: str) -> Iterator[Assignment]:
    manager, vault = found
    properties = vault["properties"]
    by_role = properties.get("enableRbacAuthorization") is True
    for policy in () if by_role else properties.get("accessPolicies") or ():
        said = {str(one).lower() for one in policy["permissions"].get("secrets") or ()}
        rights = sorted({_BY_POLICY[one] for one in said if one in _BY_POLICY})
        if rights:
            who = str(policy["objectId"])
            yield Assignment(place, who, "object", tuple(rights), "access policy", "the vault")
    below = f"{vault['id']}/providers/Microsoft.Authorization/roleAssignments"
    for one in manager.all(below, ROLES):
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
