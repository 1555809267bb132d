"""Inventory: log in to Azure, and create clients of Key Vault with a deadline."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    ContentDecodePolicy,
    ProxyPolicy,
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

_TIMEOUT = 10  # seconds for a connection, and for an answer
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
    # They would print the texts of servers on standard error.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Vault(NamedTuple):
    """The clients of one vault."""

    secrets: SecretClient
    keys: KeyClient
    certificates: CertificateClient


class Clients:
    """Creates the clients of vaults, with one deadline for everything. Sends nothing itself."""

    def __init__(
        self,
        settings: Settings,
        *,
        writes: bool = False,
        answered: Callable[[Mapping[str, str]], None] = lambda _headers: None,
    ) -> None:
        """`writes`: no request is sent twice, and an answer may be a key, which has no ID.

        `answered` gets the headers of each answer of a vault.
        """
        self._answered = answered
        self._writes = writes
        self._auth: Mapping[str, Any] = settings.options.get("auth", {"method": "default"})
        self._deadline = Deadline(settings.timeout)
        timeout = min(_TIMEOUT, settings.timeout)
        self._transport: Mapping[str, Any] = {
            "connection_timeout": timeout,
            "read_timeout": timeout,
            "connection_verify": settings.options.get("ca", True),
            **_by_proxy(settings.options.get("proxy")),
        }
        self._credential = functools.cache(self._log_in)

    def vault(self, url: str) -> Vault:
        """The clients of a vault. ValueError or OSError if the configured login cannot be used."""
        cloud = url.rstrip("/").rpartition(".vault.")[2]
        more = {
            "credential": self._credential(_AUTHORITIES[cloud]),
            "retry_policy": _DeadlineRetryPolicy(
                self._deadline, urlsplit(url).hostname or "", 0 if self._writes else _RETRIES
            ),
            "permit_redirects": False,
            "per_call_policies": [] if self._writes else [_CheckedAnswers(self._answered)],
            **self._transport,
        }
        return Vault(
            secrets=SecretClient(url, **more),
            keys=KeyClient(url, **more),
            certificates=CertificateClient(url, **more),
        )

    def manager(self, url: str) -> PipelineClient[Any, Any]:
        """The client of Azure Resource Manager in the cloud of this vault. ValueError or OSError
        if the configured login cannot be used."""
        cloud = url.rstrip("/").rpartition(".vault.")[2]
        host = _MANAGERS[cloud]
        credential = self._credential(_AUTHORITIES[cloud])
        policies = [
            _DeadlineRetryPolicy(self._deadline, host),
            BearerTokenCredentialPolicy(credential, f"https://{host}/.default"),
            ContentDecodePolicy(),
            ProxyPolicy(proxies=self._transport.get("proxies")),
        ]
        transport = RequestsTransport(**self._transport)
        return PipelineClient(f"https://{host}", policies=policies, transport=transport)

    def _log_in(self, authority: str) -> TokenCredential:
        return _SharedCredential(self._credential_for({"authority": authority, **self._transport}))

    def _credential_for(self, more: Mapping[str, Any]) -> TokenCredential:
        """The configured login. Managed identities retry by themselves, for at most a minute."""
        with_deadline = {
            "retry_policy_class": functools.partial(_DeadlineRetryPolicy, self._deadline),
            **more,
        }
        named = {
            name: self._auth[name] for name in ("tenant_id", "client_id") if name in self._auth
        }
        match self._auth["method"]:
            case "managed-identity":
                return ManagedIdentityCredential(
                    client_id=self._auth.get("client_id"), **self._transport
                )
            case "workload-identity":
                return WorkloadIdentityCredential(**named, **with_deadline)
            case "service-principal" if "certificate" in self._auth:
                path = self._auth["certificate"]
                return CertificateCredential(certificate_path=path, **named, **with_deadline)
            case "service-principal":
                secret = self._auth["client_secret"]
                return ClientSecretCredential(client_secret=secret, **named, **with_deadline)
            case _:
                return DefaultAzureCredential(**more)


def _by_proxy(proxy: str | None) -> Mapping[str, Any]:
    """Only for https: the endpoint of a managed identity is on this machine and uses http."""
    return {"proxies": {"https": proxy}} if proxy else {}


class _SharedCredential:
    """A credential that logs in only once, even if several threads ask at the same time."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        with self._lock:
            return self._credential.get_token(*scopes, **more)


class _DeadlineRetryPolicy(RetryPolicy[Any, Any]):
    """Sends nothing after the deadline and does not wait beyond it.

    If `host` is not "", it sends requests only to that host, even for the link to the next page.
    """

    def __init__(
        self, deadline: Deadline, host: str = "", retries: int = _RETRIES, **_settings: object
    ) -> None:
        super().__init__(retry_total=retries, retry_status=retries)
        self._deadline = deadline
        self._host = host

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self._deadline.left()
        if self._host not in ("", urlsplit(request.http_request.url).hostname):
            raise ValueError
        return super().send(request)

    def increment(
        self, settings: dict[str, Any], response: Any = None, error: Exception | None = None
    ) -> bool:
        again = super().increment(settings, response, error)
        pause = None if error else self.get_retry_after(response)
        return again and self._deadline.allows(pause or self.get_backoff_time(settings))


class _CheckedAnswers(SansIOHTTPPolicy[Any, Any]):
    """Raises ValueError for JSON that does not come from Key Vault.

    The SDK would treat an answer without `value` as an empty list. `answered` gets the headers.
    """

    def __init__(self, answered: Callable[[Mapping[str, str]], None]) -> None:
        super().__init__()
        self._answered = answered

    def on_response(self, request: Any, response: PipelineResponse[Any, Any]) -> None:  # noqa: ARG002
        self._answered(response.http_response.headers)
        data = response.context.get(ContentDecodePolicy.CONTEXT_NAME)
        is_valid = isinstance(data, Mapping) and ("value" in data or "id" in data)
        if response.http_response.status_code == 200 and not is_valid:
            raise ValueError
