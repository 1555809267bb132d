"""What the operator config says about rotating: `rotation:`, in typed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.model import seconds
from scanner.policy.declarations.secret_ids import Pattern


class Command(NamedTuple):
    """A program of the operator: its arguments, seconds to run, and variables that it may see."""

    argv: tuple[str, ...]
    timeout: int
    environment: tuple[str, ...] = ()


class Issuer(NamedTuple):
    """Who issues a value: commands, or a generator of `characters` from an alphabet."""

    name: str
    create: Command | None = None
    verify: Command | None = None
    revoke: Command | None = None
    characters: int = 0
    alphabet: str = ""


class Rewrap(NamedTuple):
    """Raise `min_decryption_version` after `proof` has printed the lowest version still in use."""

    proof: Command


class NewIssuer(NamedTuple):
    """A PKI issuer to make beside the old one: a root, or an intermediate that the issuer of the
    mount `signed_by` signs."""

    common_name: str
    ttl: str
    key_type: str
    stop_old: bool
    signed_by: str = ""


class Consumer(NamedTuple):
    """A workload that uses the secret: `k8s://eks/prod/deployment/web`.

    `proof` is how it is shown to run with the new value: `pods`, `csi`, or a command.
    """

    id: str
    proof: str = "pods"
    command: Command | None = None
    timeout: int = 300


class Entry(NamedTuple):
    """An entry of `rotation.secrets`: how the secrets that it matches are rotated."""

    match: str
    pattern: Pattern
    issuer: Issuer | None = None
    fields: Mapping[str, str] = {}
    store: str = ""
    consumers: tuple[Consumer, ...] = ()
    verify: bool = True
    prove_old: bool = False
    destroy_old: bool = False
    rewrap: Rewrap | None = None
    new_issuer: NewIssuer | None = None


class RotationConfig(NamedTuple):
    """The section. `identities` are, by backend, the options that differ from those of an audit."""

    journal: str
    records: str
    lock: str
    lock_ttl: int
    identities: Mapping[str, Mapping[str, Any]]
    entries: tuple[Entry, ...]

    def entry(self, secret: str) -> Entry | None:
        """The first entry that matches the secret."""
        scheme, segments = secret_ids.split(secret)
        return next(
            (each for each in self.entries if each.pattern.matches(scheme, segments, None)), None
        )


_TIMEOUT = "60s"
_READY = "5m"
_TTL = "15m"
ALPHABETS = {
    "alphanumeric": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "base64url": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "hex": "0123456789abcdef",
}


def typed(section: Mapping[str, Any]) -> RotationConfig:
    """The section, which the schema has checked. LookupError: an unknown issuer is named."""
    issuers = {name: _issuer(name, item) for name, item in section.get("issuers", {}).items()}
    return RotationConfig(
        journal=section["journal"],
        records=section["records"],
        lock=section["lock"],
        lock_ttl=seconds(section.get("lock_ttl", _TTL)),
        identities=section["identities"],
        entries=tuple(_entry(item, issuers) for item in section.get("secrets", ())),
    )


def _issuer(name: str, item: Mapping[str, Any]) -> Issuer:
    made = item.get("generate")
    if made:
        alphabet = ALPHABETS[made.get("alphabet", "base64url")]
        return Issuer(name, characters=made.get("characters", 48), alphabet=alphabet)
    create, verify, revoke = (
        _command(item, item[action]) if action in item else None
        for action in ("create", "verify", "revoke")
    )
    return Issuer(name, create, verify, revoke)


def _command(item: Mapping[str, Any], argv: list[str]) -> Command:
    timeout = seconds(item.get("timeout", _TIMEOUT))
    return Command(tuple(argv), timeout, tuple(item.get("environment", ())))


def _entry(item: Mapping[str, Any], issuers: Mapping[str, Issuer]) -> Entry:
    rewrap, pki = item.get("raise_min_decryption_version"), item.get("new_issuer")
    return Entry(
        match=item["match"],
        pattern=secret_ids.pattern(item["match"]),
        issuer=issuers[item["issuer"]] if "issuer" in item else None,
        fields={"value": item["field"]} if "field" in item else item.get("fields", {}),
        store=item.get("store", ""),
        consumers=tuple(map(_consumer, item.get("consumers", ()))),
        verify=item.get("verify", True),
        prove_old=item.get("prove_old", False),
        destroy_old=item.get("destroy_old", False),
        rewrap=Rewrap(_command(rewrap, rewrap["lowest_version_in_use"])) if rewrap else None,
        new_issuer=_new_issuer(pki) if pki else None,
    )


def _new_issuer(item: Mapping[str, Any]) -> NewIssuer:
    return NewIssuer(
        common_name=item["common_name"],
        ttl=item.get("ttl", "8760h"),
        key_type=item.get("key_type", "ec"),
        stop_old=item.get("stop_old", False),
        signed_by=item.get("signed_by", "").strip("/"),
    )


def _consumer(item: str | Mapping[str, Any]) -> Consumer:
    if isinstance(item, str):
        return Consumer(item)
    command = _command(item, item["command"]) if "command" in item else None
    return Consumer(
        id=item["workload"],
        proof="command" if command else item.get("proof", "pods"),
        command=command,
        timeout=seconds(item.get("ready_within", _READY)),
    )
