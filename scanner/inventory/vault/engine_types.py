"""Inventory: which engines of Vault are read, by type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scanner.inventory.vault import cloud_engines, engines, kv
from scanner.inventory.vault.mounts import EntryType

ENGINES: Mapping[str, Sequence[EntryType]] = {
    "kv-v1": kv.VERSION_1,
    "kv-v2": kv.VERSION_2,
    "database": engines.DATABASE,
    "transit": engines.TRANSIT,
    "pki": engines.PKI,
    "ssh": engines.SSH,
    "ldap": cloud_engines.LDAP,
    "aws": cloud_engines.AWS,
    "azure": cloud_engines.AZURE,
    "gcp": cloud_engines.GCP,
}
"""The types of entries that each engine stores."""

WITHOUT_SECRETS = {
    *("system", "identity", "cubbyhole", "token"),
    *("ns_system", "ns_identity", "ns_cubbyhole", "ns_token"),
}
"""Vault's own mounts. They contain no application secret that an auditor could see."""

_ALIASES = {"generic": "kv-v1", "openldap": "ldap"}


def engine_type(description: Mapping[str, Any]) -> str:
    """The type of an engine, from what Vault says about its mount."""
    kind = str(description["type"])
    if kind == "kv":
        return "kv-v2" if (description["options"] or {}).get("version") == "2" else "kv-v1"
    return _ALIASES.get(kind, kind)
