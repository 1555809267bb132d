"""Inventory: requests to one Kubernetes API server.

Secrets are asked for as metadata alone. An answer that is more than that is closed after its first
bytes. What may hold a value elsewhere (an annotation of kubectl, a variable of a container) is
dropped while the JSON is parsed. No text of the server gets into a message.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException
from urllib3 import BaseHTTPResponse, Timeout
from urllib3 import exceptions as failures

from scanner.inventory.kubernetes.fields import at, each, text

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HAD_VALUES = "values"
"""What stands in place of that annotation, where it held values."""

_PAGE = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_IS_METADATA = re.compile(
    rb'\s*{\s*(?:"apiVersion"\s*:\s*"meta\.k8s\.io/v1"\s*,\s*)?'
    rb'"kind"\s*:\s*"PartialObjectMetadataList"'
)
_BEGINNING = 128  # bytes in which the kind of an answer stands
_CHUNK = 1 << 16
_LARGEST = 1 << 26
_PATIENCE = 30.0  # seconds until an answer goes on
_PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0)  # seconds between attempts
_PASSING = frozenset({429, 500, 502, 503, 504})
_MAY_HOLD_VALUES = frozenset({"data", "stringData", "encryptedData", "templates", "value"})

# The first that fits: in urllib3 some of these are kinds of others.
_NO_ANSWER: tuple[tuple[type[Exception], str, bool], ...] = (
    (failures.SSLError, "its TLS certificate is not trusted, or it speaks no TLS", False),
    (failures.NameResolutionError, "its name does not resolve", False),
    (failures.ProxyError, "the proxy does not lead to it", True),
    (failures.NewConnectionError, "nothing answers at its address", True),
    (failures.TimeoutError, "it did not answer in time", True),
    (ValueError, "its address, or the token for it, is malformed", False),
    (OSError, "a file of its configuration cannot be used", False),
    (ConfigException, "its credentials cannot be renewed", False),
    (failures.HTTPError, "the connection broke", True),
)
"""Error, what is said of it, and whether the next attempt may do better."""
_NO_ANSWERS = tuple(error for error, _, _ in _NO_ANSWER)
_STATUS = {
    400: ("unreadable", "it does not understand the request"),
    401: ("unauthenticated", "it does not accept the credentials: missing, wrong or expired"),
    403: ("denied", "this identity may not list it"),
    404: ("absent", "there is no such resource"),
    406: ("unreadable", "it cannot answer with metadata alone"),
    410: ("expired", "the list expired while it was read, and it gives no way to go on"),
    429: ("throttled", "it is asked too often"),
}


class UnreadError(Exception):
    """What was asked for was not answered. `final`: nor will anything else be."""

    def __init__(self, kind: str, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.final = final


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    metadata: bool

    @property
    def tree(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self.body, object_hook=_bare if self.metadata else _without_values)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UnreadError("unreadable", "its answer is no JSON: is it an API server?")
        return found


class Wire:
    """A connection. `clock`: what time the server last said it was."""

    def __init__(self, configuration: Configuration, timeout: float) -> None:
        self._configuration = configuration
        try:
            self._pool = RESTClientObject(configuration).pool_manager
        except ValueError:
            raise UnreadError("unconfigured", "its proxy has no address of a proxy") from None
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self.clock: datetime | None = None

    def get(self, path: str) -> Mapping[str, Any]:
        return _checked(self._answer("GET", path), 200).tree

    def post(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """A review: it writes nothing."""
        return _checked(self._answer("POST", path, body=json.dumps(body).encode()), 201).tree

    def items(self, path: str, *, metadata: bool = False, **query: str) -> Iterator[object]:
        """The objects of a list, page by page; of each its metadata alone, if so asked.

        A list that expires while it is read goes on with the token that the server offers: each
        object that was there all the time is seen, once.
        """
        token = ""
        while True:
            asked = {"limit": str(_PAGE), **query, **({"continue": token} if token else {})}
            answer = self._answer("GET", f"{path}?{urlencode(asked)}", metadata=metadata)
            tree = _checked(answer, 200, 410).tree
            if answer.status == 200 and not text(tree, "kind").endswith("List"):
                raise UnreadError("unreadable", "its answer is no list")
            yield from each(tree, "items")
            token = _token(tree)
            if not token:
                break
        _checked(answer, 200)

    def _answer(
        self, method: str, path: str, *, metadata: bool = False, body: bytes | None = None
    ) -> _Answer:
        """The first answer that does not ask for patience; the last one, where all do."""
        pauses = iter(_PAUSES)
        while True:
            pause = next(pauses, None)
            try:
                answer = self._attempt(method, path, metadata=metadata, body=body)
            except _NO_ANSWERS as error:
                failure, hope = _unanswered(error)
                if pause is None or not hope:
                    raise failure from None
                self._wait(pause, failure)
            else:
                if pause is None or answer.status not in _PASSING:
                    return answer
                self._wait(max(pause, _asked_to_wait(answer)), _refusal(answer.status))

    def _attempt(self, method: str, path: str, *, metadata: bool, body: bytes | None) -> _Answer:
        response = self._pool.request(
            method,
            self._configuration.host + path,
            headers=self._headers(metadata=metadata, sends=body is not None),
            body=body,
            timeout=Timeout(total=min(self._left(), _PATIENCE)),
            retries=False,
            redirect=False,  # to a place that the operator did not name
            preload_content=False,
        )
        with closing(response):
            self._note_clock(response)
            must_be = _IS_METADATA if metadata and response.status == 200 else None
            read = self._body(response, must_be)
        return _Answer(
            status=response.status, headers=response.headers, body=read, metadata=metadata
        )

    def _headers(self, *, metadata: bool, sends: bool) -> dict[str, str]:
        bearer = self._configuration.auth_settings().get("BearerToken")
        key = bearer["value"] if bearer else None
        return {
            "Accept": _METADATA if metadata else "application/json",
            "User-Agent": "keywatch",
            **({"Authorization": key.strip()} if key else {}),
            **({"Content-Type": "application/json"} if sends else {}),
        }

    def _body(self, response: BaseHTTPResponse, must_be: re.Pattern[bytes] | None) -> bytes:
        body = bytearray(response.read(_BEGINNING))
        if must_be and not must_be.match(body):
            raise UnreadError("unreadable", "it does not answer with metadata alone; none was read")
        while chunk := response.read1(_CHUNK):
            body += chunk
            self._left()
            if len(body) > _LARGEST:
                raise UnreadError("unreadable", f"its answer is over {_LARGEST:,} bytes")
        return bytes(body)

    def _note_clock(self, response: BaseHTTPResponse) -> None:
        try:
            said = parsedate_to_datetime(response.headers.get("Date", ""))
        except (ValueError, OverflowError):
            return
        self.clock = said if said.tzinfo else None

    def _wait(self, seconds: float, failure: UnreadError) -> None:
        """Raises the failure where no time is left to wait so long."""
        if seconds >= self._end - time.monotonic():
            raise failure
        time.sleep(seconds)

    def _left(self) -> float:
        """Seconds until the end, which raises."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise UnreadError("timeout", f"the {self._timeout:g} s for it are over", final=True)
        return left


def _bare(found: dict[str, Any]) -> dict[str, Any]:
    """An object of a JSON text, without what kubectl keeps in its annotation."""
    if LAST_APPLIED in found:
        held = str(found[LAST_APPLIED])
        found[LAST_APPLIED] = HAD_VALUES if '"data":' in held or '"stringData":' in held else ""
    return found


def _without_values(found: dict[str, Any]) -> dict[str, Any]:
    for key in found.keys() & _MAY_HOLD_VALUES:
        found[key] = None
    return _bare(found)


def _token(tree: object) -> str:
    """What the next page of a list is asked for with; "" for the last one."""
    found = at(tree, "metadata", "continue") or ""
    if isinstance(found, str) and found.isascii():
        return found
    raise UnreadError("unreadable", "its list goes on, and it does not say how")


def _checked(answer: _Answer, *good: int) -> _Answer:
    if answer.status not in good:
        raise _refusal(answer.status)
    return answer


def _refusal(status: int) -> UnreadError:
    kind, reason = _STATUS.get(status, ("unreadable", "it fails, or is no API server"))
    return UnreadError(kind, f"HTTP {status}: {reason}", final=status in (401, 429))


def _unanswered(error: Exception) -> tuple[UnreadError, bool]:
    """What is said of it, and whether the next attempt may do better."""
    reason, hope = next((said, hope) for each, said, hope in _NO_ANSWER if isinstance(error, each))
    return UnreadError("unreachable", reason, final=True), hope


def _asked_to_wait(answer: _Answer) -> float:
    """Seconds."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if re.fullmatch(r"[0-9]{1,9}", said) else 0.0
