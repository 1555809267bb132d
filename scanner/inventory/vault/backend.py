"""Inventory: one Vault: is it available, who is the auditor, and what is stored in it."""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.http import clock_ahead, server_time
from scanner.inventory.interface import Settings
from scanner.inventory.threads import WORKERS
from scanner.inventory.vault import excess_rights, login, namespaces
from scanner.inventory.vault.api import Answer, VaultApi
from scanner.inventory.vault.hvac_client import hvac_client
from scanner.inventory.vault.mounts import canonical
from scanner.inventory.vault.namespaces import Connection, VisibleMount
from scanner.inventory.vault.options import home
from scanner.inventory.vault.parallel_requests import Item, run_steps
from scanner.inventory.vault.parsing import parsing
from scanner.model import Note, NoteKind
from scanner.records import Record, on_our_clock

_SECONDS_TO_LOOK = 15.0
_SECONDS_TO_REVOKE = 4.0
_MAX_SKEW = timedelta(minutes=1)
_UNAVAILABLE = {
    472: ("standby", "it is a disaster recovery secondary, which answers no requests"),
    501: ("not-initialised", "it is not initialised"),
    503: ("sealed", "it is sealed"),
}
_STANDBY = {429, 473}


class VaultBackend:
    """One server that the operator config names."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._began = time.monotonic()
        self._home = home(settings.options)
        self._connection: Connection | None = None
        self._token = ""

    def read(self) -> Iterator[Item]:
        store = canonical(self._settings.name)
        try:
            with parsing():
                api = self._api(self._settings.timeout)
                health = _health(api)
                ahead = self._clock_ahead(health)
                self._connection = self._log_in(api, health, ahead)
        except ReadError as error:
            yield gap(store, error)
            return
        yield from self._notes(store, health, ahead)
        for item in run_steps(namespaces.steps(self._connection)):
            if isinstance(item, Record) and item is not self._settings.fresh.get(item.id):
                yield on_our_clock(item, ahead)
            else:
                yield item

    def excess(self) -> Iterator[str]:
        """Checked with some of the entries that `read` has seen."""
        if self._connection is None:
            return
        try:
            with parsing():
                yield from excess_rights.excess(self._connection.namespace(self._home))
        except ReadError as error:
            yield f"its excess permissions are unknown: {error.reason}"

    def visible(self) -> Iterator[tuple[str, VisibleMount | str | None]]:
        """The mounts to audit that the login can see. See `namespaces.visible`.

        ReadError if the login fails.
        """
        try:
            with parsing():
                api = self._api(min(self._settings.timeout, _SECONDS_TO_LOOK))
                self._connection = self._log_in(api, None, timedelta())
                yield from namespaces.visible(self._connection)
        finally:
            self.close()

    def close(self) -> None:
        """Revoke the token that the login created. A token that somebody else made stays."""
        if self._token:
            with contextlib.suppress(ReadError):
                client = hvac_client(self._api(_SECONDS_TO_REVOKE), self._token, self._home)
                login.log_out(client, self._settings)

    def _api(self, seconds: float) -> VaultApi:
        return connect(self._settings._replace(timeout=seconds), connections=WORKERS)

    def _clock_ahead(self, health: Answer) -> timedelta:
        """Zero if the clocks agree."""
        began = self._settings.clock or self._now
        expected = began + timedelta(seconds=time.monotonic() - self._began)
        ahead = clock_ahead(server_time(health.headers), expected)
        return ahead if abs(ahead) > _MAX_SKEW else timedelta()

    def _log_in(self, api: VaultApi, health: Answer | None, ahead: timedelta) -> Connection:
        token = login.token(hvac_client(api, namespace=self._home), self._settings)
        self._token = token
        own = login.check_token(hvac_client(api, token, self._home))
        return Connection(
            backend=self._settings.name,
            options=self._settings.options,
            client=lambda namespace: hvac_client(api, token, namespace),
            now=self._now + ahead,
            enterprise=health is not None and "+ent" in str(health.data.get("version")),
            samples={},
            fresh=self._settings.fresh,
            own_accessor=own,
        )

    def _notes(self, store: str, health: Answer, ahead: timedelta) -> Iterator[Note]:
        """What may make its answers, or the connection to it, less reliable."""
        if health.status in _STANDBY:
            text = "it is a standby, so its answers may be some seconds old"
            yield Note(kind=NoteKind.STANDBY, path=store, text=text)
        if ahead:
            direction = "ahead of" if ahead > timedelta() else "behind"
            seconds = f"{abs(ahead).total_seconds():.0f} s"
            text = f"its clock is {seconds} {direction} this machine's; its dates are corrected"
            yield Note(kind=NoteKind.CLOCK_SKEW, path=store, text=text)
        parts = urlsplit(self._settings.options["address"])
        if parts.scheme == "http" and not _is_local(parts.hostname or ""):
            text = "the token is sent to it without encryption"
            yield Note(kind=NoteKind.NO_TLS, path=store, text=text)


def connect(settings: Settings, *, connections: int) -> VaultApi:
    """The API of the server that the operator config names. ReadError for a bad address or CA."""
    address = settings.options["address"]
    tls = settings.options.get("tls", {})
    return VaultApi(
        address,
        settings.timeout,
        login.tls_context(tls) if address.startswith("https:") else None,
        server_name=tls.get("server_name"),
        connections=connections,
    )


def _health(api: VaultApi) -> Answer:
    """Its health report. ReadError if it cannot be read from."""
    health = api.send("GET", "/v1/sys/health", {})
    if "initialized" not in health.data:
        reason = f"its sys/health is not a health report of Vault ({health.status})"
        raise ReadError("not-vault", reason)
    if health.status in _UNAVAILABLE:
        kind, reason = _UNAVAILABLE[health.status]
        raise ReadError(kind, reason)
    return health


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
