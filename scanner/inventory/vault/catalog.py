"""Inventory: which engines of Vault are read, by their type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scanner.inventory.vault import cloud_engines, engines, kv
from scanner.inventory.vault.mount import Shelf

ENGINES: Mapping[str, Sequence[Shelf]] = {
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
"""What each keeps."""

HOLDS_NOTHING = {
    *("system", "identity", "cubbyhole", "token"),
    *("ns_system", "ns_identity", "ns_cubbyhole", "ns_token"),
}
"""Vault's own mounts: no secret of an application is there that an auditor could see."""

_ALIASES = {"generic": "kv-v1", "openldap": "ldap"}


def engine(about: Mapping[str, Any]) -> str:
    """The type of an engine, by what Vault tells about its mount."""
    kind = str(about["type"])
    if kind == "kv":
        return "kv-v2" if (about["options"] or {}).get("version") == "2" else "kv-v1"
    return _ALIASES.get(kind, kind)
