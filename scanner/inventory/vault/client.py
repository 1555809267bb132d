"""Inventory: hvac's calls, over a pooled wire, and what Vault's refusals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import hvac
from hvac.adapters import Adapter

from scanner.inventory.vault.errors import Trouble, cut
from scanner.inventory.vault.http import Answer, Wire, words_of

Answered: TypeAlias = Mapping[str, Any]
if TYPE_CHECKING:
    _Adapter = Adapter[Answered]
else:
    _Adapter = Adapter  # generic for its types alone

_CAPABILITIES = {"get": "read", "list": "list", "post": "update"}
# A path that is denied is one of a list of errors; a token that is refused is the only one.
_BAD_TOKEN = ("invalid token", "bad token")
_PLAIN = "permission denied"


class Pooled(_Adapter):
    """What hvac sends through, in place of its own adapter on requests: that one takes twice the
    time, follows redirects, and reads proxies and passwords from the environment."""

    def __init__(self, *, wire: Wire, **settings: Any) -> None:
        super().__init__(**settings)
        self._wire = wire
        said = {"X-Vault-Token": self.token, "X-Vault-Namespace": self.namespace}
        self._headers = {name: value for name, value in said.items() if value}
        self._headers["X-Vault-Request"] = "true"

    def request(self, method: str, url: str, *_args: object, **body: Any) -> Answered:
        """The JSON that is answered. Trouble where that is a refusal."""
        listing = method == "list"  # a method that proxies may not know
        answer = self._wire.send(
            "GET" if listing else method.upper(),
            f"{url}?list=true" if listing else url,
            self._headers,
            json.dumps(body["json"]).encode() if "json" in body else None,
        )
        if 200 <= answer.status < 300:
            return answer.data
        path = unquote(url.removeprefix("/v1/").partition("?")[0]).strip("/")
        place = f"{self.namespace}/{path}" if self.namespace else path
        raise _refused(answer, f"{_CAPABILITIES[method]} on {cut(place)}")

    def get_login_token(self, response: Answered) -> str:
        return str(response["auth"]["client_token"])


def connected(wire: Wire, token: str = "", namespace: str = "") -> hvac.Client:
    """A client for one namespace, "" for the root. The wire knows the address."""
    return hvac.Client(
        url="-", token=token, verify=True, namespace=namespace, adapter=Pooled, wire=wire
    )


def _refused(answer: Answer, asked: str) -> Trouble:
    words = words_of(answer.data)
    kind, reason = "refused", f"{asked}: refused with {answer.status}"
    if answer.status == 403:
        kind, reason = "denied", f"{asked}: denied"
        if words == _PLAIN or any(one in words for one in _BAD_TOKEN):
            kind, reason = "token", "the token is not accepted: it is wrong, expired or revoked"
    elif answer.status == 404 and answer.data.keys() & {"errors", "request_id"}:  # Vault's own
        kind, reason = "absent", f"{asked}: there is none"
    return Trouble(kind, reason, status=answer.status, words=words)
