"""Inventory: HTTP to one place that the operator named: pooled, within one deadline, tried again
where that may help. It follows no redirect and reads no proxy, address or token from the
environment."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions

from scanner.inventory.vault.errors import Trouble, cut

_MAX_ANSWER = 64_000_000
_MAX_PARTS = 500_000  # lists and objects: each takes many times its room in JSON
_PIECE = 1 << 18
_MAX_SECONDS = 30.0  # that one request may take
_PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds between tries
_MAX_PAUSE = 30.0
# 412: this standby has not seen what the active node did a moment ago.
_PASSING = {412, 429, *range(500, 600)}
_REDIRECTS = {301, 302, 303, 307, 308}


class Passing(Trouble):
    """What may be gone at the next try, after at least `pause` seconds."""

    def __init__(
        self, kind: str, reason: str, *, status: int = 0, words: str = "", pause: float = 0.0
    ) -> None:
        super().__init__(kind, reason, status=status, words=words)
        self.pause = pause


class Answer(NamedTuple):
    """A JSON object ({} for an empty body) and what came with it."""

    status: int
    headers: Mapping[str, str]
    data: Mapping[str, Any]


class Wire:
    """One server; `tls` is None for http. `seconds` are for all requests together, from now on;
    `server_name` is what its certificate is for, if not its host."""

    def __init__(
        self,
        address: str,
        seconds: float,
        tls: ssl.SSLContext | None,
        *,
        server_name: str | None = None,
        connections: int = 1,
    ) -> None:
        secured = {"ssl_context": tls, "server_hostname": server_name} if tls else {}
        try:
            self._prefix = urlsplit(address).path.rstrip("/")
            self._pool = urllib3.connection_from_url(address, maxsize=connections, **secured)
        except ValueError:
            raise Trouble("unreachable", "its address is not that of a server") from None
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """The answer to a request, whatever its status, but for one that may pass: that is tried
        again. Trouble where there is none."""
        for pause in _PAUSES:
            try:
                return self._once(method, target, headers, body)
            except Passing as error:
                self._wait(max(pause, error.pause), error)
        return self._once(method, target, headers, body)

    def _once(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        try:
            response = self._pool.urlopen(
                method,
                self._prefix + target,
                body,
                headers,
                retries=False,
                redirect=False,
                timeout=min(self._left(), _MAX_SECONDS),
                preload_content=False,
                decode_content=False,
            )
            data = self._body(response)
        except exceptions.HTTPError as error:
            self._left()
            _explain(error)
        response.release_conn()
        return _answer(response.status, response.headers, data)

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Piece by piece: a timeout counts anew from each byte that comes."""
        body = bytearray()
        while piece := response.read1(_PIECE):
            body += piece
            if len(body) > _MAX_ANSWER:
                raise Trouble("too-large", f"the answer is over {_MAX_ANSWER:,} bytes")
            self._left()
        if body.count(b"[") + body.count(b"{") > _MAX_PARTS:
            raise Trouble("too-large", f"the answer has over {_MAX_PARTS:,} parts")
        return bytes(body)

    def _left(self) -> float:
        """Seconds. Trouble where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Trouble("timeout", f"not read within {self._seconds:g} s")
        return left

    def _wait(self, seconds: float, trouble: Trouble) -> None:
        seconds = min(seconds, _MAX_PAUSE)
        if seconds >= self._left():
            raise trouble
        time.sleep(seconds)


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    if status in _REDIRECTS:
        where = _host(headers.get("Location", ""))
        raise Trouble("redirected", f"it redirects to {where}, and only the named place is asked")
    data = _object(body)
    if status in _PASSING and "initialized" not in (data or {}):  # a health report is an answer
        raise _passing(status, headers, words_of(data or {}))
    if data is None:
        kind = cut(headers.get("Content-Type", "no type"))
        raise Passing(
            "not-vault",
            f"it answered {status} with what is no JSON object ({kind}): is that a proxy?",
        )
    return Answer(status, headers, data)


def _host(address: str) -> str:
    """What may be shown of an address that a server gives: it may hold a password."""
    try:
        return cut(urlsplit(address).hostname or "itself")
    except ValueError:
        return "nowhere"


def _passing(status: int, headers: Mapping[str, str], words: str) -> Passing:
    pause = headers.get("Retry-After", "")
    kind, reason = "failing", f"it answered {status} at each try"
    if status == 429:
        kind = "throttled"
    elif "sealed" in words:
        kind, reason = "sealed", "it was sealed in the meantime"
    return Passing(
        kind,
        reason,
        status=status,
        words=words,
        pause=float(pause) if pause.isdecimal() else 0.0,
    )


def words_of(data: Mapping[str, Any]) -> str:
    """What a server says of a failure, in one line; hostile, and it may repeat what it was sent."""
    errors = data.get("errors")
    return " ".join(" ".join(map(str, errors)).split()) if isinstance(errors, list) else ""


def _object(body: bytes) -> dict[str, Any] | None:
    """The JSON object that it is, None where it is none."""
    try:
        data = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _explain(error: exceptions.HTTPError) -> NoReturn:
    """In words of our own: the library's name objects, hosts and targets."""
    match error:
        case exceptions.SSLError():
            cause = error.args[0] if error.args else None
            why = getattr(cause, "verify_message", "") or getattr(cause, "reason", None)
            raise Trouble("tls", f"no TLS with it: {cut(str(why or 'handshake failed'))}") from None
        case exceptions.NameResolutionError():
            raise Passing("unreachable", "its name cannot be resolved") from None
        case exceptions.NewConnectionError():
            why = getattr(error.__cause__, "strerror", None)
            raise Passing("unreachable", f"no connection: {why or 'refused'}") from None
        case exceptions.TimeoutError():
            raise Passing("unreachable", "it did not answer in time") from None
    raise Passing("unreachable", "the connection broke off") from None
