"""Inventory: what the operator's file may say of a Vault, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NAME = {"type": "string", "minLength": 1}
_PATH = {"type": "string", "pattern": r"^[^/\s][^\s]*$"}
_ENV = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$"}
_FROM = {"anyOf": [{"required": ["env"]}, {"required": ["file"]}]}


def _of_method(method: str, demand: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"if": {"properties": {"method": {"const": method}}}, "then": demand}


OPTIONS: Mapping[str, Any] = {
    "address": {
        "type": "string",
        "pattern": r"^https?://[^/\s@?#]+(/[^\s@?#]*)?$",
        "description": "Where it is, as https://vault.example.org:8200. No other place is asked.",
    },
    "auth": {
        "type": "object",
        "additionalProperties": False,
        "required": ["method"],
        "properties": {
            "method": {"enum": ["token", "approle", "kubernetes", "jwt", "cert"]},
            "mount": {**_PATH, "description": "Where the method is, if not at its own name."},
            "namespace": {**_PATH, "description": "Where the method is, if not in the root."},
            "role": _NAME,
            "role_id": _NAME,
            "env": {**_ENV, "description": "The variable with the token, secret id or JWT."},
            "file": {**_NAME, "description": "The file with the token, secret id or JWT."},
            "audience": {**_NAME, "description": "Of the token that GitHub gives a job."},
        },
        "allOf": [
            _of_method("token", _FROM),
            _of_method("approle", {"required": ["role_id"], **_FROM}),
            _of_method("kubernetes", {"required": ["role"]}),
            _of_method("jwt", {"required": ["role"]}),
        ],
        "description": "How the auditor logs in. A jwt without env and file is asked of GitHub.",
    },
    "namespaces": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": _PATH,
        "description": "`-` is the root; `team/**` is team and all below it, `**` is all. Default: "
        "the one that the auditor logs in to.",
    },
    "mounts": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": _PATH,
        "description": "The engines to read, default: every one. Of key/value, a folder may be "
        "named, as secret/app.",
    },
    "groups": {
        "type": "array",
        "uniqueItems": True,
        "items": {"enum": ["approle", "tokens", "barrier"]},
        "description": "What else to read: AppRole secret ids, tokens, the barrier key.",
    },
    "keys": {
        "type": "boolean",
        "description": "Ask for the names of the keys of each KV v2 secret, too.",
    },
    "tls": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "ca": {
                **_NAME,
                "description": "A file with the CAs to trust, in place of the system's.",
            },
            "client_cert": _NAME,
            "client_key": _NAME,
            "server_name": {**_NAME, "description": "The name that the certificate is for."},
        },
        "dependentRequired": {"client_cert": ["client_key"], "client_key": ["client_cert"]},
    },
}


def home(options: Mapping[str, Any]) -> str:
    """The namespace that the auditor logs in to, "" for the root."""
    return str(options.get("auth", {}).get("namespace", ""))


def namespaces(options: Mapping[str, Any]) -> Sequence[tuple[str, bool]]:
    """Those to read, "" for the root; and whether all below them are meant, too."""
    said = options.get("namespaces", (home(options),))
    return [
        ("" if one == "-" else one.removesuffix("**").strip("/"), one.endswith("**"))
        for one in said
    ]
