"""Inventory: Azure Key Vault: secrets, keys and certificates."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from scanner.errors import ConfigError
from scanner.inventory.azure.required_permissions import permissions
from scanner.inventory.interface import Backend, Options, Settings, Variables

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

SCHEME = "azure"
EXTRA = "azure"
VARIABLES = Variables(
    removed=(
        "AZURE_AUTHORITY_HOST",
        "AZURE_REGIONAL_AUTHORITY_NAME",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    ),
    local=("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT"),
)

_TEXT = {"type": "string", "minLength": 1}
_VAULT = r"^https://[A-Za-z0-9-]{3,24}\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)/?$"

OPTIONS: Mapping[str, Any] = {
    "vaults": {
        "examples": ['["https://NAME.vault.azure.net"]'],
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {
            "title": "the address of a vault",
            "examples": ["https://NAME.vault.azure.net"],
            "type": "string",
            "pattern": _VAULT,
        },
        "description": "The addresses of the vaults to read: https://NAME.vault.azure.net.",
    },
    "auth": {
        "examples": ["{method: managed-identity}"],
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
            "certificate": {**_TEXT, "description": "A PEM file, instead of client_secret."},
        },
        "if": {"properties": {"method": {"const": "service-principal"}}},
        "then": {
            "required": ["tenant_id", "client_id"],
            "anyOf": [{"required": ["client_secret"]}, {"required": ["certificate"]}],
        },
        "description": "How to log in. Default: the first login that Azure's own tools find.",
    },
    "proxy": {
        "title": "the address of a proxy",
        "examples": ["http://proxy.example.org:3128"],
        "type": "string",
        "pattern": r"^https?://[^\s/?#]+/?$",
        "description": "The proxy for all requests. A proxy in the environment is ignored.",
    },
    "ca": {**_TEXT, "description": "A file with the CAs to trust."},
}


def connect(settings: Settings, now: datetime) -> Backend:
    """The vaults in `settings`. ConfigError if there are none."""
    from scanner.inventory.azure.backend import AzureBackend

    if not settings.options.get("vaults"):
        raise ConfigError(
            f"backend {settings.name} has no vaults",
            why="keywatch does not search for vaults",
            todo="add vaults: [https://NAME.vault.azure.net]",
        )
    return AzureBackend(settings, now)


def scopes(options: Options) -> Sequence[str]:  # noqa: ARG001 - everything
    return ("**",)


def addresses(options: Options) -> Sequence[str]:
    return tuple(options.get("vaults", ()))


def login_advice(options: Options) -> str:
    auth = options.get("auth", {})
    match auth.get("method", "default"):
        case "default":
            return "log in again with az login"
        case "service-principal":
            words = ["az", "ad", "app", "credential", "reset", "--append", "--id"]
            command = shlex.join([*words, auth.get("client_id", "CLIENT_ID")])
            return f"make a new client secret with {command}"
        case method:
            return f"check that this machine has a {method.replace('-', ' ')}"


def identities(options: Options) -> Sequence[str]:
    client = options.get("auth", {}).get("client_id")
    return (client,) if client else ()
