"""Policy: what keywatch.yaml and configs/secrets say: classes, secrets, services, declarations."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A variable of the environment, as the operator's file and configs/secrets write it."""
_COUNTED = re.compile(r"([0-9]+)([a-z])", re.IGNORECASE)


class SecretClass(NamedTuple):
    """How often secrets of one kind are rotated, how late that may be, and how long the old one may
    stay valid after it: seconds."""

    name: str
    rotate_every: int
    grace: int
    overlap: int
    where: str


class SecretEntry(NamedTuple):
    """An entry of `secrets`: which secrets it is about, and whose they are.

    It is about those that the glob `match` takes, "" for all, and that have all of `tags`.
    `runbook` is a file of the repository or an https address. Each `…where` is `file:line`.
    """

    match: str
    tags: tuple[tuple[str, str], ...]
    secret_class: str
    owner: str
    runbook: str
    where: str
    class_where: str
    runbook_where: str

    @property
    def said(self) -> str:
        """What it asks for, as people write it."""
        tags = ", ".join(f"{key}={value}" for key, value in self.tags)
        return " with ".join(filter(None, (self.match, tags)))


class Audit(NamedTuple):
    """How often the live secrets are audited, in seconds."""

    every: int
    where: str


class Match(NamedTuple):
    """The entry of `secrets` that a live secret falls under: the operator's, without a place, where
    the repository has none. The class is None where the entry names one that there is not. `rival`
    says as much of the secret, and names another class."""

    entry: SecretEntry
    secret_class: SecretClass | None
    rival: SecretEntry | None = None


class Service(NamedTuple):
    """A service and the classes of secrets that it needs; `*` is all of them.

    `sources` are the networks that it calls from; empty if keywatch.yaml does not say.
    `needs_where` holds one `file:line` for each of `needs`.
    """

    name: str
    vault_role: str
    policies: tuple[str, ...]
    needs: tuple[str, ...]
    where: str
    needs_where: tuple[str, ...]
    sources: tuple[str, ...] = ()


class Form(NamedTuple):
    """What a file of configs/secrets says of one store, as it is written there: its address, and as
    whom the application logs in. Both are "" where it does not say. Each `…where` is `file:line`.
    """

    scheme: str
    address: str = ""
    identity: str = ""
    where: str = ""
    identity_where: str = ""


class Declared(NamedTuple):
    """A secret that a file of configs/secrets declares, or a manifest.

    `segments` are those of its canonical id after `scheme://`; None stands for what the file does
    not say: the backend, and what only an environment variable knows. `key` is "" for all keys.
    `name` is what commands call it, in parts; `store` tells two stores of one kind apart; `said` is
    the name as it was written.
    """

    scheme: str
    segments: tuple[str | None, ...]
    key: str
    name: tuple[str | None, ...]
    store: str
    said: str
    where: str = ""
    form: Form = Form(scheme="")

    @property
    def id(self) -> str:
        """The canonical id, `*` for what is not known."""
        return f"{self.scheme}://" + "/".join(part or "*" for part in self.segments)


def seconds(period: str) -> int:
    """`90d`, `1h30m` or `P90D` in seconds; the schema has checked its form."""
    return sum(int(count) * _UNITS[unit.lower()] for count, unit in _COUNTED.findall(period))


def period(seconds: int) -> str:
    """Seconds as people write them: `90d`, `24h`, `1h30m`."""
    return "".join(_parts(seconds)) or "0s"


def about(seconds: int) -> str:
    """The same, rounded down: days to the hour, hours to the minute."""
    fine = 3_600 if seconds >= 172_800 else 60 if seconds >= 3_600 else 1
    return period(seconds - seconds % fine)


def _parts(seconds: int) -> list[str]:
    """A day is 24 hours, as the policy calls it."""
    out, rest = [], seconds
    for unit, least in (("d", 172_800), ("h", 3_600), ("m", 60), ("s", 1)):
        if rest >= least:
            count, rest = divmod(rest, _UNITS[unit])
            out.append(f"{count}{unit}")
    return out
