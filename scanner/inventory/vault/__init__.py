"""Inventory: Vault and OpenBao: secrets engines, and the credentials for Vault itself.

docs/vault.md says what each date proves.
"""

from __future__ import annotations

from datetime import datetime

from scanner.errors import ConfigError
from scanner.inventory.interface import Backend, Settings, Variables
from scanner.inventory.vault.options import OPTIONS, addresses, identities, login_advice, scopes
from scanner.inventory.vault.required_permissions import policy as permissions

__all__ = [
    "EXTRA",
    "OPTIONS",
    "SCHEME",
    "VARIABLES",
    "addresses",
    "connect",
    "identities",
    "login_advice",
    "permissions",
    "scopes",
]

SCHEME = "vault"
EXTRA = "vault"
VARIABLES = Variables()


def connect(settings: Settings, now: datetime) -> Backend:
    """The server in `settings`. ConfigError if its address or the login is missing."""
    from scanner.inventory.vault.backend import VaultBackend

    for key in ("address", "auth"):
        if key not in settings.options:
            raise ConfigError(f"backend {settings.name} has no {key}", todo=f"add {key}: …")
    return VaultBackend(settings, now)
