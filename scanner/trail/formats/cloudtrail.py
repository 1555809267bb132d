"""AWS CloudTrail: files of `{"Records": […]}`, or one record a line.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/ (record contents)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from scanner.trail.event import NOBODY, Action, Actor, Call, Event, Target, quoted
from scanner.trail.formats.interface import Format

_ACTIONS = {
    "GetSecretValue": Action.READ,
    "BatchGetSecretValue": Action.READ,
    "GetParameter": Action.READ,
    "GetParameters": Action.READ,
    "Decrypt": Action.READ,
    "PutSecretValue": Action.WRITE,
    "UpdateSecret": Action.WRITE,
    "CreateSecret": Action.WRITE,
    "PutParameter": Action.WRITE,
    "RotateSecret": Action.ROTATE,
    "RotationSucceeded": Action.ROTATE,
}
_SUFFIX = 7
"""Secrets Manager ends the ARN of a secret in a hyphen and six characters of its own."""


class Issuer(msgspec.Struct, gc=False):
    userName: str | None = None  # noqa: N815 - the format's own name


class SessionContext(msgspec.Struct, gc=False):
    sessionIssuer: Issuer | None = None  # noqa: N815


class UserIdentity(msgspec.Struct, gc=False):
    type: str | None = None
    arn: str | None = None
    accountId: str | None = None  # noqa: N815
    userName: str | None = None  # noqa: N815
    principalId: str | None = None  # noqa: N815
    invokedBy: str | None = None  # noqa: N815
    sessionContext: SessionContext | None = None  # noqa: N815


class Parameters(msgspec.Struct, gc=False):
    secretId: Any = None  # noqa: N815
    versionStage: Any = None  # noqa: N815
    name: Any = None
    keyId: Any = None  # noqa: N815
    secretIdList: Any = None  # noqa: N815


class Entry(msgspec.Struct, gc=False):
    eventTime: datetime  # noqa: N815
    eventSource: str  # noqa: N815
    eventName: str  # noqa: N815
    eventID: str = ""  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    errorCode: str | None = None  # noqa: N815
    sourceIPAddress: str | None = None  # noqa: N815
    recipientAccountId: str | None = None  # noqa: N815
    userIdentity: UserIdentity | None = None  # noqa: N815
    requestParameters: Parameters | None = None  # noqa: N815

    @property
    def secret(self) -> str | None:
        """The secret that the call names; for a batch, all of them."""
        asked = self.requestParameters
        given = asked and (asked.secretId or asked.secretIdList)
        if isinstance(given, list):
            return ",".join(map(str, given))
        return given if isinstance(given, str) else None


_NO_IDENTITY = UserIdentity()


class Reader:
    """Each record is one call."""

    broken = 0

    def __init__(self, backend: str) -> None:
        self._prefix = f"aws://{backend}/"
        self._decode = msgspec.json.Decoder(Entry).decode

    def read(self, line: bytes) -> Event | None:
        return self.event(self._decode(line))

    def event(self, entry: Entry) -> Event | None:
        who = entry.userIdentity
        if who is None:
            who = entry.userIdentity = _NO_IDENTITY
        asked = entry.requestParameters
        return Event(
            time=entry.eventTime.timestamp(),
            id=entry.eventID,
            call=Call(_actor(who), self._target(entry), not entry.errorCode),
            address=entry.sourceIPAddress or "",
            entry=entry,
            is_old=asked is not None and asked.versionStage == "AWSPREVIOUS",
        )

    def unanswered(self) -> Iterable[Event]:
        return ()

    def _target(self, entry: Entry) -> Target:
        service = entry.eventSource.partition(".")[0]
        account = entry.recipientAccountId or "*"
        place = (
            f"{self._prefix}{quoted(account)}/{quoted(entry.awsRegion or '*')}/{quoted(service)}"
        )
        name = _name(entry)
        if not name:
            return Target(id=f"{place}/{quoted(entry.eventName)}", action=Action.OTHER)
        action = _ACTIONS.get(entry.eventName, Action.OTHER)
        return Target(id=f"{place}/{quoted(name)}", action=action, is_secret=True)


def _name(entry: Entry) -> str:
    """The name of the secret, without the parts of its ARN that AWS adds."""
    asked = entry.requestParameters
    if asked is None:
        return ""
    given = entry.secret or asked.name or asked.keyId
    if not isinstance(given, str):
        return ""
    if given.startswith("arn:"):
        given = given.split(":", 6)[-1].removeprefix("key/")
        if ":secretsmanager:" in (entry.secret or "") and given[-_SUFFIX : -_SUFFIX + 1] == "-":
            given = given[:-_SUFFIX]
    return given


def _actor(who: UserIdentity) -> Actor:
    issuer = who.sessionContext.sessionIssuer if who.sessionContext else None
    arn = who.arn or ""
    role = (issuer.userName if issuer else "") or who.userName or ""
    if not role and "assumed-role/" in arn:
        role = arn.partition("assumed-role/")[2].partition("/")[0]
    name = role or arn or who.invokedBy or who.principalId or ""
    return Actor(id=f"{who.accountId or ''}:{name}", name=name, role=role) if name else NOBODY


class Document(msgspec.Struct, gc=False):
    """A file that CloudTrail delivers."""

    Records: list[Entry]


FORMAT = Format(
    name="cloudtrail",
    product="aws",
    scheme="aws",
    entry=Entry,
    marks=(b'"eventSource"', b'"eventName"'),
    document=Document,
    items="Records",
    fields={
        "eventName": "eventName",
        "eventSource": "eventSource",
        "errorCode": "errorCode",
        "awsRegion": "awsRegion",
        "sourceIPAddress": "sourceIPAddress",
        "requestParameters.secretId": "secret",
        "userIdentity.arn": "userIdentity.arn",
        "userIdentity.type": "userIdentity.type",
        "userIdentity.invokedBy": "userIdentity.invokedBy",
    },
    reader=Reader,
)
