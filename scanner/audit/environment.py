"""The command line: the environment of an audit. Libraries of stores read it by themselves.

Where they look for the credentials of a machine or a job is left to them. Where they send them, the
operator's file says alone: a step of a workflow, or a folder's own settings, could name a proxy, a
CA or another server.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, MutableMapping
from urllib.parse import urlsplit

_ELSEWHERE = re.compile(
    r"""(?xi) .+_PROXY
    | (AWS|REQUESTS|CURL)_CA_BUNDLE
    | AWS_ENDPOINT_URL(_.+)? | AWS_DATA_PATH | AWS_CSM_.+ | AWS_EC2_METADATA_SERVICE_ENDPOINT
    | AZURE_(AUTHORITY_HOST|REGIONAL_AUTHORITY_NAME|POD_IDENTITY_AUTHORITY_HOST)
    """
)
"""Names of variables with an address, or with whom to trust. SSL_CERT_FILE stays: it says where the
system's own CAs lie, which `ca` stands in for."""

_OF_THE_MACHINE = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
    "IMDS_ENDPOINT",
)
"""Those with the address at which a machine's credentials are had: one of the machine itself."""
_OF_GITHUB = "ACTIONS_ID_TOKEN_REQUEST_URL"
_OF_A_POD = ipaddress.ip_address("fd00:ec2::23")  # EKS


def clear(environ: MutableMapping[str, str]) -> None:
    """Take out what would lead a library to a place, or to trust one, that nobody named here."""
    for name in [*environ]:
        if _ELSEWHERE.fullmatch(name) or (name in _OF_THE_MACHINE and not _is_near(environ[name])):
            del environ[name]
    if _OF_GITHUB in environ and not (_is_github(environ) or _is_near(environ[_OF_GITHUB])):
        del environ[_OF_GITHUB]
    environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"  # those of profiles, too


def _is_near(address: str) -> bool:
    """Does it lead to this machine, or to a service that its network gives each machine?"""
    host = _host(address)
    try:
        found = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return found.is_loopback or found.is_link_local or found == _OF_A_POD


def _is_github(environ: Mapping[str, str]) -> bool:
    """Does a job get its OIDC token from GitHub, or from the server of its company? The name of
    that no step of a workflow can set."""
    server = _host(environ.get("GITHUB_SERVER_URL", "")) or "github.com"
    host = _host(environ[_OF_GITHUB])
    return host == server or host.endswith((".actions.githubusercontent.com", f".{server}"))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
