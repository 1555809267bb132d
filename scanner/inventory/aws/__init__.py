"""Inventory: AWS: Secrets Manager, IAM access keys, KMS and Parameter Store."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from scanner.errors import ConfigError
from scanner.inventory.aws.required_permissions import NEEDED, permissions
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

SCHEME = "aws"
EXTRA = "aws"
VARIABLES = Variables(
    removed=(
        "AWS_CA_BUNDLE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_*",
        "AWS_DATA_PATH",
        "AWS_CSM_*",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ),
    local=("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
    added={"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},  # those in profiles, too
)

_SERVICES = (*NEEDED, "cloudtrail", "sts")
_ENDPOINT = r"^(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s@]+$"

OPTIONS: Mapping[str, Any] = {
    "regions": {
        "examples": ["[eu-central-1]"],
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {
            "title": "a region",
            "examples": ["eu-central-1"],
            "type": "string",
            "pattern": r"^[a-z]{2,}(-[a-z0-9]+)+$",
        },
        "description": "The regions to read, for example eu-central-1. Other regions are not read.",
    },
    "services": {
        "examples": ["[secretsmanager]"],
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"enum": list(NEEDED)},
        "description": "The services to read. Default: all.",
    },
    "accounts": {
        "examples": ["[{profile: prod}]"],
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {
                "profile": {"type": "string", "minLength": 1},
                "role": {
                    "title": "the ARN of a role",
                    "examples": ["arn:aws:iam::123456789012:role/auditor"],
                    "type": "string",
                    "pattern": r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$",
                },
                "external_id": {"type": "string", "minLength": 2},
            },
        },
        "description": "Each is a profile of the AWS configuration, a role to assume, or a role to "
        "assume from a profile. Default: the account of the available credentials.",
    },
    "endpoints": {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": "string", "pattern": _ENDPOINT} for name in _SERVICES},
        "description": "Addresses instead of AWS's own, by service, for example of a VPC endpoint.",
    },
    "proxy": {
        "title": "the address of a proxy",
        "examples": ["http://proxy.example.org:3128"],
        "type": "string",
        "pattern": r"^https?://[^\s/?#]+/?$",
        "description": "The proxy for all requests. A proxy in the environment is ignored.",
    },
    "ca": {"type": "string", "minLength": 1, "description": "A file with the CAs to trust."},
}


def connect(settings: Settings, now: datetime) -> Backend:
    """The accounts in `settings`. ConfigError if there is no region."""
    from scanner.inventory.aws.backend import AwsBackend

    if not settings.options.get("regions"):
        raise ConfigError(
            f"backend {settings.name} has no regions",
            why="keywatch cannot know which regions you use",
            todo="add regions: [eu-central-1, …]",
        )
    return AwsBackend(settings, now)


def scopes(options: Options) -> Iterator[str]:
    for region in options.get("regions", ("*",)):
        for service in options.get("services", ("*",)):
            yield f"*/{region}/{service}/**"


def addresses(options: Options) -> Sequence[str]:  # noqa: ARG001 - AWS has no address of one's own
    return ()


def login_advice(options: Options) -> str:
    profiles = [each["profile"] for each in options.get("accounts", ()) if "profile" in each]
    words = ["aws", "sso", "login", *(["--profile", profiles[0]] if profiles else [])]
    return f"log in again with {shlex.join(words)}, or renew the access key"


def identities(options: Options) -> Sequence[str]:
    return [account["role"] for account in options.get("accounts", ()) if account.get("role")]
