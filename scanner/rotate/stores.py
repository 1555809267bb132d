"""Connections to the stores with the identity that rotates. What a failed request means.

A request that reads may be repeated. A request that writes is sent once: if no answer comes, the
step that sent it is settled by reading back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from scanner.audit import backends
from scanner.inventory.errors import ReadError
from scanner.inventory.interface import Settings
from scanner.rotate.model import RefusedError, StepError, UnknownError

if TYPE_CHECKING:
    from scanner.inventory.azure.clients import Vault as AzureVault
    from scanner.inventory.kubernetes.api import KubernetesApi
    from scanner.inventory.vault.api import Answer

_PERMANENT = range(400, 500)
_RETRY = "run keywatch rotate resume when the store answers again"


class SecretId:
    """A canonical id, taken apart: `vault://prod/-/secret/app/key`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.scheme, _, path = text.partition("://")
        self.backend, *self.parts = path.split("/")

    @property
    def namespace(self) -> str:
        """The namespace of a Vault; "" for the root."""
        return "" if self.parts[0] == "-" else unquote(self.parts[0])

    @property
    def mount(self) -> str:
        return unquote(self.parts[1]).replace("%2F", "/")

    @property
    def below(self) -> str:
        return "/".join(self.parts[2:]).replace("%23", "#")


class VaultStore:
    """One namespace of a Vault, with a token that may rotate."""

    def __init__(self, settings: Settings, namespace: str) -> None:
        from scanner.inventory.vault import login
        from scanner.inventory.vault.api import VaultApi
        from scanner.inventory.vault.hvac_client import hvac_client
        from scanner.inventory.vault.options import home

        address = settings.options["address"]
        tls = settings.options.get("tls", {})
        try:
            context = login.tls_context(tls) if address.startswith("https:") else None
            self._api = VaultApi(
                address, settings.timeout, context, server_name=tls.get("server_name")
            )
            token = login.token(hvac_client(self._api, namespace=home(settings.options)), settings)
        except ReadError as error:
            raise _unreadable(settings.name, error) from None
        self._name = settings.name
        self._headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
        if namespace:
            self._headers["X-Vault-Namespace"] = namespace

    def read(self, path: str, query: str = "", **body: Any) -> Mapping[str, Any] | None:
        """The `data` of an answer; None if there is no such path. With a body, it is a look-up."""
        method = "POST" if body else "GET"
        answer = self._send(method, path, body, retry=True, query=query)
        if answer.status == 404:
            return None
        if answer.status not in range(200, 300):
            raise UnknownError(self._refusal(method, path, answer.status), _RETRY)
        data = answer.data.get("data")
        found: Mapping[str, Any] = data if isinstance(data, dict) else answer.data
        return found

    def names(self, path: str) -> list[str]:
        found = self.read(path, "?list=true")
        return [str(each) for each in (found or {}).get("keys", ())]

    def write(self, path: str, body: Mapping[str, Any], method: str = "POST") -> Mapping[str, Any]:
        """The whole answer. RefusedError if Vault refused, UnknownError if nothing is known."""
        answer = self._send(method, path, body, retry=False)
        if answer.status in range(200, 300):
            return answer.data
        if answer.status in _PERMANENT:
            raise RefusedError(self._refusal(method, path, answer.status), _advice(answer.status))
        raise UnknownError(self._refusal(method, path, answer.status), _RETRY)

    def accepts(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The answer to a login attempt; None if Vault says that the credential is wrong."""
        answer = self._send("POST", path, body, retry=False)
        if answer.status in range(200, 300):
            return answer.data
        if answer.status == 400:
            return None
        raise UnknownError(self._refusal("POST", path, answer.status), _advice(answer.status))

    def end_token(self, token: str) -> None:
        """Revoke a token that a login attempt gave."""
        self._send("POST", "auth/token/revoke-self", {}, retry=False, token=token)

    def clock(self) -> datetime | None:
        """The time of the server."""
        from scanner.inventory.http import server_time

        return server_time(self._send("GET", "sys/health", {}, retry=True).headers)

    def _send(  # noqa: PLR0913 - the parts of one request
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        retry: bool,
        query: str = "",
        token: str = "",
    ) -> Answer:
        headers = dict(self._headers)
        if token:
            headers["X-Vault-Token"] = token
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        data = json.dumps(body).encode() if body or method != "GET" else None
        try:
            return self._api.send(method, f"/v1/{quote(path)}{query}", headers, data, retry=retry)
        except ReadError as error:
            raise _unreadable(self._name, error) from None

    def _refusal(self, method: str, path: str, status: int) -> str:
        """Not the server's own words: they may repeat what they were sent."""
        return f"{self._name}: {method} {path} was answered with {status}"


def _unreadable(backend: str, error: ReadError) -> StepError:
    if error.kind in ("login", "token", "tls"):
        return RefusedError(f"{backend}: {error.reason}", "check its entry of `identities`")
    return UnknownError(f"{backend}: {error.reason}", _RETRY)


def _advice(status: int) -> str:
    if status in (401, 403):
        return "grant the rights that keywatch rotate plan prints, then run keywatch rotate resume"
    return "see docs/rotate.md, then run keywatch rotate resume"


class AwsStore:
    """The account of a backend in which the identity rotates. Each call is sent once."""

    def __init__(self, settings: Settings) -> None:
        from scanner.inventory.aws import errors
        from scanner.inventory.aws.accounts import Accounts

        self._errors = errors
        self._name = settings.name
        self._accounts = Accounts(settings, writes=True)
        options = settings.options.get("accounts", ({},))
        self._sessions: dict[str, Any] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}
        try:
            for option in options:
                account = self._accounts.log_in(option)
                self._sessions[account.path.rpartition("/")[2]] = account.session
        except errors.FAILURES as error:
            raise self._failed(error, "log in") from None
        self._home = str(settings.options["regions"][0])

    def call(self, place: SecretId, action: str, **arguments: Any) -> Any:
        """Call an action of the service that the id names.

        RefusedError if AWS refused it, UnknownError if nothing is known.
        """
        account, region, service = place.parts[0], place.parts[1], place.parts[2]
        return self.call_service(account, region, service, action, **arguments)

    def call_service(
        self, account: str, region: str, service: str, action: str, **arguments: Any
    ) -> Any:
        if account not in self._sessions:
            raise RefusedError(
                f"{self._name}: the identity that rotates does not log in to account {account}",
                "name a role of it under `identities`",
            )
        region = self._home if region == "global" else region
        where = (account, service, region)
        if where not in self._clients:
            session = self._sessions[account]
            self._clients[where] = self._accounts.client(session, service, region)
        try:
            return getattr(self._clients[where], action)(**arguments)
        except self._errors.FAILURES as error:
            raise self._failed(error, f"{service}:{action}") from None

    def key_works(self, region: str, key_id: str, secret: str) -> bool:
        """Does STS accept this access key?"""
        from scanner.inventory.aws.accounts import session_of

        client = self._accounts.client(session_of(key_id, secret), "sts", region or self._home)
        try:
            client.get_caller_identity()
        except self._errors.FAILURES as error:
            if _code(error) in ("InvalidClientTokenId", "SignatureDoesNotMatch", "AccessDenied"):
                return False
            raise self._failed(error, "sts:get_caller_identity") from None
        return True

    def _failed(self, error: Exception, action: str) -> StepError:
        status = _status(error)
        code = _code(error)
        what = f"{self._name}: {action} failed" + (f" ({code})" if code else "")
        if status in _PERMANENT and status != 429 and "Throttl" not in code:
            failure: StepError = RefusedError(what, _advice(403 if "Denied" in code else status))
        else:
            reason = self._errors.explain(error).reason
            failure = UnknownError(f"{what}: {reason}", _RETRY)
        failure.code = code
        return failure


def _status(error: Exception) -> int:
    answer = getattr(error, "response", None)
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
    return int(metadata.get("HTTPStatusCode", 0))


def _code(error: Exception) -> str:
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code", "") if isinstance(answer, dict) else ""
    return code if code.isalnum() and len(code) < 60 else ""


class AzureStore:
    """The vaults of a backend. Each call is sent once."""

    def __init__(self, settings: Settings) -> None:
        from scanner.inventory.azure import errors
        from scanner.inventory.azure.clients import Clients
        from scanner.inventory.azure.required_permissions import vault_name

        self._name = settings.name
        self._errors = errors
        clients = Clients(settings, writes=True)
        self._vaults = {vault_name(url): clients.vault(url) for url in settings.options["vaults"]}

    def call(self, place: SecretId, action: Callable[[AzureVault], Any]) -> Any:
        """What `action` gives for the vault of the id. RefusedError or UnknownError."""
        try:
            return action(self._vaults[place.parts[0]])
        except self._errors.FAILURES as error:
            status = getattr(error, "status_code", 0) or 0
            reason = f"{self._name}: {self._errors.explain(error).reason}"
            if status in _PERMANENT and status != 429:
                raise RefusedError(reason, _advice(status)) from None
            raise UnknownError(reason, _RETRY) from None


class Stores:
    """Connections by backend, opened when they are first needed.

    `settings` gives the settings of a backend with its rotating identity. UsageError if it has
    none.
    """

    def __init__(self, settings: Callable[[str], Settings]) -> None:
        self._settings = settings
        self._open: dict[tuple[str, str], Any] = {}

    def vault(self, place: SecretId) -> VaultStore:
        store: VaultStore = self._kept(
            place.backend, place.namespace, lambda s: VaultStore(s, place.namespace)
        )
        return store

    def aws(self, place: SecretId) -> AwsStore:
        store: AwsStore = self._kept(place.backend, "", AwsStore)
        return store

    def azure(self, place: SecretId) -> AzureStore:
        store: AzureStore = self._kept(place.backend, "", AzureStore)
        return store

    def kubernetes(self, place: SecretId) -> KubernetesApi:
        store: KubernetesApi = self._kept(place.backend, "", _kubernetes)
        return store

    def _kept(self, backend: str, part: str, make: Callable[[Settings], Any]) -> Any:
        if (backend, part) not in self._open:
            settings = self._settings(backend)
            try:
                self._open[backend, part] = make(settings)
            except ImportError as error:
                raise backends.not_installed(settings, error) from None
        return self._open[backend, part]


def _kubernetes(settings: Settings) -> KubernetesApi:
    from scanner.inventory.kubernetes import login
    from scanner.inventory.kubernetes.api import KubernetesApi

    try:
        configuration = login.configuration(settings.options, settings.environ)
        return KubernetesApi(configuration, settings.timeout)
    except ReadError as error:
        raise _unreadable(settings.name, error) from None


def kubernetes_error(place: SecretId, error: ReadError) -> StepError:
    """What a failed request to a cluster means."""
    reason = f"{place.text}: {error.reason}"
    if error.status in _PERMANENT and error.status != 429:
        return RefusedError(reason, _advice(error.status))
    return UnknownError(reason, _RETRY)
