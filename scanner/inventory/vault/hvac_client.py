"""Inventory: hvac's calls, sent through keywatch's HTTP client, and what Vault's refusals mean.

hvac knows the paths and parameters of login methods and system calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import hvac
from hvac.adapters import Adapter

from scanner.inventory.errors import ReadError, shortened
from scanner.inventory.vault.api import Answer, VaultApi, server_text

Answered: TypeAlias = Mapping[str, Any]
if TYPE_CHECKING:
    _Adapter = Adapter[Answered]
else:
    _Adapter = Adapter  # it is generic only in its type stubs

_CAPABILITIES = {"get": "read", "list": "list", "post": "update"}
# For a denied path, the error is one in a list. For a refused token, it is the only one.
_BAD_TOKEN = ("invalid token", "bad token")
_ONLY_DENIED = "permission denied"


class PooledAdapter(_Adapter):
    """Sends what hvac asks for.

    hvac's own adapter takes twice the time, follows redirects, and reads proxies and passwords from
    the environment.
    """

    def __init__(self, *, api: VaultApi, **settings: Any) -> None:
        super().__init__(**settings)
        self._api = api
        given = {"X-Vault-Token": self.token, "X-Vault-Namespace": self.namespace}
        self._headers = {name: value for name, value in given.items() if value}
        self._headers["X-Vault-Request"] = "true"

    def request(self, method: str, url: str, *_args: object, **body: Any) -> Answered:
        """The JSON of the answer. ReadError if Vault refuses."""
        is_list = method == "list"  # proxies may not know the method LIST
        answer = self._api.send(
            "GET" if is_list else method.upper(),
            f"{url}?list=true" if is_list else url,
            self._headers,
            json.dumps(body["json"]).encode() if "json" in body else None,
        )
        if 200 <= answer.status < 300:
            return answer.data
        path = unquote(url.removeprefix("/v1/").partition("?")[0]).strip("/")
        full_path = f"{self.namespace}/{path}" if self.namespace else path
        raise _refusal(answer, f"{_CAPABILITIES[method]} on {shortened(full_path)}")

    def get_login_token(self, response: Answered) -> str:
        return str(response["auth"]["client_token"])


def hvac_client(api: VaultApi, token: str = "", namespace: str = "") -> hvac.Client:
    """A client for one namespace, "" for the root. `api` knows the address."""
    return hvac.Client(
        url="-", token=token, verify=True, namespace=namespace, adapter=PooledAdapter, api=api
    )


def _refusal(answer: Answer, request: str) -> ReadError:
    text = server_text(answer.data)
    kind, reason = "refused", f"{request}: refused with {answer.status}"
    if answer.status == 403:
        kind, reason = "denied", f"{request}: denied"
        if text == _ONLY_DENIED or any(bad in text for bad in _BAD_TOKEN):
            kind, reason = "token", "the token is not accepted: it is wrong, expired or revoked"
    elif answer.status == 404 and answer.data.keys() & {"errors", "request_id"}:  # Vault's own
        kind, reason = "absent", f"{request}: it does not exist"
    return ReadError(kind, reason, status=answer.status, server_text=text)
