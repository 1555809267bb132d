"""Inventory: Vault and OpenBao: key/value, database, transit, PKI, SSH and accounts elsewhere, and
what their own access runs on. docs/vault.md says what each date proves.

No library is imported before `connect`: the operator's file is checked, and permissions are
printed, without them.
"""

from __future__ import annotations

from datetime import datetime

from scanner.errors import ConfigError
from scanner.inventory.interface import Backend, Settings
from scanner.inventory.vault.options import OPTIONS
from scanner.inventory.vault.required_permissions import policy as permissions

__all__ = ["EXTRA", "OPTIONS", "connect", "permissions"]

EXTRA = "vault"


def connect(settings: Settings, now: datetime) -> Backend:
    """The instance that `settings` name. ConfigError where they do not say where it is and how to
    log in."""
    from scanner.inventory.vault.backend import Vault

    for key in ("address", "auth"):
        if key not in settings.options:
            raise ConfigError(f"the backend {settings.name} has no {key}", todo=f"add {key}: …")
    return Vault(settings, now)
