"""Inventory: how the auditor logs in to Vault, and which certificates it trusts."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from hvac import Client

from scanner.inventory.errors import ReadError, shortened
from scanner.inventory.interface import Settings
from scanner.inventory.vault.api import VaultApi
from scanner.inventory.vault.parsing import parsing

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_GITHUB_ADDRESS = "ACTIONS_ID_TOKEN_REQUEST_URL"
_GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_GITHUB_SECONDS = 30.0
_MAX_CREDENTIAL = 100_000  # characters


def token(client: Client, settings: Settings) -> str:
    """A token from the login method in the operator config. ReadError if Vault gives none."""
    auth = settings.options["auth"]
    credential = _credential(auth, settings)
    if auth["method"] == "token":
        return credential
    try:
        answer = _log_in(client, auth, credential)
    except ReadError as error:
        if not error.status:
            raise
        text = error.server_text.replace(credential, "…") if credential else error.server_text
        reason = f"login by {auth['method']} failed with {error.status}: {shortened(text)}"
        raise ReadError("login", reason) from None
    return client.adapter.get_login_token(answer)


def log_out(client: Client, settings: Settings) -> None:
    """Revoke the token of the login. A token that somebody else made stays. Raises nothing."""
    if settings.options["auth"]["method"] != "token":
        with contextlib.suppress(ReadError), parsing():
            client.auth.token.revoke_self()


def check_token(client: Client) -> str:
    """The accessor of the token, "" if it may not look itself up.

    ReadError if Vault does not know the token. Otherwise each path would be denied instead.
    """
    try:
        return str(client.auth.token.lookup_self()["data"].get("accessor", ""))
    except ReadError as error:
        if error.kind != "denied":
            raise
        return ""


def tls_context(tls: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust and which certificate to show. ReadError if a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=tls.get("ca"))
        if "client_cert" in tls:
            # Without a password, OpenSSL would ask the terminal for that of an encrypted key.
            context.load_cert_chain(tls["client_cert"], tls["client_key"], password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unusable"
        raise ReadError("tls", f"the files in tls cannot be used: {why}") from None
    return context


def _log_in(client: Client, auth: Mapping[str, str], credential: str) -> Mapping[str, Any]:
    mount = auth.get("mount", auth["method"])
    role = auth.get("role", "")
    keep = {"use_token": False}  # otherwise hvac would change the client's token
    answer: Mapping[str, Any]
    match auth["method"]:
        case "approle":
            answer = client.auth.approle.login(
                auth["role_id"], credential, mount_point=mount, **keep
            )
        case "kubernetes":
            answer = client.auth.kubernetes.login(role, credential, mount_point=mount, **keep)
        case "jwt":
            answer = client.auth.jwt.jwt_login(role, credential, path=mount, **keep)
        case _:
            answer = client.adapter.post(f"/v1/auth/{quote(mount)}/login", json={"name": role})
    return answer


def _credential(auth: Mapping[str, str], settings: Settings) -> str:
    """What the login sends; "" for a TLS certificate, which the connection sends."""
    if "env" in auth:
        return _header_safe(settings.environ.get(auth["env"], ""), f"the variable {auth['env']}")
    if "file" in auth or auth["method"] == "kubernetes":
        path = auth.get("file", _SERVICE_ACCOUNT)
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                return _header_safe(file.read(_MAX_CREDENTIAL), path)
        except OSError as error:
            raise ReadError("login", f"{path} cannot be read: {error.strerror}") from None
    return _from_github(auth, settings) if auth["method"] == "jwt" else ""


def _from_github(auth: Mapping[str, str], settings: Settings) -> str:
    """The OIDC token of a GitHub job, for the audience in `auth`."""
    address, bearer = (settings.environ.get(name, "") for name in (_GITHUB_ADDRESS, _GITHUB_TOKEN))
    parts = urlsplit(address)
    if parts.scheme != "https" or not bearer:
        reason = "GitHub offers this job no OIDC token: add `permissions: id-token: write`"
        raise ReadError("login", reason)
    audience = f"&audience={quote(auth['audience'], safe='')}" if "audience" in auth else ""
    seconds = min(settings.timeout, _GITHUB_SECONDS)
    api = VaultApi(f"https://{parts.netloc}", seconds, tls_context({}))
    headers = {"Authorization": f"Bearer {_header_safe(bearer, _GITHUB_TOKEN)}"}
    answer = api.send("GET", f"{parts.path}?{parts.query}{audience}", headers)
    if answer.status != 200:
        raise ReadError("login", f"GitHub refuses an OIDC token with {answer.status}")
    return _header_safe(str(answer.data.get("value", "")), "GitHub's answer")


def _header_safe(text: str, source: str) -> str:
    """The token, if it fits into a header. If not, the HTTP library would quote it in an error."""
    found = text.strip()
    if not found.isascii() or not found.isprintable() or " " in found or not found:
        raise ReadError("login", f"{source} holds no token")
    return found
