"""Inventory: how the auditor proves to Vault who it is, and which certificates it trusts."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from hvac import Client

from scanner.inventory.interface import Settings
from scanner.inventory.vault.errors import Trouble, cut
from scanner.inventory.vault.http import Wire

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_GITHUB_ADDRESS = "ACTIONS_ID_TOKEN_REQUEST_URL"
_GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_GITHUB_SECONDS = 30.0
_MAX_PROOF = 100_000  # characters


def token(client: Client, settings: Settings) -> str:
    """A token, by the method that the operator's file names. Trouble where Vault gives none."""
    auth = settings.options["auth"]
    proof = _proof(auth, settings)
    if auth["method"] == "token":
        return proof
    try:
        answer = _login(client, auth, proof)
    except Trouble as error:
        if not error.status:
            raise
        said = error.words.replace(proof, "…") if proof else error.words
        reason = f"login by {auth['method']} failed with {error.status}: {cut(said)}"
        raise Trouble("login", reason) from None
    return client.adapter.get_login_token(answer)


def tried(client: Client) -> None:
    """Trouble where Vault does not know the token: otherwise each path would be denied alone."""
    try:
        client.auth.token.lookup_self()
    except Trouble as error:
        if error.kind != "denied":
            raise


def trusted(tls: Mapping[str, str]) -> ssl.SSLContext:
    """What a server must show, and what this side does. Trouble where a file is of no use."""
    try:
        context = ssl.create_default_context(cafile=tls.get("ca"))
        if "client_cert" in tls:
            # An empty password: without one, an encrypted key would ask the terminal for it.
            context.load_cert_chain(tls["client_cert"], tls["client_key"], password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unusable"
        raise Trouble("tls", f"the files of tls cannot be used: {why}") from None
    return context


def _login(client: Client, auth: Mapping[str, str], proof: str) -> Mapping[str, Any]:
    mount = auth.get("mount", auth["method"])
    role = auth.get("role", "")
    keep = {"use_token": False}  # the client would be another's from here on
    answer: Mapping[str, Any]
    match auth["method"]:
        case "approle":
            answer = client.auth.approle.login(auth["role_id"], proof, mount_point=mount, **keep)
        case "kubernetes":
            answer = client.auth.kubernetes.login(role, proof, mount_point=mount, **keep)
        case "jwt":
            answer = client.auth.jwt.jwt_login(role, proof, path=mount, **keep)
        case _:
            answer = client.adapter.post(f"/v1/auth/{quote(mount)}/login", json={"name": role})
    return answer


def _proof(auth: Mapping[str, str], settings: Settings) -> str:
    """What the login shows; "" for a TLS certificate, which the connection shows."""
    if "env" in auth:
        return _secret(settings.environ.get(auth["env"], ""), f"the variable {auth['env']}")
    if "file" in auth or auth["method"] == "kubernetes":
        path = auth.get("file", _SERVICE_ACCOUNT)
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                return _secret(file.read(_MAX_PROOF), path)
        except OSError as error:
            raise Trouble("login", f"{path} cannot be read: {error.strerror}") from None
    return _from_github(auth, settings) if auth["method"] == "jwt" else ""


def _from_github(auth: Mapping[str, str], settings: Settings) -> str:
    """The OIDC token of a job of GitHub's, for the audience that `auth` names."""
    address, bearer = (settings.environ.get(name, "") for name in (_GITHUB_ADDRESS, _GITHUB_TOKEN))
    parts = urlsplit(address)
    if parts.scheme != "https" or not bearer:
        reason = "GitHub offers this job no OIDC token: give it `permissions: id-token: write`"
        raise Trouble("login", reason)
    wanted = f"&audience={quote(auth['audience'], safe='')}" if "audience" in auth else ""
    wire = Wire(f"https://{parts.netloc}", min(settings.timeout, _GITHUB_SECONDS), trusted({}))
    headers = {"Authorization": f"Bearer {_secret(bearer, _GITHUB_TOKEN)}"}
    answer = wire.send("GET", f"{parts.path}?{parts.query}{wanted}", headers)
    if answer.status != 200:
        raise Trouble("login", f"GitHub refuses an OIDC token with {answer.status}")
    return _secret(str(answer.data.get("value", "")), "GitHub's answer")


def _secret(text: str, source: str) -> str:
    """What may stand in a header. What does not would be quoted in the error that says so."""
    found = text.strip()
    if not found.isascii() or not found.isprintable() or " " in found or not found:
        raise Trouble("login", f"{source} holds no token")
    return found
