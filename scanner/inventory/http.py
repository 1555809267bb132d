"""Inventory: the HTTP client for Vault and Kubernetes.

It connects only to the server that the operator config names, and follows no redirect. All requests
together end by one deadline. It retries temporary failures, and limits the size of an answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager, Timeout, exceptions

from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError, shortened

TEMPORARY_STATUSES = frozenset({412, 429, *range(500, 600)})
"""412: a Vault standby does not have the active node's latest change yet."""

_PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds between attempts
_MAX_PAUSE = 30.0  # seconds, whatever Retry-After says
_MAX_SECONDS = 30.0  # for one request
_MAX_BYTES = 64_000_000
_FIRST_BYTES = 128  # enough to see the kind of an answer
_CHUNK = 1 << 18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class _Failure(NamedTuple):
    """An exception, the kind and reason of its gap, and whether another attempt may succeed."""

    error: type[Exception]
    kind: str
    reason: str
    temporary: bool = False


# urllib3's exceptions inherit from each other, so the first matching row counts.
_FAILURES = (
    _Failure(exceptions.SSLError, "tls", "the TLS connection failed"),
    _Failure(
        exceptions.NameResolutionError,
        "unreachable",
        "its name cannot be resolved",
        temporary=True,
    ),
    _Failure(
        exceptions.ProxyError, "unreachable", "the proxy cannot connect to it", temporary=True
    ),
    _Failure(exceptions.NewConnectionError, "unreachable", "no connection", temporary=True),
    _Failure(exceptions.TimeoutError, "unreachable", "it did not answer in time", temporary=True),
    _Failure(ValueError, "unreachable", "its address or the token for it is malformed"),
    _Failure(OSError, "unreachable", "a file of its configuration cannot be read"),
    _Failure(exceptions.HTTPError, "unreachable", "the connection broke off", temporary=True),
)
_FAILURE_TYPES = tuple(failure.error for failure in _FAILURES)

T = TypeVar("T")
Pool: TypeAlias = PoolManager | HTTPConnectionPool


class Response(NamedTuple):
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Sends requests to one server.

    `base` is put before each target: the address for a PoolManager, a path for a connection pool.
    `max_parts` limits the JSON lists and objects in an answer, because each one takes many times
    its size in memory.
    """

    def __init__(self, pool: Pool, base: str, deadline: Deadline, *, max_parts: int) -> None:
        self._pool = pool
        self._base = base
        self._deadline = deadline
        self._max_parts = max_parts

    def request(  # noqa: PLR0913 - the parts of one request
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        read: Callable[[Response], T],
        *,
        body: bytes | None = None,
        starts_with: re.Pattern[bytes] | None = None,
    ) -> T:
        """Send a request and return what `read` makes of the response.

        A temporary ReadError, from `read` too, leads to another attempt. Any other one is raised.
        A successful response that does not match `starts_with` is closed after its first bytes.
        """
        for pause in _PAUSES:
            try:
                return self._attempt(method, target, headers, read, body, starts_with)
            except ReadError as error:
                if not error.temporary:
                    raise
                self._wait(max(pause, error.retry_after), error)
        return self._attempt(method, target, headers, read, body, starts_with)

    def _attempt(  # noqa: PLR0913, PLR0917 - the parts of one request
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        read: Callable[[Response], T],
        body: bytes | None,
        starts_with: re.Pattern[bytes] | None,
    ) -> T:
        try:
            response = self._send(method, target, headers, body, starts_with)
        except _FAILURE_TYPES as error:
            self._deadline.left()
            raise _explained(error) from None
        if response.status in _REDIRECTS:
            host = _host(response.headers.get("Location", ""))
            reason = f"it redirects to {host}, but keywatch asks only the configured address"
            raise ReadError("redirected", reason, status=response.status)
        try:
            return read(response)
        except ReadError as error:
            error.retry_after = _retry_after(response.headers)
            raise

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        starts_with: re.Pattern[bytes] | None,
    ) -> Response:
        response = self._pool.urlopen(
            method,
            self._base + target,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=Timeout(total=min(self._deadline.left(), _MAX_SECONDS)),
            preload_content=False,
            decode_content=False,
        )
        with closing(response):
            expected = starts_with if response.status == 200 else None
            content = self._body(response, expected)
            response.release_conn()
        return Response(status=response.status, headers=response.headers, body=content)

    def _body(self, response: BaseHTTPResponse, starts_with: re.Pattern[bytes] | None) -> bytes:
        """Read in chunks, because a timeout of the socket starts again with each byte."""
        body = bytearray(response.read(_FIRST_BYTES) if starts_with else b"")
        if starts_with and not starts_with.match(body):
            raise ReadError("unreadable", "it does not answer with metadata only; none was read")
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise ReadError("too-large", f"the answer is over {_MAX_BYTES:,} bytes")
            self._deadline.left()
        if body.count(b"[") + body.count(b"{") > self._max_parts:
            raise ReadError("too-large", f"the answer has over {self._max_parts:,} parts")
        return bytes(body)

    def _wait(self, seconds: float, error: ReadError) -> None:
        """Raise the error if there is not enough time left to wait."""
        seconds = min(seconds, _MAX_PAUSE)
        if not self._deadline.allows(seconds):
            raise error
        time.sleep(seconds)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The time of the server's clock, to the second. None if the answer does not give it."""
    try:
        time_given = parsedate_to_datetime(headers.get("Date", ""))
        return time_given.astimezone(UTC) if time_given.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def clock_ahead(server: datetime | None, expected: datetime) -> timedelta:
    """How far a server's clock is ahead of the expected time. Zero if it does not tell the time."""
    return server - expected if server else timedelta()


def _retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that the server asks to wait, 0 if it does not ask."""
    given = headers.get("Retry-After", "")
    return float(given) if re.fullmatch(r"[0-9]{1,9}", given) else 0.0


def _host(address: str) -> str:
    """The part of a server's redirect address that can be shown: the rest may hold a password."""
    try:
        return shortened(urlsplit(address).hostname or "itself")
    except ValueError:
        return "nowhere"


def _explained(error: Exception) -> ReadError:
    """The error in keywatch's words: the library's texts name objects, hosts and targets."""
    failure = next(each for each in _FAILURES if isinstance(error, each.error))
    reason = failure.reason + _detail(error)
    return ReadError(failure.kind, reason, temporary=failure.temporary)


def _detail(error: Exception) -> str:
    """What the operating system or the TLS library says, if it helps."""
    match error:
        case exceptions.SSLError():
            cause = error.args[0] if error.args else None
            why = getattr(cause, "verify_message", "") or getattr(cause, "reason", None)
            return f": {shortened(str(why or 'handshake failed'))}"
        case exceptions.NameResolutionError() | exceptions.ProxyError():
            return ""
        case exceptions.NewConnectionError():
            return f": {getattr(error.__cause__, 'strerror', None) or 'refused'}"
    return ""
