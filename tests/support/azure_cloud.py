"""Azure on this machine: a proxy that answers in place of the vaults and of the login.

The SDK is real, and so are the addresses that it asks: it is told of the proxy by HTTPS_PROXY, as
users' tools are, and of the authority by `ca`. So its checks of the challenge stay on.

Shapes are those that Microsoft published or that were recorded against Azure, as of November 2026:
- lists, versions, policies: the examples of API version 7.5 in Azure/azure-rest-api-specs, under
  data-plane/Microsoft.KeyVault/stable/7.5/examples, at commit 406a1f3 (GetKeys: 0e783e4,
  GetCertificates: 114077a).
- the challenge, `managed`, a page without items before others: Azure/azure-sdk-for-js at 11f6af9,
  keyvault-secrets/recordings, "list_secrets_in_various_ways", recorded on 31 January 2020.
- 403 and its `innererror`: ForbiddenByRbac in piyushsachdeva/Terraform_AKS issue 2 (30 January
  2024), AccessDenied in turbot/steampipe-plugin-azure issue 127 (12 May 2021), ForbiddenByFirewall
  in hashicorp/terraform-provider-azurerm issue 20742 (2 March 2023), ForbiddenByConnection in
  microsoft/multimodal-ai issue 171 (31 January 2025).
- 429: Microsoft Learn, "Azure Key Vault throttling guidance", 2 December 2019: the status alone.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import trustme

from scanner.inventory.interface import Settings
from tests.support.helpers import alone

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
NOW = datetime(2025, 6, 15, 12, 0, tzinfo=UTC)
TOKEN = "eyJ" + "tok" * 12
SECRET = "made-up" * 3
LOGIN = "login.microsoftonline.com"
IMDS = "169.254.169.254"
"""Where a machine of Azure learns who it is."""
PAGE = 2
"""Items on a page: 25 on Azure's."""
_ALLOWED = re.compile(
    r"GET /(secrets|keys|certificates)(/[^/]+/versions)?"
    r"|GET /keys/[^/]+/rotationpolicy"
    r"|GET /certificates/[^/]+/policy"
)
"""All that may be asked of a vault: `GET /secrets/NAME/` is a value."""


class Answer(NamedTuple):
    status: int
    body: str
    headers: Mapping[str, str] = {}


class Asked(NamedTuple):
    host: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: str


MANAGER = "management.azure.com"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def version(created: datetime, **attributes: Any) -> Mapping[str, Any]:
    """The attributes of a version, or of a secret, in whole seconds."""
    epoch = int(created.timestamp())
    return {"enabled": True, "created": epoch, "updated": epoch, **attributes}


def said(answer: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, json.dumps(answer))


def refused(status: int, code: str, inner: str = "", **headers: str) -> Answer:
    error: dict[str, Any] = {"code": code, "message": f"Caller is not authorized. {TOKEN}"}
    if inner:
        error["innererror"] = {"code": inner}
    return Answer(status, json.dumps({"error": error}), headers)


class Azure:
    """Vaults by their names: kind -> name -> versions, and what else is said of a name.

    `answers` go first: by the path of a vault, or by the host alone.
    """

    def __init__(self, proxy: str, ca: Path) -> None:
        self.proxy = proxy
        self.ca = ca
        self.vaults: dict[str, dict[str, dict[str, Sequence[Mapping[str, Any]]]]] = {}
        self.more: dict[str, Mapping[str, Any]] = {}
        self.answers: dict[str, Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []

    def settings(self, timeout: float = 30, **options: Any) -> Settings:
        login = {"tenant_id": TENANT, "client_id": "auditor", "client_secret": SECRET}
        return Settings(
            name="prod",
            kind="azure",
            options={
                "vaults": ["https://kv-prod.vault.azure.net"],
                "auth": {"method": "service-principal", **login},
                "ca": str(self.ca),
                **options,
            },
            timeout=timeout,
            environ={},
            clock=datetime.now(UTC),
        )

    @property
    def login(self) -> str:
        """What was sent to get a token."""
        (body,) = (one.body for one in self.asked if one.path.endswith("/token"))
        return body

    def holds(self, kind: str, name: str, *versions: Mapping[str, Any], **more: Any) -> None:
        self.vaults.setdefault("kv-prod", {}).setdefault(kind, {})[name] = versions
        self.more[f"{kind}/{name}"] = more

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        own = self.answers.get(asked.path) or self.answers.get(asked.host)
        if asked.host == IMDS:
            return said({"access_token": TOKEN, "expires_in": "3599", "token_type": "Bearer"})
        if asked.host == LOGIN:
            return own(asked) if own else _login(asked)
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _challenge()
        return own(asked) if own else self._vault(asked)

    def _vault(self, asked: Asked) -> Answer:
        vault = self.vaults.get(asked.host.partition(".")[0], {})
        kind, *rest = asked.path.strip("/").split("/")
        held = vault.get(kind, {})
        if not rest:
            return self._page(asked, [self._item(asked, name, held) for name in held])
        name, what = rest
        if name not in held:
            return refused(404, f"{kind}NotFound")
        if what == "versions":
            each = enumerate(held[name])
            return self._page(asked, [_entry(asked, f"{name}/{n:032x}", one) for n, one in each])
        return said(self.more[f"{kind}/{name}"].get(what, POLICIES[kind]))

    def _item(
        self, asked: Asked, name: str, held: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> Mapping[str, Any]:
        kind = asked.path.strip("/")
        more = self.more[f"{kind}/{name}"]
        entry = {"tags": more.get("tags"), "managed": more.get("managed")}
        latest = held[name][-1] if held[name] else {}
        return {**_entry(asked, name, latest), **{k: v for k, v in entry.items() if v}}

    def _page(self, asked: Asked, items: Sequence[Mapping[str, Any]]) -> Answer:
        """The first page of a list of several is empty, as it may be on Azure's."""
        start = int(asked.query.get("$skiptoken", ["0"])[0])
        empty_first = len(items) > PAGE and start == 0
        end = 1 if empty_first else max(start - 1, 0) + PAGE
        page = [] if empty_first else items[max(start - 1, 0) : end]
        link = f"https://{asked.host}:443{asked.path}?api-version=7.2&$skiptoken="
        following = 1 if empty_first else end + 1
        more = empty_first or end < len(items)
        return said({"value": page, "nextLink": f"{link}{following}" if more else None})


POLICIES: Mapping[str, Mapping[str, Any]] = {
    "keys": {
        "id": "https://kv-prod.vault.azure.net/keys/key01/rotationpolicy",
        "lifetimeActions": [
            {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}},
        ],
        "attributes": {"expiryTime": None, "created": 1482188947, "updated": 1482188948},
    },
    "certificates": {
        "id": "https://kv-prod.vault.azure.net/certificates/updateCert01/policy",
        "key_props": {"exportable": True, "kty": "RSA", "key_size": 2048, "reuse_key": False},
        "secret_props": {"contentType": "application/x-pkcs12"},
        "x509_props": {"subject": "CN=KeyVaultTest", "validity_months": 297},
        "lifetime_actions": [
            {
                "trigger": {"lifetime_percentage": 80},
                "action": {"action_type": "EmailContacts"},
            }
        ],
        "issuer": {"name": "Unknown"},
        "attributes": {"enabled": True, "created": 1482188947, "updated": 1482188947},
    },
}


def _entry(asked: Asked, name: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = asked.path.strip("/").partition("/")[0]
    field = "kid" if kind == "keys" else "id"
    return {field: f"https://{asked.host}/{kind}/{name}", "attributes": attributes}


def _challenge() -> Answer:
    where = f'authorization="https://login.windows.net/{TENANT}"'
    header = f'Bearer {where}, resource="https://vault.azure.net"'
    message = "AKV10000: Request is missing a Bearer or PoP token."
    error = {"error": {"code": "Unauthorized", "message": message}}
    return Answer(401, json.dumps(error), {"WWW-Authenticate": header})


def _login(asked: Asked) -> Answer:
    if asked.path.endswith("/discovery/instance"):
        names = ["login.microsoftonline.com", "login.windows.net"]
        alias = {"preferred_network": LOGIN, "preferred_cache": names[1], "aliases": names}
        place = f"https://{LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration"
        return said({"tenant_discovery_endpoint": place, "metadata": [alias]})
    if asked.path.endswith("openid-configuration"):
        base = f"https://{LOGIN}/{TENANT}"
        endpoints = {
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "issuer": f"{base}/v2.0",
        }
        return said(endpoints)
    (scope,) = parse_qs(asked.body)["scope"]
    assert scope in {f"https://{host}/.default" for host in ("vault.azure.net", MANAGER)}
    return said({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN})


class _Proxy(BaseHTTPRequestHandler):
    """Ends the tunnel itself, and answers in it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits for 40 ms
    server: _Server

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        if host.endswith(".invalid"):
            self.send_error(502)
            return
        self.send_response_only(200)
        self.end_headers()
        self.connection = self.server.context(host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        url = urlsplit(self.path)
        asked = Asked(
            host=self.headers["Host"].partition(":")[0],
            method=self.command,
            path=unquote(url.path),
            query=parse_qs(url.query),
            headers=dict(self.headers),
            body=self.rfile.read(size).decode(),
        )
        answer = self.server.azure.answer(asked)
        body = answer.body.encode()
        self.send_response(answer.status)
        kind = "application/json; charset=utf-8" if body[:1] in b"{[" else "text/html"
        for name, value in {"Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - http.server asks for this name

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    azure: Azure

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.authority = trustme.CA()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = self._contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert(host).configure_cert(context)
        return self._contexts[host]

    def handle_error(self, *_arguments: object) -> None:
        """A client that trusts nobody here, or that waited for too long, hangs up."""


@contextmanager
def serving(folder: Path) -> Iterator[Azure]:
    with _Server() as server:
        ca = folder / "azure.pem"
        server.authority.cert_pem.write_to_path(str(ca))
        server.azure = Azure(f"http://127.0.0.1:{server.server_port}", ca)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.azure
        server.shutdown()
        thread.join()


@contextmanager
def watched(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """Empty vaults. In the end: was nothing asked of them but what may be?"""
    alone(monkeypatch, "AZURE_")
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, azure.proxy)
    for kept in (azure.vaults, azure.more, azure.answers, azure.asked):
        kept.clear()
    yield azure
    of_vaults = [asked for asked in azure.asked if asked.host not in (LOGIN, IMDS)]
    assert all(_ALLOWED.fullmatch(f"{one.method} {one.path}") for one in of_vaults)
