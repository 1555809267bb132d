"""Audit events of Kubernetes, audit.k8s.io/v1: one event a line, or an EventList.

https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from scanner.trail.event import NOBODY, Action, Actor, Call, Event, Target, quoted
from scanner.trail.formats.interface import Format

_ACTIONS = {
    "get": Action.READ,
    "list": Action.READ,
    "watch": Action.READ,
    "create": Action.WRITE,
    "update": Action.WRITE,
    "patch": Action.WRITE,
}
_ACCOUNT = "system:serviceaccount:"
_LAST = ("ResponseComplete", "Panic")
"""Stages that end a request."""


class User(msgspec.Struct, gc=False):
    username: str | None = None


class Reference(msgspec.Struct, gc=False):
    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None


class Status(msgspec.Struct, gc=False):
    code: int | None = None


class Entry(msgspec.Struct, gc=False):
    auditID: str  # noqa: N815 - the format's own name
    verb: str
    stage: str = ""
    level: str = ""
    requestURI: str = ""  # noqa: N815
    stageTimestamp: datetime | None = None  # noqa: N815
    requestReceivedTimestamp: datetime | None = None  # noqa: N815
    user: User | None = None
    impersonatedUser: User | None = None  # noqa: N815
    sourceIPs: tuple[str, ...] | None = None  # noqa: N815
    objectRef: Reference | None = None  # noqa: N815
    responseStatus: Status | None = None  # noqa: N815
    annotations: dict[str, Any] | None = None

    @property
    def decision(self) -> Any:
        return (self.annotations or {}).get("authorization.k8s.io/decision")

    @property
    def impersonated(self) -> str | None:
        return self.impersonatedUser.username if self.impersonatedUser else None

    @property
    def code(self) -> int | None:
        return self.responseStatus.code if self.responseStatus else None


_NO_USER = User()
_NO_REFERENCE = Reference()


class Reader:
    """One event for each auditID: that of its last stage."""

    broken = 0

    def __init__(self, backend: str) -> None:
        self._prefix = f"k8s://{backend}/"
        self._decode = msgspec.json.Decoder(Entry).decode

    def read(self, line: bytes) -> Event | None:
        return self.event(self._decode(line))

    def event(self, entry: Entry) -> Event | None:
        time = entry.stageTimestamp or entry.requestReceivedTimestamp
        if entry.stage and entry.stage not in _LAST:
            return None
        if time is None:
            raise msgspec.ValidationError("it has no time")
        user, what = entry.user, entry.objectRef
        if user is None:
            user = entry.user = _NO_USER
        if what is None:
            what = entry.objectRef = _NO_REFERENCE
        code = entry.code
        return Event(
            time=time.timestamp(),
            id=entry.auditID,
            call=Call(
                _actor(user.username or ""),
                self._target(entry.verb, what),
                entry.decision != "forbid" and (code is None or code < 400),
            ),
            address=(entry.sourceIPs or ("",))[0],
            entry=entry,
        )

    def unanswered(self) -> Iterable[Event]:
        return ()

    def _target(self, verb: str, what: Reference) -> Target:
        place = self._prefix + quoted(what.namespace or "*")
        if what.resource == "secrets" and not what.subresource:
            action = _ACTIONS.get(verb, Action.OTHER)
            name = quoted(what.name or "*")
            return Target(id=f"{place}/secret/{name}", action=action, is_secret=bool(what.name))
        kind = quoted(what.resource or "-")
        return Target(id=f"{place}/{kind}/{quoted(what.name or '*')}", action=Action.OTHER)


def _actor(name: str) -> Actor:
    role = name.rpartition(":")[2] if name.startswith(_ACCOUNT) else ""
    return Actor(id=name, name=name, role=role) if name else NOBODY


class Document(msgspec.Struct, gc=False):
    """An EventList, as a webhook gets it."""

    items: list[Entry]


FORMAT = Format(
    name="kubernetes",
    product="kubernetes",
    scheme="k8s",
    entry=Entry,
    marks=(b'"auditID"', b'"verb"'),
    document=Document,
    items="items",
    fields={
        "verb": "verb",
        "stage": "stage",
        "requestURI": "requestURI",
        "objectRef.resource": "objectRef.resource",
        "objectRef.namespace": "objectRef.namespace",
        "objectRef.name": "objectRef.name",
        "user.username": "user.username",
        "impersonatedUser.username": "impersonated",
        "responseStatus.code": "code",
        "sourceIPs": "sourceIPs",
        "annotations.authorization.k8s.io/decision": "decision",
    },
    reader=Reader,
)
