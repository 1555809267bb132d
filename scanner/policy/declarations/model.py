"""Policy: the types for classes, secrets and services in keywatch.yaml and configs/secrets."""

from __future__ import annotations

import re
from typing import NamedTuple

from scanner.lazy_pattern import lazy
from scanner.model import NOWHERE, Location

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
VARIABLE = lazy(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""An environment variable in the operator config or configs/secrets: `${VAULT_ADDR}`."""
# 90d, 1h30m, P90D
_COUNTED = lazy(r"([0-9]+)([a-z])", re.IGNORECASE)


class SecretClass(NamedTuple):
    """The limits of a secret class, in seconds.

    `rotate_every` is the rotation period, `grace` how late a rotation may be, and `overlap` how
    long the old value may stay valid after a rotation.
    """

    name: str
    rotate_every: int
    grace: int
    overlap: int
    location: Location


class SecretEntry(NamedTuple):
    """An entry of `secrets` in keywatch.yaml: the secrets that it matches, their class and owner.

    It matches the secrets whose id matches the glob `match` ("" for all) and that have all `tags`.
    `runbook` is a file of the repository or an https address.
    """

    match: str
    tags: tuple[tuple[str, str], ...]
    secret_class: str
    owner: str
    runbook: str
    location: Location
    class_location: Location
    runbook_location: Location

    @property
    def description(self) -> str:
        """The glob and the tags, as text for people."""
        tags = ", ".join(f"{key}={value}" for key, value in self.tags)
        return " with ".join(filter(None, (self.match, tags)))


class Audit(NamedTuple):
    """How often the live secrets are audited, in seconds."""

    every: int
    location: Location


class Match(NamedTuple):
    """The entry of `secrets` that applies to a live secret.

    If the repository has none, it is the entry of the operator config, which has no location.
    `secret_class` is None if the entry names an unknown class. `rival` is an equally specific entry
    that names a different class.
    """

    entry: SecretEntry
    secret_class: SecretClass | None
    rival: SecretEntry | None = None


class Service(NamedTuple):
    """A service and the classes of secrets that it needs; `*` means all classes.

    `sources` are the networks that it calls from; empty if keywatch.yaml does not say.
    `needs_locations` holds one `file:line` for each of `needs`.
    """

    name: str
    vault_role: str
    policies: tuple[str, ...]
    needs: tuple[str, ...]
    location: Location
    needs_locations: tuple[Location, ...]
    sources: tuple[str, ...] = ()


class StoreReference(NamedTuple):
    """The store that a file of configs/secrets names, as it is written there.

    `address` is the store's address and `identity` the role with which the application logs in.
    Both are "" if the file does not say.
    """

    scheme: str
    address: str = ""
    identity: str = ""
    location: Location = NOWHERE
    identity_location: Location = NOWHERE


class DeclaredSecret(NamedTuple):
    """A secret that configs/secrets or a manifest declares.

    `segments` are the parts of its canonical id after `scheme://`. A part is None if the file does
    not say it: the backend, or the value of an environment variable. `key` is "" for all keys.
    `name` is the name that commands use, in parts. `store` distinguishes stores of one kind.
    `written` is the name as the file writes it.
    """

    scheme: str
    segments: tuple[str | None, ...]
    key: str
    name: tuple[str | None, ...]
    store: str
    written: str
    location: Location = NOWHERE
    form: StoreReference = StoreReference(scheme="")

    @property
    def id(self) -> str:
        """The canonical id, with `*` for unknown parts."""
        return f"{self.scheme}://" + "/".join(part or "*" for part in self.segments)


def seconds(period: str) -> int:
    """Convert `90d`, `1h30m` or `P90D` to seconds. The schema has checked the format."""
    return sum(int(count) * _UNITS[unit.lower()] for count, unit in _COUNTED.findall(period))


def period(seconds: int) -> str:
    """Format seconds for people: `90d`, `24h`, `1h30m`."""
    return "".join(_parts(seconds)) or "0s"


def about(seconds: int) -> str:
    """Like `period`, rounded down: days to full hours, hours to full minutes."""
    fine = 3_600 if seconds >= 172_800 else 60 if seconds >= 3_600 else 1
    return period(seconds - seconds % fine)


def _parts(seconds: int) -> list[str]:
    """The units of a period. One day stays `24h`, as policies usually write it."""
    out, rest = [], seconds
    for unit, least in (("d", 172_800), ("h", 3_600), ("m", 60), ("s", 1)):
        if rest >= least:
            count, rest = divmod(rest, _UNITS[unit])
            out.append(f"{count}{unit}")
    return out
