"""Inventory: the options of a Vault in the operator config, and what they mean."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAME = {"type": "string", "minLength": 1}
_PATH = {
    "title": "a path that begins with a name",
    "examples": ["team/app"],
    "type": "string",
    "pattern": r"^[^/\s][^\s]*$",
}
_ENV = {
    "title": "the name of a variable",
    "examples": ["VAULT_TOKEN"],
    "type": "string",
    "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$",
}
_FROM = {"anyOf": [{"required": ["env"]}, {"required": ["file"]}]}


def _for_method(method: str, demand: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"if": {"properties": {"method": {"const": method}}}, "then": demand}


OPTIONS: Mapping[str, Any] = {
    "address": {
        "title": "an http or https address without a login in it",
        "examples": ["https://vault.example.org:8200"],
        "type": "string",
        "pattern": r"^https?://[^/\s@?#]+(/[^\s@?#]*)?$",
        "description": "For example https://vault.example.org:8200. No other address is contacted.",
    },
    "auth": {
        "examples": ["{method: token, env: VAULT_TOKEN}"],
        "type": "object",
        "additionalProperties": False,
        "required": ["method"],
        "properties": {
            "method": {
                "examples": ["token"],
                "enum": ["token", "approle", "kubernetes", "jwt", "cert"],
            },
            "mount": {
                **_PATH,
                "description": "The mount of the method, if it is not the name of the method.",
            },
            "namespace": {
                **_PATH,
                "description": "The namespace of the method, if it is not the root.",
            },
            "role": _NAME,
            "role_id": _NAME,
            "env": {
                **_ENV,
                "description": "The environment variable with the token, secret ID or JWT.",
            },
            "file": {**_NAME, "description": "The file with the token, secret ID or JWT."},
            "audience": {
                **_NAME,
                "description": "The audience of the OIDC token that GitHub gives to a job.",
            },
        },
        "allOf": [
            _for_method("token", _FROM),
            _for_method("approle", {"required": ["role_id"], **_FROM}),
            _for_method("kubernetes", {"required": ["role"]}),
            _for_method("jwt", {"required": ["role"]}),
        ],
        "description": "How the auditor logs in. Without env and file, jwt asks GitHub for one.",
    },
    "namespaces": {
        "examples": ['["-", "team/**"]'],
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": _PATH,
        "description": "`-` is the root, `team/**` is team and all below it, `**` is all. Default: "
        "the namespace that the auditor logs in to.",
    },
    "mounts": {
        "examples": ["[secret, database]"],
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": _PATH,
        "description": "The engines to read. Default: all. A folder of key/value is possible, for "
        "example secret/app.",
    },
    "groups": {
        "examples": ["[approle, tokens]"],
        "type": "array",
        "uniqueItems": True,
        "items": {"enum": ["approle", "tokens", "barrier"]},
        "description": "What else to read: AppRole secret IDs, tokens, the barrier key.",
    },
    "keys": {
        "type": "boolean",
        "description": "Also read the names of the keys of each KV version 2 secret.",
    },
    "tls": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "ca": {
                **_NAME,
                "description": "A file with the CAs to trust instead of the system's.",
            },
            "client_cert": _NAME,
            "client_key": _NAME,
            "server_name": {**_NAME, "description": "The name in the server's certificate."},
        },
        "dependentRequired": {"client_cert": ["client_key"], "client_key": ["client_cert"]},
    },
}


def home(options: Mapping[str, Any]) -> str:
    """The namespace that the auditor logs in to, "" for the root."""
    return str(options.get("auth", {}).get("namespace", ""))


def namespaces(options: Mapping[str, Any]) -> Sequence[tuple[str, bool]]:
    """The namespaces to read, "" for the root, each with whether those below it are included."""
    return [
        ("" if name == "-" else name.removesuffix("**").strip("/"), name.endswith("**"))
        for name in options.get("namespaces", (home(options),))
    ]


def scopes(options: Mapping[str, Any]) -> Iterator[str]:
    """See interface.Module. Without `mounts`, every engine is read."""
    login_namespace = options.get("auth", {}).get("namespace", "-")
    for namespace in options.get("namespaces", (login_namespace,)):
        for name in _namespace_globs(namespace):
            for mount in options.get("mounts", ("**",)):
                # A name with a slash may be a mount, or a mount and a folder.
                yield f"{name}/{mount}/**"
                yield f"{name}/{mount.replace('/', '%2F')}/**"


def _namespace_globs(name: str) -> Iterator[str]:
    """`team/**` is team and everything below it. IDs escape the slashes of a namespace."""
    above, is_deep, _ = name.partition("**")
    if is_deep:
        yield f"{above.replace('/', '%2F')}*"
    if above:
        yield above.rstrip("/").replace("/", "%2F")


def addresses(options: Mapping[str, Any]) -> Sequence[str]:
    """See interface.Module."""
    return [options["address"]] if options.get("address") else []


def login_advice(options: Mapping[str, Any]) -> str:
    """See interface.Module. OpenBao's command is `bao`, with the same options."""
    auth = options.get("auth", {})
    method = auth.get("method", "token")
    mount = auth.get("mount", method)
    server = f"-address={shlex.quote(str(options.get('address', '')))}"
    if "namespace" in auth:
        server += f" -namespace={shlex.quote(auth['namespace'])}"
    match method:
        case "token":
            command = f"vault login {server} -method=oidc -token-only"
            return f"log in again, for example with {_kept(command, auth)}"
        case "approle":
            path = shlex.quote(f"auth/{mount}/role/")
            command = f"vault write {server} -force -field=secret_id {path}ROLE/secret-id"
            return f"make a new secret ID: {_kept(command, auth)}"
        case "cert":
            return f"check the certificate in tls, and auth/{mount} on the server"
    read = f"vault read {server} {shlex.quote(f'auth/{mount}/role/' + auth.get('role', ''))}"
    return f"compare the role on the server with this job: {read}"


def _kept(command: str, auth: Mapping[str, Any]) -> str:
    """A command that stores what `command` prints where the auditor reads it."""
    if "file" in auth:
        return f"{command} > {shlex.quote(auth['file'])}"
    return f'export {auth.get("env", "VAULT_TOKEN")}="$({command})"'


def identities(options: Mapping[str, Any]) -> Sequence[str]:
    """See interface.Module. A token says nothing about who uses it."""
    auth = options.get("auth", {})
    role = auth.get("role", auth.get("role_id", ""))
    return [f"{auth.get('mount', auth['method'])} {role}"] if role else []
