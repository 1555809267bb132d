"""Policy: the values that an access review passes on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from scanner.model import Location

CAPABILITIES = frozenset(
    (
        *("create", "read", "update", "patch", "delete", "list", "sudo", "deny"),
        *("scan", "recover", "subscribe"),
    )
)
DENY = frozenset({"deny"})


class Rule(NamedTuple):
    """A path block of a policy.

    `pattern` is the path as written, without a leading slash. `limits` names its parameter and
    wrapping constraints. `expires` is in seconds since 1970.
    """

    policy: str
    pattern: str
    capabilities: frozenset[str]
    location: Location
    limits: tuple[str, ...] = ()
    expires: float | None = None

    @property
    def is_deny(self) -> bool:
        return "deny" in self.capabilities


class Policy(NamedTuple):
    """A parsed policy. `location` is its beginning."""

    name: str
    rules: tuple[Rule, ...]
    location: Location


class Group(NamedTuple):
    """An identity group, as templates refer to it."""

    id: str = ""
    name: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})


class Alias(NamedTuple):
    """An alias of an entity."""

    id: str = ""
    name: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})
    custom_metadata: Mapping[str, str] = MappingProxyType({})


class Identity(NamedTuple):
    """An entity and its groups, as templates refer to them. `aliases` are by mount accessor."""

    id: str = ""
    name: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})
    aliases: Mapping[str, Alias] = MappingProxyType({})
    groups: tuple[Group, ...] = ()
