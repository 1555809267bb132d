"""Inventory: one Vault: is it there and open, who are we, and what is in it."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from scanner.inventory.interface import Settings
from scanner.inventory.threads import WORKERS
from scanner.inventory.vault import login, namespaces, required_permissions
from scanner.inventory.vault.client import connected
from scanner.inventory.vault.errors import Trouble, gap, readable
from scanner.inventory.vault.http import Answer, Wire
from scanner.inventory.vault.mount import canonical
from scanner.inventory.vault.namespaces import Session
from scanner.inventory.vault.options import home
from scanner.inventory.vault.requests import Item, walked
from scanner.model import Note, NoteKind

_MAX_SKEW = timedelta(minutes=1)
_CLOSED = {
    472: ("standby", "it is a disaster recovery secondary, which answers no request"),
    501: ("not-initialised", "it is not initialised"),
    503: ("sealed", "it is sealed"),
}
_STANDBY = {429, 473}


class Vault:
    """One instance, as the operator's file names it."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._began = time.monotonic()
        self._home = home(settings.options)
        self._session: Session | None = None

    def read(self) -> Iterator[Item]:
        store = canonical(self._settings.name)
        try:
            with readable():
                wire = self._wire()
                health = _health(wire)
                self._session = self._opened(wire, health)
        except Trouble as error:
            yield gap(store, error)
            return
        yield from self._notes(store, health)
        yield from walked(namespaces.steps(self._session))

    def session(self) -> Session:
        """Log in. Trouble where that fails, or where nothing can be asked of the server."""
        with readable():
            wire = self._wire()
            return self._opened(wire, _health(wire))

    def excess(self) -> Iterator[str]:
        """By some entries of each kind that `read` has seen."""
        if self._session is None:
            return
        try:
            with readable():
                yield from required_permissions.excess(self._session.place(self._home))
        except Trouble as error:
            yield f"which rights it holds beyond need is not known: {error.reason}"

    def _wire(self) -> Wire:
        address = self._settings.options["address"]
        tls = self._settings.options.get("tls", {})
        return Wire(
            address,
            self._settings.timeout,
            login.trusted(tls) if address.startswith("https:") else None,
            server_name=tls.get("server_name"),
            connections=WORKERS,
        )

    def _opened(self, wire: Wire, health: Answer) -> Session:
        token = login.token(connected(wire, namespace=self._home), self._settings)
        login.tried(connected(wire, token, self._home))
        return Session(
            backend=self._settings.name,
            options=self._settings.options,
            client=lambda namespace: connected(wire, token, namespace),
            now=self._now,
            enterprise="+ent" in str(health.data.get("version")),
            samples={},
            fresh=self._settings.fresh,
        )

    def _notes(self, store: str, health: Answer) -> Iterator[Note]:
        """What may be wrong with what it says, and with how it is asked."""
        if health.status in _STANDBY:
            text = "it is a standby: what it says may be some seconds old"
            yield Note(kind=NoteKind.STANDBY, path=store, text=text)
        now = self._now + timedelta(seconds=time.monotonic() - self._began)
        if (skew := _time_of(health, now) - now) and abs(skew) > _MAX_SKEW:
            way = "ahead of" if skew > timedelta() else "behind"
            text = f"its clock is {abs(skew).total_seconds():.0f} s {way} ours: ages are off by it"
            yield Note(kind=NoteKind.CLOCK_SKEW, path=store, text=text)
        parts = urlsplit(self._settings.options["address"])
        if parts.scheme == "http" and not _is_here(parts.hostname or ""):
            yield Note(kind=NoteKind.NO_TLS, path=store, text="the token goes to it unencrypted")


def _health(wire: Wire) -> Answer:
    """What it says of itself. Trouble where nothing can be asked of it."""
    health = wire.send("GET", "/v1/sys/health", {})
    if "initialized" not in health.data:
        raise Trouble("not-vault", f"its sys/health is none of Vault's ({health.status})")
    if health.status in _CLOSED:
        kind, reason = _CLOSED[health.status]
        raise Trouble(kind, reason)
    return health


def _time_of(health: Answer, now: datetime) -> datetime:
    """What time it has, to the second; ours where it does not say."""
    try:
        return parsedate_to_datetime(health.headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return now


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
