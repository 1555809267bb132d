"""Inventory: requests to one Kubernetes API server.

Secrets are requested as metadata only. If the answer contains more, it is closed after its first
bytes. Other fields that may hold a value (an annotation of kubectl, a variable of a container) are
dropped while the JSON is parsed. No text of the server gets into a message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException

from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError
from scanner.inventory.http import TEMPORARY_STATUSES, HttpClient, Response, server_time
from scanner.inventory.kubernetes.json_fields import at, each, text

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HAD_VALUES = "values"
"""Replaces the content of that annotation if it contained values."""

_JSON = "application/json"
_PAGE = 500
_MAX_PARTS = 2_000_000  # a page of Pods has many small objects
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_IS_METADATA = re.compile(
    rb'\s*{\s*(?:"apiVersion"\s*:\s*"meta\.k8s\.io/v1"\s*,\s*)?'
    rb'"kind"\s*:\s*"PartialObjectMetadataList"'
)
_MAY_HOLD_VALUES = frozenset({"data", "stringData", "encryptedData", "templates", "value"})
_STATUS = {
    400: ("unreadable", "it does not understand the request"),
    401: ("unauthenticated", "it does not accept the credentials: missing, wrong or expired"),
    403: ("denied", "the auditor has no permission to list it"),
    404: ("absent", "there is no such resource"),
    406: ("unreadable", "it cannot answer with metadata only"),
    409: ("conflict", "the object exists, or was changed by someone else"),
    410: ("expired", "the list expired while it was read, and the server cannot continue it"),
    429: ("throttled", "it receives too many requests"),
}
_ENDS_READING = frozenset(
    {"redirected", "throttled", "timeout", "tls", "unauthenticated", "unconfigured", "unreachable"}
)


def ends_reading(error: ReadError) -> bool:
    """Will every other request to the server fail, too?"""
    return error.kind in _ENDS_READING


class _Page(NamedTuple):
    status: int
    tree: Mapping[str, Any]


class KubernetesApi:
    """A server. `clock` is the time that it gave in its latest answer."""

    def __init__(self, configuration: Configuration, timeout: float) -> None:
        self._configuration = configuration
        try:
            pool = RESTClientObject(configuration).pool_manager
        except ValueError:
            raise ReadError("unconfigured", "the address of its proxy is not valid") from None
        deadline = Deadline(timeout)
        self._http = HttpClient(pool, configuration.host, deadline, max_parts=_MAX_PARTS)
        self.clock: datetime | None = None

    def get(self, path: str) -> Mapping[str, Any]:
        return self._request("GET", path, expected=(200,)).tree

    def post(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """Send a review. It changes nothing on the server."""
        return self._request("POST", path, expected=(201,), body=json.dumps(body).encode()).tree

    def write(
        self, method: str, path: str, body: Mapping[str, object], content_type: str = _JSON
    ) -> Mapping[str, Any]:
        """Create or change an object, in one attempt. ReadError `conflict` if it has changed."""
        return self._http.request(
            method,
            path,
            self._headers(metadata=False, sends=True) | {"Content-Type": content_type},
            partial(self._page, expected=(200, 201), metadata=False),
            body=json.dumps(body).encode(),
            retry=False,
        ).tree

    def items(self, path: str, *, metadata: bool = False, **query: str) -> Iterator[object]:
        """The objects of a list, page by page, with `metadata` only their metadata.

        If a list expires while it is read, the server offers a token to continue. Each object that
        exists all the time is returned once.
        """
        token = ""
        while True:
            asked = {"limit": str(_PAGE), **query, **({"continue": token} if token else {})}
            target = f"{path}?{urlencode(asked)}"
            page = self._request("GET", target, expected=(200, 410), metadata=metadata)
            if page.status == 200 and not text(page.tree, "kind").endswith("List"):
                raise ReadError("unreadable", "its answer is not a list")
            yield from each(page.tree, "items")
            token = _token(page.tree)
            if not token:
                break
        if page.status != 200:
            raise _refusal(page.status)

    def _request(
        self,
        method: str,
        target: str,
        *,
        expected: tuple[int, ...],
        metadata: bool = False,
        body: bytes | None = None,
    ) -> _Page:
        return self._http.request(
            method,
            target,
            self._headers(metadata=metadata, sends=body is not None),
            partial(self._page, expected=expected, metadata=metadata),
            body=body,
            starts_with=_IS_METADATA if metadata else None,
        )

    def _page(self, response: Response, *, expected: tuple[int, ...], metadata: bool) -> _Page:
        self.clock = server_time(response.headers)
        if response.status not in expected:
            raise _refusal(response.status)
        try:
            hook = _without_last_applied if metadata else _without_values
            tree = json.loads(response.body, object_hook=hook)
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise ReadError("unreadable", "its answer is not JSON: is it an API server?")
        return _Page(status=response.status, tree=tree)

    def _headers(self, *, metadata: bool, sends: bool) -> dict[str, str]:
        try:
            bearer = self._configuration.auth_settings().get("BearerToken")
        except ConfigException:
            raise ReadError("unreachable", "its credentials cannot be renewed") from None
        key = bearer["value"] if bearer else None
        return {
            "Accept": _METADATA if metadata else "application/json",
            "User-Agent": "keywatch",
            **({"Authorization": key.strip()} if key else {}),
            **({"Content-Type": "application/json"} if sends else {}),
        }


def _without_last_applied(found: dict[str, Any]) -> dict[str, Any]:
    """A JSON object without the manifest that kubectl stores in an annotation."""
    if LAST_APPLIED in found:
        manifest = str(found[LAST_APPLIED])
        has_values = '"data":' in manifest or '"stringData":' in manifest
        found[LAST_APPLIED] = HAD_VALUES if has_values else ""
    return found


def _without_values(found: dict[str, Any]) -> dict[str, Any]:
    for key in found.keys() & _MAY_HOLD_VALUES:
        found[key] = None
    return _without_last_applied(found)


def _token(tree: object) -> str:
    """The token for the next page of a list, "" on the last one."""
    found = at(tree, "metadata", "continue") or ""
    if isinstance(found, str) and found.isascii():
        return found
    raise ReadError("unreadable", "its list has more pages, but no valid token for the next one")


def _refusal(status: int) -> ReadError:
    kind, reason = _STATUS.get(status, ("unreadable", "it fails, or is not an API server"))
    return ReadError(
        kind, f"HTTP {status}: {reason}", status=status, temporary=status in TEMPORARY_STATUSES
    )
