"""Inventory: the Vault policy that the auditor needs, and the permissions it should not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from scanner.inventory.errors import shortened
from scanner.inventory.interface import Settings
from scanner.inventory.vault.engine_types import ENGINES
from scanner.inventory.vault.mounts import EntryType, Namespace, Samples
from scanner.inventory.vault.options import home, namespaces

_Rules: TypeAlias = Iterator[tuple[str, str]]
"""Paths, each with the capabilities that are needed there."""

_USUAL = {"secret": "kv-v2", "kv": "kv-v2", "openldap": "ldap"}
_ISSUING = {"database", "ldap", "aws", "azure", "gcp"}
_GROUPS: Mapping[str, Sequence[tuple[str, str]]] = {
    "approle": (
        ("sys/auth", "read"),
        ("auth/+/role", "list"),
        ("auth/+/role/+/secret-id", "list"),
        ("auth/+/role/+/secret-id-accessor/lookup", "update"),
    ),
    "tokens": (
        ("sys/auth", "read"),
        ("sys/mounts/auth/+/tune", "read"),
        ("auth/token/accessors", "list sudo"),
        ("auth/token/lookup-accessor", "update"),
    ),
    "barrier": (("sys/key-status", "read"),),
}
_HEAD = """\
# The permissions that keywatch needs to audit {name}. They allow metadata, but no values.
# Write the policy in the namespace that keywatch logs in to:
#   vault policy write keywatch-audit keywatch-audit.hcl
# keywatch also needs the policy `default`, which lets a token look up itself and its capabilities.
# Give keywatch's role a short token_ttl and no other policies.
"""
_ANY_MOUNT = """\
# The operator config lists no mounts, so these rules apply to all of them. A mount of KV version 1
# has values at every path: the rule for +/keys/* allows those in a folder named keys. If you list
# the mounts, for example `mounts: [secret, database]`, each one gets only its engine's rules.
"""
_GUESSED = """\
# The engine of {mount} is unknown. Of the rules below {mount}/, keep only those for its engine.
"""
_KV_1 = """\
# If {mount} is KV version 1, it has no times. Its names need only this rule:
#   path "{mount}/*" {{ capabilities = ["list"] }}
"""


def policy(settings: Settings) -> str:
    """A Vault policy in HCL."""
    options = settings.options
    mounts = options.get("mounts")
    wanted = dict(_always(options))
    parts = [_HEAD.format(name=settings.name), "" if mounts else _ANY_MOUNT]
    for mount in [name.strip("/") for name in mounts or ("+",)]:
        known = _engine_of(mount)
        parts.append("" if known or not mounts else _GUESSED.format(mount=mount))
        parts.append(_KV_1.format(mount=mount) if known == "kv-v2" else "")
        for engine in [known] if known else ENGINES:
            wanted.update(_for_engine(mount, engine, keys=options.get("keys", False)))
    prefixes = [*_prefixes(options)]
    parts += _rules(prefixes, wanted)
    for group in options.get("groups", ()):
        parts.append(f"\n# The group {group}, which needs more permissions:\n")
        parts += _rules([""] if group == "barrier" else prefixes, dict(_GROUPS[group]))
    return "".join(parts)


def _always(options: Mapping[str, Any]) -> _Rules:
    yield "sys/rotation/orphans", "read"  # Vault Enterprise: rotations that it no longer tries
    if not options.get("mounts"):
        yield "sys/mounts", "read"
    if any(deep for _, deep in namespaces(options)):
        yield "sys/namespaces", "list"


def _for_engine(named: str, engine: str, *, keys: bool) -> _Rules:
    mount, _, folder = named.partition("/") if engine.startswith("kv") else (named, "", "")
    below = f"{folder}/*" if folder else "*"
    for entry_type in ENGINES[engine]:
        for path, capabilities in _for_entry_type(entry_type, below):
            yield f"{mount}/{path}", capabilities
    if engine in _ISSUING:
        yield f"sys/mounts/{mount}/tune", "read"
    if engine == "kv-v2" and keys:
        yield f"{mount}/subkeys/{below}", "read"


def _for_entry_type(entry_type: EntryType, below: str) -> _Rules:
    if entry_type.list_path is None:
        yield f"{entry_type.read_path}", "read"
    elif entry_type.list_path == entry_type.read_path:
        yield f"{entry_type.list_path}{below}", "read list"
    elif entry_type.list_path:
        yield f"{entry_type.list_path}*", "list"
        if entry_type.read_path:  # `+`, because the value of an entry may be below it
            yield f"{entry_type.read_path}+", "read"


def _engine_of(mount: str) -> str | None:
    """The engine that a mount of this name usually has."""
    usual = {engine: engine for engine in ENGINES} | _USUAL
    return next((engine for word, engine in usual.items() if mount.startswith(word)), None)


def _prefixes(options: Mapping[str, Any]) -> Iterator[str]:
    """The namespaces to put before each path. `+` is one level of unnamed namespaces."""
    for name, deep in namespaces(options):
        inner = f"{name}/".removeprefix(f"{home(options)}/")
        yield inner
        if deep:
            yield f"{inner}+/"


def _rules(prefixes: Sequence[str], wanted: Mapping[str, str]) -> Iterator[str]:
    for prefix in prefixes:
        for path, capabilities in wanted.items():
            quoted = ", ".join(f'"{name}"' for name in capabilities.split())
            yield f'path "{prefix}{path}" {{ capabilities = [{quoted}] }}\n'


def excess(namespace: Namespace) -> Iterator[str]:
    """What the token may do with sample entries besides reading metadata, one sentence each.

    `namespace` is where the token comes from. ReadError if Vault does not say.
    """
    expected = dict(_sample_paths(namespace.samples, namespace.path))
    if not expected:
        return
    held: Mapping[str, Any] = namespace.client.sys.get_capabilities(list(expected))["data"]
    for path, (needed, why) in expected.items():
        if held[path] == ["root"]:
            yield "its token is a root token: it may read every value and change everything"
            return
        if beyond := sorted({*held[path]} - {*needed, "deny"}):
            yield f"{', '.join(beyond)} on {shortened(path)}: {why}"


def _sample_paths(samples: Samples, own: str) -> Iterator[tuple[str, tuple[Sequence[str], str]]]:
    """Paths in the namespace `own`, each with what is needed and why more is too much."""
    for (mount, entry_type), names in samples.items():
        prefix = mount.removeprefix(f"{own}/")
        needed = ("list",) if entry_type.read_path is None else ("list", "read")
        for name in names:
            path = f"{prefix}/{entry_type.read_path or entry_type.list_path}{name}"
            yield path, (needed, f"only {' and '.join(needed)} is needed")
            if entry_type.value_path:
                value = f"{prefix}/{entry_type.value_path.format(name)}"
                yield value, (("list",), "this path contains a value")
