"""Azure diagnostic logs of Key Vault, category AuditEvent: one record a line, or documents.

https://learn.microsoft.com/azure/key-vault/general/logging
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from scanner.trail.event import NOBODY, Action, Actor, Call, Event, Target, quoted
from scanner.trail.formats.interface import Format

_ACTIONS = {
    "SecretGet": Action.READ,
    "KeyDecrypt": Action.READ,
    "KeyUnwrap": Action.READ,
    "SecretSet": Action.WRITE,
    "KeyCreate": Action.WRITE,
    "KeyImport": Action.WRITE,
    "KeyRotate": Action.ROTATE,
}
_APPID = "appid"
_OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"


class Claim(msgspec.Struct, gc=False):
    oid: str | None = None
    appid: str | None = None
    upn: str | None = None
    oid_by_schema: str | None = msgspec.field(default=None, name=_OID)
    upn_by_schema: str | None = msgspec.field(default=None, name=_UPN)

    @property
    def object_id(self) -> str | None:
        return self.oid or self.oid_by_schema

    @property
    def user(self) -> str | None:
        return self.upn or self.upn_by_schema


class Identity(msgspec.Struct, gc=False):
    claim: Claim | None = None


class Properties(msgspec.Struct, gc=False):
    requestUri: str | None = None  # noqa: N815 - the format's own name
    httpStatusCode: int | None = None  # noqa: N815
    id: str | None = None


class Entry(msgspec.Struct, gc=False):
    time: datetime
    operationName: str  # noqa: N815
    category: str = ""
    resultSignature: Any = None  # noqa: N815
    resultType: str | None = None  # noqa: N815
    correlationId: str = ""  # noqa: N815
    callerIpAddress: str | None = None  # noqa: N815
    resourceId: str = ""  # noqa: N815
    identity: Identity | None = None
    properties: Properties | None = None

    @property
    def claim(self) -> Claim:
        return (self.identity and self.identity.claim) or _NO_CLAIM

    @property
    def code(self) -> int | None:
        return self.properties.httpStatusCode if self.properties else None

    @property
    def uri(self) -> str | None:
        return self.properties.requestUri if self.properties else None


_NO_CLAIM = Claim()


class Reader:
    """Each record is one call."""

    broken = 0

    def __init__(self, backend: str) -> None:
        self._prefix = f"azure://{backend}/"
        self._decode = msgspec.json.Decoder(Entry).decode

    def read(self, line: bytes) -> Event | None:
        return self.event(self._decode(line))

    def event(self, entry: Entry) -> Event | None:
        code = entry.code
        failed = entry.resultType not in (None, "", "Success")
        call = entry.correlationId
        return Event(
            time=entry.time.timestamp(),
            # The challenge and the call share a correlation id.
            id=f"{call}:{code}:{entry.operationName}:{entry.uri}" if call else "",
            call=Call(_actor(entry.claim), self._target(entry), code < 400 if code else not failed),
            address=(entry.callerIpAddress or "").partition(":")[0],
            entry=entry,
        )

    def unanswered(self) -> Iterable[Event]:
        return ()

    def _target(self, entry: Entry) -> Target:
        host, path = "", ""
        try:
            parts = urlsplit(entry.uri or "")
            host, path = parts.hostname or "", parts.path
        except ValueError:
            pass
        vault = host.partition(".")[0] or entry.resourceId.rpartition("/")[2].lower() or "*"
        place = self._prefix + quoted(vault)
        kind, _, rest = path.strip("/").partition("/")
        name = rest.partition("/")[0]
        if kind in ("secrets", "keys", "certificates") and name:
            action = _ACTIONS.get(entry.operationName, Action.OTHER)
            return Target(id=f"{place}/{kind}/{quoted(name)}", action=action, is_secret=True)
        return Target(id=f"{place}/{quoted(entry.operationName)}", action=Action.OTHER)


def _actor(claim: Claim) -> Actor:
    name = claim.user or claim.appid or claim.object_id or ""
    if not name:
        return NOBODY
    return Actor(id=claim.object_id or name, name=name, role=claim.appid or "")


class Document(msgspec.Struct, gc=False):
    """A file that a storage account or an event hub holds."""

    records: list[Entry]


FORMAT = Format(
    name="azure",
    product="azure",
    scheme="azure",
    entry=Entry,
    marks=(b'"operationName"', b'"category"'),
    document=Document,
    items="records",
    fields={
        "category": "category",
        "operationName": "operationName",
        "resultType": "resultType",
        "callerIpAddress": "callerIpAddress",
        "identity.claim.oid": "claim.object_id",
        "identity.claim.appid": "claim.appid",
        "identity.claim.upn": "claim.user",
        "properties.httpStatusCode": "code",
        "properties.requestUri": "uri",
    },
    reader=Reader,
)
