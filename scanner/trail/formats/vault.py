"""Audit logs of Vault and OpenBao: one JSON object a line, a request and a response for each call.

https://openbao.org/docs/audit/ describes the format. Strings in it are HMACs, unless the device
has log_raw: then nothing but names is kept of an entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from scanner.trail.event import NOBODY, Action, Actor, Event, Target, quoted
from scanner.trail.formats.interface import MOST_CACHED, Format

MOST_PENDING = 20_000
"""Calls of one file that wait for their response; the oldest are given up."""
_HMAC = "hmac-sha256:"
_ROLES = ("role", "role_name", "service_account_name", "username")
_TRANSIT_USES = ("encrypt", "decrypt", "sign", "verify", "hmac", "rewrap", "datakey")
Loose = str | int | float | bool | list[Any] | None
"""What a field holds in calls of other kinds."""


class PolicyResults(msgspec.Struct, gc=False):
    allowed: bool | None = None


class Auth(msgspec.Struct, gc=False):
    client_token: str = ""
    accessor: str = ""
    display_name: str | None = None
    policies: tuple[str, ...] | None = None
    policy_results: PolicyResults | None = None
    metadata: dict[str, Any] | None = None
    entity_id: str | None = None
    token_type: str = ""

    @property
    def allowed(self) -> bool | None:
        return self.policy_results.allowed if self.policy_results else None


class Namespace(msgspec.Struct, gc=False):
    path: str = ""


class RequestData(msgspec.Struct, gc=False):
    token: Any = None


class Request(msgspec.Struct, gc=False):
    id: str = ""
    operation: str = ""
    path: str = ""
    mount_point: str = ""
    mount_type: str = ""
    client_token: str = ""
    namespace: Namespace | None = None
    data: RequestData | list[Any] | str | None = None
    remote_address: str = ""

    @property
    def token(self) -> str | None:
        """The token that the call names, for example to revoke it."""
        given = self.data.token if isinstance(self.data, RequestData) else None
        return given if isinstance(given, str) else None


class Metadata(msgspec.Struct, gc=False):
    version: Loose = None


class ResponseData(msgspec.Struct, gc=False):
    version: Any = None
    metadata: Metadata | Loose = None


class Response(msgspec.Struct, gc=False):
    data: ResponseData | list[Any] | str | None = None


class Entry(msgspec.Struct, gc=False):
    """A line. `client_token` and `data.token` of a log with raw values are digests of the tokens."""

    time: datetime
    type: str
    request: Request
    auth: Auth | None = None
    response: Response | None = None
    error: str = ""
    is_raw: bool = False


_NO_AUTH = Auth()


class Reader:
    """Joins the request and the response of each call."""

    def __init__(self, backend: str) -> None:
        self._prefix = f"vault://{backend}/"
        self._pending: dict[str, Entry] = {}
        self._actors: dict[str, Actor] = {}
        self._targets: dict[tuple[str, str, str], Target] = {}

    def event(self, entry: Entry) -> Event | None:
        request = entry.request
        if entry.type == "request":
            pending = self._pending
            pending[request.id] = entry
            if len(pending) > MOST_PENDING:
                return self._made(pending.pop(next(iter(pending))))
            return None
        self._pending.pop(request.id, None)
        return self._made(entry)

    def unanswered(self) -> Iterator[Event]:
        while self._pending:
            yield self._made(self._pending.pop(next(iter(self._pending))))

    def _made(self, entry: Entry) -> Event:
        request, auth = entry.request, entry.auth
        if auth is None:
            auth = entry.auth = _NO_AUTH
        token = request.client_token
        if token and not token.startswith(_HMAC):
            _hide(entry)
        space = request.namespace.path if request.namespace else ""
        key = (space, request.path, request.operation)
        target = self._targets.get(key) or self._target(key, request)
        data = entry.response.data if entry.response else None
        version: Any = 0
        if isinstance(data, ResponseData):
            kept = data.metadata
            version = kept.version if isinstance(kept, Metadata) else data.version
            if type(version) is not int:
                version = 0
        return Event(
            time=entry.time.timestamp(),
            id=request.id,
            actor=self._actors.get(auth.accessor) or self._actor(auth),
            target=target,
            address=request.remote_address,
            ok=not entry.error and entry.type == "response",
            entry=entry,
            version=version,
        )

    def _actor(self, auth: Auth) -> Actor:
        metadata = auth.metadata or {}
        role = next((str(metadata[key]) for key in _ROLES if metadata.get(key)), "")
        name = role or auth.display_name or ""
        if not name and not auth.policies:
            return NOBODY
        actor = Actor(
            id=auth.entity_id or auth.display_name or "",
            name=name,
            role=role,
            policies=auth.policies or (),
        )
        if auth.accessor.startswith(_HMAC):
            if len(self._actors) >= MOST_CACHED:
                self._actors.clear()
            self._actors[auth.accessor] = actor
        return actor

    def _target(self, key: tuple[str, str, str], request: Request) -> Target:
        if len(self._targets) >= MOST_CACHED:
            self._targets.clear()
        made = self._targets[key] = _target(self._prefix, key[0], request)
        return made


def _hide(entry: Entry) -> None:
    """Replace tokens in the clear by digests: a group of a rule may be made of them."""
    entry.is_raw = True
    request = entry.request
    request.client_token = _digest(request.client_token)
    if isinstance(request.data, RequestData) and isinstance(request.data.token, str):
        request.data.token = _digest(request.data.token)


def _digest(token: str) -> str:
    data = token.encode(errors="surrogateescape")
    return "raw:" + blake2b(data, digest_size=8).hexdigest()


def _target(prefix: str, space: str, request: Request) -> Target:
    mount, path, operation = request.mount_point, request.path, request.operation
    if not mount:
        mount = path.partition("/")[0] + "/"
    below = path.removeprefix(mount)
    name, action = _secret(request.mount_type, below, operation)
    start = prefix + quoted(space.strip("/")).replace("/", "%2F") if space.strip("/") else prefix + "-"
    place = quoted(mount.strip("/")).replace("/", "%2F")
    if name:
        return Target(id=f"{start}/{place}/{quoted(name)}", action=action, is_secret=True)
    return Target(id=f"{start}/{quoted(path)}", action=action)


def _secret(engine: str, below: str, operation: str) -> tuple[str, Action]:
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
        "auth.token_type": "auth.token_type",
        "request.client_token": "request.client_token",
        "request.data.token": "request.token",
        "request.mount_type": "request.mount_type",
        "request.operation": "request.operation",
        "request.path": "request.path",
        "request.remote_address": "request.remote_address",
    },
    reader=Reader,
)
