"""Audit logs of Vault and OpenBao: one JSON object a line, a request and a response for each call.

https://openbao.org/docs/audit/ describes the format. Strings in it are HMACs, unless the device
has log_raw: then nothing but names is kept of an entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any, cast

import msgspec

from scanner.trail.event import NOBODY, Action, Actor, Call, Event, Target, quoted
from scanner.trail.formats.interface import MOST_CALLS, UNDECODED, Format

MOST_WAITING = 10_000
"""Requests of one log that wait for their response; the oldest are given up."""
_REQUEST = b'"type":"request"'
_ID = b'"request":{"id":"'
_TIME_ENDS, _TYPE_ENDS = 28, 64
"""Where the type is in a line: after the time, which has a fraction of a second or not."""
_END = b"}"
_UUID = 36
_HMAC = "hmac-sha256:"
_TRANSIT_USES = ("encrypt", "decrypt", "sign", "verify", "hmac", "rewrap", "datakey")
_NULL = msgspec.Raw(b"null")
Loose = str | int | float | bool | list[Any] | None
"""What a field holds in calls of other kinds."""


class PolicyResults(msgspec.Struct, gc=False):
    allowed: bool | None = None


class Roles(msgspec.Struct, gc=False):
    """The metadata in which auth methods say the role of a login, the first one first."""

    role: Any = None
    role_name: Any = None
    service_account_name: Any = None
    username: Any = None


class Auth(msgspec.Struct, gc=False):
    accessor: str = ""
    display_name: str | None = None
    policies: tuple[str, ...] | None = None
    policy_results: msgspec.Raw = _NULL
    metadata: msgspec.Raw = _NULL
    entity_id: str | None = None

    @property
    def allowed(self) -> bool | None:
        results = _RESULTS(self.policy_results)
        return results.allowed if results else None


_RESULTS = msgspec.json.Decoder(PolicyResults | None).decode
_ROLES = msgspec.json.Decoder(Roles | None).decode


class Namespace(msgspec.Struct, gc=False):
    path: str = ""


class RequestData(msgspec.Struct, gc=False):
    token: Any = None


_DATA = msgspec.json.Decoder(RequestData | list[Any] | str | None).decode


class Request(msgspec.Struct, gc=False):
    id: str = ""
    operation: str = ""
    path: str = ""
    mount_point: str = ""
    mount_type: str = ""
    client_token: str = ""
    namespace: Namespace | None = None
    data: msgspec.Raw = _NULL
    remote_address: str = ""

    @property
    def token(self) -> str | None:
        """The token that the call names, for example to revoke it."""
        data = _DATA(self.data)
        given = data.token if isinstance(data, RequestData) else None
        if not isinstance(given, str):
            return None
        return given if given.startswith(_HMAC) else _digest(given)


class Metadata(msgspec.Struct, gc=False):
    version: Loose = None


class ResponseData(msgspec.Struct, gc=False):
    version: Any = None
    metadata: Metadata | Loose = None


class Response(msgspec.Struct, gc=False):
    data: ResponseData | list[Any] | str | None = None


class Entry(msgspec.Struct, gc=False):
    """A line. A token in the clear is replaced by its digest. `auth` becomes an Auth (`_whole`)."""

    time: datetime
    type: str
    request: Request
    auth: msgspec.Raw = _NULL
    response: Response | None = None
    error: str = ""


_NO_AUTH = Auth()
_AUTH = msgspec.json.Decoder(Auth | None).decode


class _Caller:
    """An identity as the lines of a token show it, and its calls by path, operation and outcome."""

    __slots__ = ("actor", "calls")

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.calls: dict[tuple[str, ...], Call] = {}


class Reader:
    """Joins the request and the response of each call."""

    broken = 0

    def __init__(self, backend: str) -> None:
        self._prefix = f"vault://{backend}/"
        self._waiting: dict[bytes, bytes] = {}
        self._callers: dict[bytes, _Caller] = {}
        self._calls = 0
        self._decode = msgspec.json.Decoder(Entry).decode

    def read(self, line: bytes) -> Event | None:
        """The event of a response. A request waits for it, since the response repeats all of it.

        So a request that has its response is not decoded, which saves a third of the time of the
        benchmark `trail`.
        """
        if line.find(_REQUEST, _TIME_ENDS, _TYPE_ENDS) > 0 and line.endswith(_END):
            at = line.find(_ID)
            if at > 0:
                at += len(_ID)
                waiting = self._waiting
                waiting[line[at : at + _UUID]] = line
                if len(waiting) > MOST_WAITING:
                    return self._given_up()
                return None
        entry = self._decode(line)
        name = entry.request.id.encode()
        if entry.type == "request":
            self._waiting[name] = line
            return None
        self._waiting.pop(name, None)
        return self._made(entry)

    def unanswered(self) -> Iterator[Event]:
        while self._waiting:
            try:
                yield self._given_up()
            except UNDECODED:
                self.broken += 1

    def _given_up(self) -> Event:
        """The oldest request without a response. Its response may still come in a later run."""
        event = self._made(self._decode(self._waiting.pop(next(iter(self._waiting)))))
        event.id += ":request"
        return event

    def _made(self, entry: Entry) -> Event:
        request, response = entry.request, entry.response
        token, is_raw = request.client_token, False
        if token and not token.startswith(_HMAC):
            request.client_token = _digest(token)
            is_raw = True
        auth = bytes(entry.auth)
        caller = self._callers.get(auth)
        if caller is None:
            caller = self._callers[auth] = _Caller(_actor(_AUTH(auth) or _NO_AUTH))
        space = request.namespace.path if request.namespace else ""
        key = (request.path, request.operation, entry.error, space, entry.type)
        call = caller.calls.get(key)
        if call is None:
            call = self._call(caller, key, entry, space)
        version: Any = 0
        if response is not None:
            data = response.data
            if type(data) is ResponseData:
                kept = data.metadata
                version = kept.version if type(kept) is Metadata else data.version
                if type(version) is not int:
                    version = 0
        time = entry.time.timestamp()
        address = request.remote_address
        return Event(time, request.id, call, address, entry, version, is_raw=is_raw)

    def _call(self, caller: _Caller, key: tuple[str, ...], entry: Entry, space: str) -> Call:
        self._calls += 1
        if self._calls > MOST_CALLS:
            self._callers.clear()
            self._calls = 0
        call = caller.calls[key] = Call(
            caller.actor,
            _target(self._prefix, space, entry.request),
            not entry.error and entry.type == "response",
        )
        return call


def _actor(auth: Auth) -> Actor:
    said = msgspec.structs.astuple(_ROLES(auth.metadata) or Roles())
    role = next((str(each) for each in said if each), "")
    name = role or auth.display_name or ""
    if not name and not auth.policies:
        return NOBODY
    return Actor(
        id=auth.entity_id or auth.display_name or "",
        name=name,
        role=role,
        policies=auth.policies or (),
    )


def _whole(entry: Entry) -> None:
    """Decode who called: it is looked at only for a new kind of call."""
    if isinstance(entry.auth, msgspec.Raw):
        entry.auth = cast("msgspec.Raw", _AUTH(entry.auth) or _NO_AUTH)


def _digest(token: str) -> str:
    data = token.encode(errors="surrogateescape")
    return "raw:" + blake2b(data, digest_size=8).hexdigest()


def _target(prefix: str, space: str, request: Request) -> Target:
    mount, path, operation = request.mount_point, request.path, request.operation
    if not mount:
        mount = path.partition("/")[0] + "/"
    below = path.removeprefix(mount)
    name, action = _secret(request.mount_type, below, operation)
    start = (
        prefix + quoted(space.strip("/")).replace("/", "%2F") if space.strip("/") else prefix + "-"
    )
    place = quoted(mount.strip("/")).replace("/", "%2F")
    if name:
        return Target(id=f"{start}/{place}/{quoted(name)}", action=action, is_secret=True)
    return Target(id=f"{start}/{quoted(path)}", action=action)


def _secret(  # noqa: PLR0911 - one for each engine
    engine: str, below: str, operation: str
) -> tuple[str, Action]:
    """The secret's path in its mount ("": it is none), and what the call does to it."""
    first, _, rest = below.partition("/")
    writes = operation in ("create", "update", "patch")
    if engine in ("kv", "generic", "cubbyhole"):
        if first == "data" and rest:
            return rest, Action.READ if operation == "read" else _written(writes)
        if first in ("metadata", "delete", "undelete", "destroy", "subkeys", "config"):
            return rest, Action.OTHER
        return below, Action.READ if operation == "read" else _written(writes)
    if first == "login" or "/login" in below:
        return "", Action.LOGIN
    if engine == "transit":
        return _transit(first, rest, operation)
    if first in ("creds", "static-creds") and rest:
        kind = "roles" if first == "creds" else "static-roles"
        return f"{kind}/{rest}", Action.READ if operation == "read" else Action.OTHER
    if first in ("rotate-root", "rotate-role") and rest:
        kind = "config" if first == "rotate-root" else "static-roles"
        return f"{kind}/{rest}", Action.ROTATE
    return "", Action.OTHER


def _transit(first: str, rest: str, operation: str) -> tuple[str, Action]:
    name = rest.partition("/")[0]
    if first == "export":
        return f"keys/{rest.partition('/')[2].partition('/')[0]}", Action.READ
    if first == "keys" and rest.endswith("/rotate"):
        return f"keys/{name}", Action.ROTATE
    if first == "keys" and name:
        return f"keys/{name}", _written(operation in ("create", "update"))
    if first in _TRANSIT_USES and name:
        return f"keys/{name}", Action.READ
    return "", Action.OTHER


def _written(writes: bool) -> Action:  # noqa: FBT001 - the one thing that it asks
    return Action.WRITE if writes else Action.OTHER


FORMAT = Format(
    name="vault",
    product="vault",
    scheme="vault",
    entry=Entry,
    marks=(b'"type"', b'"request"'),
    fields={
        "type": "type",
        "error": "error",
        "auth.accessor": "auth.accessor",
        "auth.display_name": "auth.display_name",
        "auth.entity_id": "auth.entity_id",
        "auth.policies": "auth.policies",
        "auth.policy_results.allowed": "auth.allowed",
        "request.client_token": "request.client_token",
        "request.data.token": "request.token",
        "request.mount_type": "request.mount_type",
        "request.operation": "request.operation",
        "request.path": "request.path",
        "request.remote_address": "request.remote_address",
    },
    varying=frozenset(("request.client_token", "request.data.token", "request.remote_address")),
    whole=_whole,
    reader=Reader,
)
