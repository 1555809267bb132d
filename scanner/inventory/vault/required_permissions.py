"""Inventory: the rights that the auditor needs in Vault, to paste, and those it holds beyond."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from scanner.inventory.interface import Settings
from scanner.inventory.vault.catalog import ENGINES
from scanner.inventory.vault.errors import cut
from scanner.inventory.vault.mount import Place, Samples, Shelf
from scanner.inventory.vault.options import home, namespaces

_Rules: TypeAlias = Iterator[tuple[str, str]]
"""Paths, and the capabilities that are needed there."""

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
# What keywatch needs to audit {name}: metadata, and no value. For the namespace of its login:
#   vault policy write keywatch-audit keywatch-audit.hcl
# The policy `default` adds what every token may do: look up itself and its own capabilities. Give
# the role that keywatch logs in with a short token_ttl and no other policy.
"""
_ANY_MOUNT = """\
# No mounts are named, so these rules hold for every one. In a mount of KV version 1, values may lie
# at any path: the rule for +/keys/* gives those in a folder called keys. Name the mounts, as in
# `mounts: [secret, database]`, and each gets the rules of its own engine alone.
"""
_GUESSED = """\
# The name {mount} does not tell its engine: of the rules below {mount}/, keep those of that one.
"""
_KV_1 = """\
# If {mount} is of KV version 1, it keeps no times, and its names need only this:
#   path "{mount}/*" {{ capabilities = ["list"] }}
"""


def policy(settings: Settings) -> str:
    """A policy of Vault's, in HCL."""
    options = settings.options
    mounts = options.get("mounts")
    wanted = dict(_always(options))
    parts = [_HEAD.format(name=settings.name), "" if mounts else _ANY_MOUNT]
    for mount in [one.strip("/") for one in mounts or ("+",)]:
        known = _engine_of(mount)
        parts.append("" if known or not mounts else _GUESSED.format(mount=mount))
        parts.append(_KV_1.format(mount=mount) if known == "kv-v2" else "")
        for engine in [known] if known else ENGINES:
            wanted.update(_for_engine(mount, engine, keys=options.get("keys", False)))
    prefixes = [*_prefixes(options)]
    parts += _rules(prefixes, wanted)
    for group in options.get("groups", ()):
        parts.append(f"\n# The group {group}, which needs more:\n")
        parts += _rules([""] if group == "barrier" else prefixes, dict(_GROUPS[group]))
    return "".join(parts)


def _always(options: Mapping[str, Any]) -> _Rules:
    yield "sys/rotation/orphans", "read"  # of Vault Enterprise: rotations that it gave up
    if not options.get("mounts"):
        yield "sys/mounts", "read"
    if any(deep for _, deep in namespaces(options)):
        yield "sys/namespaces", "list"


def _for_engine(named: str, engine: str, *, keys: bool) -> _Rules:
    mount, _, folder = named.partition("/") if engine.startswith("kv") else (named, "", "")
    below = f"{folder}/*" if folder else "*"
    for shelf in ENGINES[engine]:
        yield from ((f"{mount}/{path}", said) for path, said in _for_shelf(shelf, below))
    if engine in _ISSUING:
        yield f"sys/mounts/{mount}/tune", "read"
    if engine == "kv-v2" and keys:
        yield f"{mount}/subkeys/{below}", "read"


def _for_shelf(shelf: Shelf, below: str) -> _Rules:
    if shelf.lists is None:
        yield f"{shelf.reads}", "read"
    elif shelf.lists == shelf.reads:
        yield f"{shelf.lists}{below}", "read list"
    elif shelf.lists:
        yield f"{shelf.lists}*", "list"
        if shelf.reads:  # `+`, since the value of an entry may be had below it
            yield f"{shelf.reads}+", "read"


def _engine_of(mount: str) -> str | None:
    """What a mount of this name is as a rule."""
    usual = {engine: engine for engine in ENGINES} | _USUAL
    return next((engine for word, engine in usual.items() if mount.startswith(word)), None)


def _prefixes(options: Mapping[str, Any]) -> Iterator[str]:
    """What stands before each path. `+` is one level of namespaces that have no name here."""
    for name, deep in namespaces(options):
        inner = f"{name}/".removeprefix(f"{home(options)}/")
        yield inner
        if deep:
            yield f"{inner}+/"


def _rules(prefixes: Sequence[str], wanted: Mapping[str, str]) -> Iterator[str]:
    for prefix in prefixes:
        for path, capabilities in wanted.items():
            said = ", ".join(f'"{one}"' for one in capabilities.split())
            yield f'path "{prefix}{path}" {{ capabilities = [{said}] }}\n'


def excess(place: Place) -> Iterator[str]:
    """What the token may do with an entry of each shelf beyond reading its metadata, a sentence
    each; `place` is where it comes from. Trouble where Vault does not say."""
    wanted = dict(_sampled(place.samples, place.namespace))
    if not wanted:
        return
    held: Mapping[str, Any] = place.client.sys.get_capabilities(list(wanted))["data"]
    for path, (enough, what) in wanted.items():
        if held[path] == ["root"]:
            yield "its token is root: it may read every value and change everything"
            return
        if beyond := sorted({*held[path]} - {*enough, "deny"}):
            yield f"{', '.join(beyond)} on {cut(path)}: {what}"


def _sampled(samples: Samples, own: str) -> Iterator[tuple[str, tuple[Sequence[str], str]]]:
    """Paths below the namespace `own`, what is enough there, and what is to be said of more."""
    for (mount, shelf), names in samples.items():
        place = mount.removeprefix(f"{own}/")
        enough = ("list",) if shelf.reads is None else ("list", "read")
        for name in names:
            path = f"{place}/{shelf.reads or shelf.lists}{name}"
            yield path, (enough, f"more than {' and '.join(enough)}")
            if shelf.values:
                yield f"{place}/{shelf.values.format(name)}", (("list",), "a value is there")
