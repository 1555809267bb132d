"""Inventory: Azure Key Vault: secrets, keys and certificates.

No SDK is imported before `connect`: the operator's file is checked, and permissions are printed,
without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scanner.errors import ConfigError
from scanner.inventory.azure.required_permissions import permissions
from scanner.inventory.interface import Backend, Settings

__all__ = ["EXTRA", "OPTIONS", "connect", "permissions"]

EXTRA = "azure"

_TEXT = {"type": "string", "minLength": 1}
_VAULT = r"^https://[A-Za-z0-9-]{3,24}\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)/?$"

OPTIONS: Mapping[str, Any] = {
    "vaults": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "string", "pattern": _VAULT},
        "description": "The addresses of the vaults to read, as https://NAME.vault.azure.net.",
    },
    "auth": {
        "type": "object",
        "additionalProperties": False,
        "required": ["method"],
        "properties": {
            "method": {
                "enum": ["default", "managed-identity", "service-principal", "workload-identity"]
            },
            "tenant_id": _TEXT,
            "client_id": _TEXT,
            "client_secret": _TEXT,
            "certificate": {**_TEXT, "description": "A PEM file, in place of client_secret."},
        },
        "if": {"properties": {"method": {"const": "service-principal"}}},
        "then": {
            "required": ["tenant_id", "client_id"],
            "anyOf": [{"required": ["client_secret"]}, {"required": ["certificate"]}],
        },
        "description": "How to log in; default: the first that Azure's own tools find.",
    },
    "proxy": {
        "type": "string",
        "pattern": r"^https?://[^\s/?#]+/?$",
        "description": "By which all is asked; that of the environment is not heeded.",
    },
    "ca": {**_TEXT, "description": "A file with the CAs to trust."},
}


def connect(settings: Settings, now: datetime) -> Backend:  # noqa: ARG001 - dates are all absolute
    """The vaults that `settings` name. ConfigError where there are none, or no way to log in."""
    from scanner.inventory.azure.reader import Reader

    if not settings.options.get("vaults"):
        raise ConfigError(
            f"the backend {settings.name} names no vault",
            why="vaults are not searched for",
            todo="add vaults: [https://NAME.vault.azure.net]",
        )
    return Reader(settings)
