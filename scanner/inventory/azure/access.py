"""Inventory: credentials and clients of Azure Key Vault that keep the deadline."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    ContentDecodePolicy,
    RetryPolicy,
    SansIOHTTPPolicy,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

from scanner.inventory.deadline import Deadline
from scanner.inventory.interface import Settings

_PATIENCE = 10  # seconds for a connection, and for an answer
_RETRIES = 5  # after 0, 1.6, 3.2, 6.4 and 12.8 seconds, as Microsoft advises
_AUTHORITIES: Mapping[str, str] = {
    "azure.net": "login.microsoftonline.com",
    "azure.cn": "login.chinacloudapi.cn",
    "usgovcloudapi.net": "login.microsoftonline.us",
}
_MANAGERS: Mapping[str, str] = {
    "azure.net": "management.azure.com",
    "azure.cn": "management.chinacloudapi.cn",
    "usgovcloudapi.net": "management.usgovcloudapi.net",
}
for _name in ("azure", "msal"):
    # What they would write on standard error is what servers say.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Vault(NamedTuple):
    """The clients of one vault."""

    secrets: SecretClient
    keys: KeyClient
    certificates: CertificateClient


class Access:
    """Opens vaults, all under one deadline. Nothing is sent by it."""

    def __init__(self, settings: Settings) -> None:
        self._auth: Mapping[str, Any] = settings.options.get("auth", {"method": "default"})
        self._deadline = Deadline(settings.timeout)
        patience = min(_PATIENCE, settings.timeout)
        self._transport: Mapping[str, Any] = {
            "connection_timeout": patience,
            "read_timeout": patience,
            "connection_verify": settings.options.get("ca", True),
            **_by_proxy(settings.options.get("proxy")),
        }
        self._credential = functools.cache(self._logged_in)

    def vault(self, url: str) -> Vault:
        """ValueError or OSError where the means to log in cannot be used."""
        cloud = url.rstrip("/").rpartition(".vault.")[2]
        more = {
            "credential": self._credential(_AUTHORITIES[cloud]),
            "retry_policy": _Patience(self._deadline, urlsplit(url).hostname or ""),
            "permit_redirects": False,
            "per_call_policies": [_Whole()],
            **self._transport,
        }
        return Vault(
            secrets=SecretClient(url, **more),
            keys=KeyClient(url, **more),
            certificates=CertificateClient(url, **more),
        )

    def manager(self, url: str) -> PipelineClient[Any, Any]:
        """The client of Azure Resource Manager in the cloud of this vault. ValueError or OSError
        where the means to log in cannot be used."""
        cloud = url.rstrip("/").rpartition(".vault.")[2]
        host = _MANAGERS[cloud]
        credential = self._credential(_AUTHORITIES[cloud])
        policies = [
            _Patience(self._deadline, host),
            BearerTokenCredentialPolicy(credential, f"https://{host}/.default"),
            ContentDecodePolicy(),
        ]
        transport = RequestsTransport(**self._transport)
        return PipelineClient(f"https://{host}", policies=policies, transport=transport)

    def _logged_in(self, authority: str) -> TokenCredential:
        return _InTurn(self._credential_for({"authority": authority, **self._transport}))

    def _credential_for(self, more: Mapping[str, Any]) -> TokenCredential:
        """Managed identities bring a way to try again of their own, which ends within a minute."""
        patient = {"retry_policy_class": functools.partial(_Patience, self._deadline), **more}
        named = {
            name: self._auth[name] for name in ("tenant_id", "client_id") if name in self._auth
        }
        match self._auth["method"]:
            case "managed-identity":
                return ManagedIdentityCredential(
                    client_id=self._auth.get("client_id"), **self._transport
                )
            case "workload-identity":
                return WorkloadIdentityCredential(**named, **patient)
            case "service-principal" if "certificate" in self._auth:
                path = self._auth["certificate"]
                return CertificateCredential(certificate_path=path, **named, **patient)
            case "service-principal":
                secret = self._auth["client_secret"]
                return ClientSecretCredential(client_secret=secret, **named, **patient)
            case _:
                return DefaultAzureCredential(**more)


def _by_proxy(proxy: str | None) -> Mapping[str, Any]:
    """A managed identity is asked at the machine itself, by plain http."""
    return {"proxies": {"https": proxy}} if proxy else {}


class _InTurn:
    """A credential that logs in once, however many ask it at the same time."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        with self._lock:
            return self._credential.get_token(*scopes, **more)


class _Patience(RetryPolicy[Any, Any]):
    """Sends nothing once the deadline has passed, waits for nothing beyond it, and asks nobody but
    `host`, wherever the link to a next page leads ("": anybody)."""

    def __init__(self, deadline: Deadline, host: str = "", **_settings: object) -> None:
        super().__init__(retry_total=_RETRIES, retry_status=_RETRIES)
        self._deadline = deadline
        self._host = host

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self._deadline.demand()
        if self._host not in ("", urlsplit(request.http_request.url).hostname):
            raise ValueError
        return super().send(request)

    def increment(
        self, settings: dict[str, Any], response: Any = None, error: Exception | None = None
    ) -> bool:
        again = super().increment(settings, response, error)
        said = None if error else self.get_retry_after(response)
        return again and self._deadline.allows(said or self.get_backoff_time(settings))


class _Whole(SansIOHTTPPolicy[Any, Any]):
    """ValueError for an answer in JSON that is none of Key Vault's: the SDK reads one without
    `value` as an empty list."""

    def on_response(self, request: Any, response: PipelineResponse[Any, Any]) -> None:  # noqa: ARG002
        said = response.context.get(ContentDecodePolicy.CONTEXT_NAME)
        is_one = isinstance(said, Mapping) and ("value" in said or "id" in said)
        if response.http_response.status_code == 200 and not is_one:
            raise ValueError
