"""Keep the state of alerts in a ConfigMap of the cluster that the job runs in.

It uses the service account of the pod. The ConfigMap must exist, so that the role needs only `get`
and `update` on this one name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from scanner.alert import state
from scanner.alert.state import State
from scanner.errors import ConfigError, OutputError, UsageError
from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_KEY = "alerts.json"
_SECONDS = 30
_MAX_PARTS = 200_000


class ConfigMap:
    """The ConfigMap `namespace/name`. `load` must come before `save`.

    A version number of the API server makes sure that no other run has changed it in between.
    """

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self._namespace, _, self._name = name.partition("/")
        self._environ = environ
        self._object: dict[str, Any] = {}

    def load(self) -> State:
        """ConfigError if the state is damaged, UsageError if it cannot be read."""
        try:
            self._object = self._request("GET", None)
        except ReadError as error:
            raise UsageError(
                f"the ConfigMap {self._namespace}/{self._name} cannot be read",
                why=error.reason,
                todo="create it, and let the job get and update it (deploy/README.md)",
            ) from None
        text = (self._object.get("data") or {}).get(_KEY)
        if not text:
            return {}
        try:
            return state.from_json(json.loads(text))
        except (ValueError, RecursionError):
            self._object["data"][f"{_KEY}.damaged"] = text  # the next save keeps it
            raise ConfigError("the state of alerts in the ConfigMap is damaged") from None

    def save(self, new: State) -> None:
        """OutputError if it cannot be written, or was changed since it was loaded."""
        data = {**(self._object.get("data") or {}), _KEY: state.text(new).decode()}
        try:
            self._object = self._request("PUT", {**self._object, "data": data})
        except ReadError as error:
            raise OutputError(
                f"the ConfigMap {self._namespace}/{self._name} could not be written",
                why=error.reason,
                todo="run again; until then, alerts may be sent twice",
            ) from None

    def _request(self, method: str, body: dict[str, Any] | None) -> dict[str, Any]:
        from urllib3 import PoolManager

        from scanner.inventory.http import HttpClient, Response

        def read(response: Response) -> dict[str, Any]:
            if response.status != 200:
                reason = f"the API server answered {response.status}"
                raise ReadError("refused", reason, temporary=response.status >= 500)
            try:
                found = json.loads(response.body)
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict) or found.get("kind") != "ConfigMap":
                raise ReadError("unreadable", "the API server did not answer with a ConfigMap")
            return found

        address, token, authority = self._account()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with PoolManager(ca_certs=authority) as pool:
            client = HttpClient(pool, address, Deadline(_SECONDS), max_parts=_MAX_PARTS)
            target = f"/api/v1/namespaces/{self._namespace}/configmaps/{self._name}"
            sent = json.dumps(body).encode() if body else None
            return client.request(method, target, headers, read, body=sent)

    def _account(self) -> tuple[str, str, str]:
        """Address, token and CA file of the pod. UsageError outside of a cluster."""
        host = self._environ.get("KUBERNETES_SERVICE_HOST", "")
        port = self._environ.get("KUBERNETES_SERVICE_PORT", "443")
        try:
            with open(os.path.join(ACCOUNT, "token"), encoding="ascii") as file:
                token = file.read().strip()
        except (OSError, UnicodeError):
            token = ""
        if not host or not token:
            raise UsageError(
                "alerts.state names a ConfigMap, but this is not a pod with a service account",
                todo="use a file outside of a cluster",
            )
        host = f"[{host}]" if ":" in host else host
        return f"https://{host}:{port}", token, os.path.join(ACCOUNT, "ca.crt")
