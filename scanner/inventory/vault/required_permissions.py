"""Inventory: the Vault policy that the auditor needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from scanner.inventory.errors import ReadError, shortened
from scanner.inventory.interface import Settings
from scanner.inventory.vault import certificates
from scanner.inventory.vault.engine_types import ENGINES
from scanner.inventory.vault.mounts import EntryType
from scanner.inventory.vault.options import home, namespaces

if TYPE_CHECKING:
    from scanner.inventory.vault.namespaces import VisibleMount

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
        ("auth/+/role/+", "list read"),
        ("auth/+/users/+", "list read"),
        ("auth/+/certs/+", "read"),
    ),
    "barrier": (("sys/key-status", "read"),),
}
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # nothing that has a date is read
_HEAD = """\
# The permissions that keywatch needs to audit {name}. They allow metadata, but no values.
# Write the policy in the namespace that keywatch logs in to:
#   vault policy write keywatch-audit keywatch-audit.hcl
# keywatch also needs the policy `default`, which lets a token look up itself and its capabilities.
# Give keywatch's role a short token_ttl and no other policies.
# keywatch trail --operator checks the audit devices. Only for that, add this rule in the root
# namespace:
#   path "sys/audit" {{ capabilities = ["read", "sudo"] }}
"""
_NOT_ASKED = """\
# Vault was not asked for its mounts: {reason}
"""
_ANY_MOUNT = """\
# The operator config lists no mounts. The rules of a mount depend on its engine, and a rule
# for all mounts could read values in one of KV version 1. Let keywatch see the mounts: run this
# again with a login that may read sys/mounts, or list the mounts: `mounts: [secret, database]`.
"""
_BELOW = """\
# The operator config asks for the namespaces below {name}, which are not known. Run this again
# with a login that may list sys/namespaces, to get the rules for each of them.
"""
_GUESSED = """\
# The engine of {mount} is unknown. Take the rules of its engine, without the comment signs:
"""
_KV_1 = """\
# These rules are for KV version 2. If {mount} is KV version 1, they could read values in folders
# named metadata or subkeys. It then needs only this rule:
#   path "{mount}/*" {{ capabilities = ["list"] }}
"""


def policy(settings: Settings) -> str:
    """A Vault policy in HCL.

    Its rules are exact for the mounts that the configured login can see. Without a login, they are
    those of the engines that the names of the mounts tell.
    """
    try:
        seen = [*_visible(settings)]
    except ReadError as error:
        return _by_name(settings, error.reason)
    except ImportError:
        return _by_name(settings, "the library hvac is not installed")
    options = settings.options
    parts = [_HEAD.format(name=settings.name)]
    namespaces_seen = dict.fromkeys([_inner(path, options) for path, _ in seen])
    parts += _rules([*namespaces_seen], dict(_always(options)))
    for path, mount in seen:
        if mount is None:
            continue
        if isinstance(mount, str):
            parts.append(f"# Not listed in {path or 'the root namespace'}: {shortened(mount)}\n")
            continue
        wanted = dict(_for_engine(*mount, keys=options.get("keys", False)))
        parts += _rules([_inner(path, options)], wanted)
    return "".join([*parts, *_group_rules(options, [*namespaces_seen])])


def _visible(settings: Settings) -> Iterator[tuple[str, VisibleMount | str | None]]:
    """See `namespaces.visible`. ReadError if the login fails."""
    from scanner.inventory.vault.backend import VaultBackend

    return VaultBackend(settings, _NO_TIME).visible()


def _by_name(settings: Settings, reason: str) -> str:
    options = settings.options
    mounts = [name.strip("/") for name in options.get("mounts", ())]
    wanted, unknown = dict(_always(options)), list[str]()
    parts = [_HEAD.format(name=settings.name), _NOT_ASKED.format(reason=reason)]
    parts.append("" if mounts else _ANY_MOUNT)
    for mount in mounts:
        if engine := _engine_of(mount):
            parts.append(_KV_1.format(mount=mount) if engine == "kv-v2" else "")
            name, _, folder = mount.partition("/") if engine == "kv-v2" else (mount, "", "")
            wanted.update(_for_engine(name, engine, folder, keys=options.get("keys", False)))
        else:
            unknown.append(mount)
    prefixes = [_inner(name, options) for name, _ in namespaces(options)]
    parts += [_BELOW.format(name=name or "the root") for name, deep in namespaces(options) if deep]
    parts += _rules(prefixes, wanted)
    for mount in unknown:
        parts.append(_GUESSED.format(mount=mount))
        for engine in ENGINES:
            rules = dict(_for_engine(mount, engine, "", keys=options.get("keys", False)))
            parts.append(f"#   {engine}:\n")
            parts += [f"#     {rule}" for rule in _rules(prefixes, rules)]
    return "".join([*parts, *_group_rules(options, prefixes)])


def _group_rules(options: Mapping[str, Any], prefixes: Sequence[str]) -> Iterator[str]:
    for group in options.get("groups", ()):
        yield f"\n# The group {group}, which needs more permissions:\n"
        yield from _rules([""] if group == "barrier" else prefixes, dict(_GROUPS[group]))


def _always(options: Mapping[str, Any]) -> _Rules:
    yield "sys/rotation/orphans", "read"  # Vault Enterprise: rotations that it no longer tries
    if not options.get("mounts"):
        yield "sys/mounts", "read"
        yield "sys/auth", "read"
        # Vault also compares `+` at the end with the empty name in a LIST, so it needs `list`.
        yield "auth/+/users", "list"
        yield "auth/+/users/+", "list read"
        yield "identity/oidc/key", "list"
        yield "identity/oidc/key/+", "read"
        yield "sys/namespaces", "list"
    if any(deep for _, deep in namespaces(options)):
        yield "sys/namespaces", "list"


def _for_engine(mount: str, engine: str, folder: str, *, keys: bool) -> _Rules:
    """No rules for an engine that keywatch does not read."""
    below = f"{folder}/*" if folder else "*"
    for entry_type in ENGINES.get(engine, ()):
        for path, capabilities in _for_entry_type(entry_type, below):
            yield f"{mount}/{path}", capabilities
    if engine == "pki":
        yield from ((f"{mount}/{path}", right) for path, right in certificates.PERMISSIONS)
    if engine in _ISSUING:
        yield f"sys/mounts/{mount}/tune", "read"
    if engine == "kv-v2" and keys:
        yield f"{mount}/subkeys/{below}", "read"


def _for_entry_type(entry_type: EntryType, below: str) -> _Rules:
    if entry_type.list_path is None:
        yield f"{entry_type.read_path}", "read"
    elif not entry_type.list_path:  # KV version 1, where a value can be at any path
        yield below, "list"
    elif entry_type.list_path == entry_type.read_path:
        yield f"{entry_type.list_path}{below}", "read list"
    else:
        yield f"{entry_type.list_path}*", "list"
        if entry_type.read_path:  # `+`, because the value of an entry may be below it
            yield f"{entry_type.read_path}+", "read"


def _engine_of(mount: str) -> str | None:
    """The engine that a mount of this name usually has."""
    usual = {engine: engine for engine in ENGINES} | _USUAL
    return next((engine for word, engine in usual.items() if mount.startswith(word)), None)


def _inner(namespace: str, options: Mapping[str, Any]) -> str:
    """What to put before paths in a namespace, in a policy of the one that keywatch logs in to."""
    return f"{namespace}/".removeprefix(f"{home(options)}/") if namespace else ""


def _rules(prefixes: Sequence[str], wanted: Mapping[str, str]) -> Iterator[str]:
    for prefix in prefixes:
        for path, capabilities in wanted.items():
            quoted = ", ".join(f'"{name}"' for name in capabilities.split())
            yield f'path "{prefix}{path}" {{ capabilities = [{quoted}] }}\n'
