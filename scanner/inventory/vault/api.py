"""Inventory: requests to Vault's HTTP API, and to GitHub for the token of a job."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import urllib3

from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError, shortened
from scanner.inventory.http import TEMPORARY_STATUSES, HttpClient, Response

_MAX_PARTS = 500_000


class Answer(NamedTuple):
    """A response whose body is a JSON object; `data` is {} for an empty body."""

    status: int
    headers: Mapping[str, str]
    data: Mapping[str, Any]


class VaultApi:
    """One server. `tls` is None for http.

    All requests together may take `seconds`, counted from now. `server_name` is the name in the
    server's certificate, if it is not the host in the address.
    """

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
            base = urlsplit(address).path.rstrip("/")
            # A PoolManager would remove `..` from paths, but names of secrets may contain it.
            pool = urllib3.connection_from_url(address, maxsize=connections, **secured)
        except ValueError:
            raise ReadError("unreachable", "its address is not valid") from None
        self._http = HttpClient(pool, base, Deadline(seconds), max_parts=_MAX_PARTS)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        retry: bool = True,
    ) -> Answer:
        """The answer, whatever its status. ReadError if there is none, or only temporary ones.

        Without `retry` there is one attempt.
        """
        return self._http.request(method, target, headers, _answer, body=body, retry=retry)


def server_text(data: Mapping[str, Any]) -> str:
    """What Vault says about a failure, in one line. It is hostile and may repeat the request."""
    errors = data.get("errors")
    return " ".join(" ".join(map(str, errors)).split()) if isinstance(errors, list) else ""


def _answer(response: Response) -> Answer:
    data = _object(response.body)
    is_health_report = "initialized" in (data or {})
    if response.status in TEMPORARY_STATUSES and not is_health_report:
        raise _temporary(response.status, server_text(data or {}))
    if data is None:
        kind = shortened(response.headers.get("Content-Type", "no content type"))
        raise ReadError(
            "not-vault",
            f"it answered {response.status} without a JSON object ({kind}): is this a proxy?",
            temporary=True,
        )
    return Answer(status=response.status, headers=response.headers, data=data)


def _temporary(status: int, text: str) -> ReadError:
    kind, reason = "failing", f"every attempt was answered with {status}"
    if status == 429:
        kind = "throttled"
    elif "sealed" in text:
        kind, reason = "sealed", "it was sealed while it was read"
    return ReadError(kind, reason, status=status, server_text=text, temporary=True)


def _object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in the body, None if it is something else."""
    try:
        data = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
