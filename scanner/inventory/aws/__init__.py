"""Inventory: AWS: Secrets Manager, IAM access keys, KMS and the parameter store.

No SDK is imported before `connect`: the operator's file is checked, and permissions are printed,
without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scanner.errors import ConfigError
from scanner.inventory.aws.required_permissions import NEEDED, permissions
from scanner.inventory.interface import Backend, Settings

__all__ = ["EXTRA", "OPTIONS", "connect", "permissions"]

EXTRA = "aws"

_ENDPOINT = r"^(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s@]+$"

OPTIONS: Mapping[str, Any] = {
    "regions": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "string", "pattern": r"^[a-z]{2,}(-[a-z0-9]+)+$"},
        "description": "The regions to read, as eu-central-1. Others are not looked at.",
    },
    "services": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"enum": list(NEEDED)},
        "description": "What to read; default: all of them.",
    },
    "accounts": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {
                "profile": {"type": "string", "minLength": 1},
                "role": {"type": "string", "pattern": r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$"},
                "external_id": {"type": "string", "minLength": 2},
            },
        },
        "description": "Each a profile of AWS's own configuration, a role to assume, or a role to "
        "assume from a profile; default: the account of the credentials that are there.",
    },
    "endpoints": {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": "string", "pattern": _ENDPOINT} for name in (*NEEDED, "sts")},
        "description": "Addresses in place of AWS's own, by service: of a VPC endpoint.",
    },
    "proxy": {
        "type": "string",
        "pattern": r"^https?://[^\s/?#]+/?$",
        "description": "By which all is asked; that of the environment is not heeded.",
    },
    "ca": {"type": "string", "minLength": 1, "description": "A file with the CAs to trust."},
}


def connect(settings: Settings, now: datetime) -> Backend:
    """The accounts that `settings` name. ConfigError where they name no region."""
    from scanner.inventory.aws.reader import Reader

    if not settings.options.get("regions"):
        raise ConfigError(
            f"the backend {settings.name} names no region",
            why="a region that is not named would be left out without a word",
            todo="add regions: [eu-central-1, …]",
        )
    return Reader(settings, now)
