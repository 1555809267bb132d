"""A lock in a backend, so that two machines do not rotate at the same time.

It is an entry of KV version 2, written with check-and-set, or a Lease of Kubernetes. It ends by the
server's clock: a holder that has crashed does not keep it for ever, and its own journal gets it
back at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from scanner.errors import UsageError
from scanner.inventory.errors import ReadError
from scanner.inventory.kubernetes.json_fields import moment, number, text
from scanner.rotate.model import OperatorError, RefusedError, StepError
from scanner.rotate.stores import SecretId, Stores, kubernetes_error


class Lock(Protocol):
    """Held by one run at a time."""

    def acquire(self) -> None:
        """UsageError if someone else holds it."""

    def keep(self) -> None:
        """Extend it. OperatorError if someone else has taken it."""

    def release(self) -> None: ...


def of(place: str, holder: str, ttl: int, stores: Stores) -> Lock:
    """The lock at a canonical id: `vault://prod/-/keywatch/lock` or `k8s://eks/ops/lease/lock`."""
    where = SecretId(place)
    kind = _Lease if where.scheme == "k8s" else _Entry
    return kind(where, holder, timedelta(seconds=ttl), stores)


class _Base:
    def __init__(self, place: SecretId, holder: str, ttl: timedelta, stores: Stores) -> None:
        self._place = place
        self._holder = holder
        self._ttl = ttl
        self._stores = stores
        self._extended: datetime | None = None

    def _write(self, holder: str) -> None:
        raise NotImplementedError

    def _remove(self) -> None:
        self._write("")

    def _held(self) -> tuple[str, datetime, datetime]:
        """The holder, until when, and the server's time."""
        raise NotImplementedError

    def acquire(self) -> None:
        holder, until, now = self._held()
        if holder and holder != self._holder and now < until:
            raise self._taken(holder, until)
        try:
            self._write(self._holder)
        except RefusedError:
            holder, until, _ = self._held()
            if holder == self._holder or not holder:
                raise
            raise self._taken(holder, until) from None
        self._extended = now

    def keep(self) -> None:
        holder, until, now = self._held()
        if holder != self._holder:
            raise OperatorError(
                f"the lock {self._place.text} was taken by {holder or 'nobody'}",
                "wait until the other run has ended, then run keywatch rotate resume",
            )
        if until - now < self._ttl / 2:
            self._write(self._holder)

    def release(self) -> None:
        try:
            if self._held()[0] == self._holder:
                self._remove()
        except StepError:
            pass  # it ends by itself

    def _told(self, clock: datetime | None) -> datetime:
        """The server's time. Our own could differ from that of another machine."""
        if clock is None:
            raise RefusedError(f"the server of {self._place.text} does not tell its time")
        return clock

    def _taken(self, holder: str, until: datetime) -> UsageError:
        return UsageError(
            f"{holder} is rotating: it holds the lock {self._place.text}",
            why=f"until {until:%Y-%m-%d %H:%M:%S} UTC, unless it is extended",
            todo="wait until it has ended; resume from its journal if its machine has crashed",
        )


class _Entry(_Base):
    """An entry of KV version 2. It holds no secret."""

    _version = 0

    def _held(self) -> tuple[str, datetime, datetime]:
        vault = self._stores.vault(self._place)
        now = self._told(vault.clock())
        found = vault.read(f"{self._place.mount}/data/{self._place.below}") or {}
        self._version = int((found.get("metadata") or {}).get("version", 0))
        data: Mapping[str, Any] = found.get("data") or {}
        until = datetime.fromisoformat(data["until"]) if data.get("until") else now
        return str(data.get("holder", "")), until, now

    def _write(self, holder: str) -> None:
        vault = self._stores.vault(self._place)
        now = self._told(vault.clock())
        data = {"holder": holder, "until": (now + self._ttl).isoformat()}
        body = {"options": {"cas": self._version}, "data": data}
        vault.write(f"{self._place.mount}/data/{self._place.below}", body)
        self._version += 1

    def _remove(self) -> None:
        """All of it, or an audit would find a secret that nobody declares."""
        path = f"{self._place.mount}/metadata/{self._place.below}"
        self._stores.vault(self._place).write(path, {}, "DELETE")


class _Lease(_Base):
    """A Lease of coordination.k8s.io."""

    _object: Mapping[str, Any] | None = None

    def _held(self) -> tuple[str, datetime, datetime]:
        api = self._stores.kubernetes(self._place)
        try:
            self._object = api.get(self._path(self._place.parts[2]))
        except ReadError as error:
            if error.status != 404:
                raise kubernetes_error(self._place, error) from None
            self._object = None
        now = self._told(api.clock)
        renewed = moment(self._object, "spec", "renewTime") or now - self._ttl
        until = renewed + timedelta(seconds=number(self._object, "spec", "leaseDurationSeconds"))
        return text(self._object, "spec", "holderIdentity"), until, now

    def _write(self, holder: str) -> None:
        api = self._stores.kubernetes(self._place)
        now = self._told(api.clock)
        namespace, _, name = self._place.parts
        metadata = {"name": name, "namespace": namespace}
        if self._object:
            metadata["resourceVersion"] = text(self._object, "metadata", "resourceVersion")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(self._ttl.total_seconds()),
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        method, path = ("PUT", name) if self._object else ("POST", "")
        try:
            self._object = api.write(method, self._path(path), body)
        except ReadError as error:
            raise kubernetes_error(self._place, error) from None

    def _path(self, name: str) -> str:
        namespace = self._place.parts[0]
        base = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        return f"{base}/{name}".rstrip("/")
