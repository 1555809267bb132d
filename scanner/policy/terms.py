"""Policy: what keywatch.yaml and configs/secrets say: classes, secrets, services, declarations."""

from __future__ import annotations

from typing import NamedTuple

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class SecretClass(NamedTuple):
    """How often secrets of one kind are rotated, and how long the old one may live on: seconds."""

    name: str
    rotate_every: int
    grace: int
    where: str


class SecretEntry(NamedTuple):
    """An entry of `secrets`: what a glob of canonical ids matches, and whose it is.

    `runbook` is a file of the repository or an https address. Each `…where` is `file:line`.
    """

    match: str
    secret_class: str
    owner: str
    runbook: str
    where: str
    class_where: str
    runbook_where: str


class Service(NamedTuple):
    """A service and the classes of secrets that it needs; `*` is all of them.

    `needs_where` holds one `file:line` for each of `needs`.
    """

    name: str
    vault_role: str
    policies: tuple[str, ...]
    needs: tuple[str, ...]
    where: str
    needs_where: tuple[str, ...]


class Declared(NamedTuple):
    """A secret that a file of configs/secrets declares.

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
    where: str

    @property
    def id(self) -> str:
        """The canonical id, `*` for what is not known."""
        return f"{self.scheme}://" + "/".join(part or "*" for part in self.segments)


def seconds(period: str) -> int:
    """`90d` in seconds; the schema has checked its form."""
    return int(period[:-1]) * _UNITS[period[-1]]
