"""Remove environment variables that would redirect an audit.

Libraries of stores read the environment by themselves. They may find credentials of the machine or
job there. But only the operator config decides where an audit connects: a workflow step or a
folder's own settings could name a proxy, a CA or another server.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, MutableMapping
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from scanner.inventory.interface import Variables

_FOR_ALL = Variables(removed=("?*_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
"""SSL_CERT_FILE stays: it says where the system's own CAs are. The option `ca` replaces them."""
_GITHUB = "ACTIONS_ID_TOKEN_REQUEST_URL"
_EKS_POD = ipaddress.ip_address("fd00:ec2::23")


def clear(environ: MutableMapping[str, str], variables: Iterable[Variables]) -> None:
    """Remove the variables that could name a server or whom to trust."""
    variables = [_FOR_ALL, *variables]
    removed = [pattern for each in variables for pattern in each.removed]
    local = {name for each in variables for name in each.local}
    for name in [*environ]:
        is_removed = any(fnmatchcase(name.upper(), pattern) for pattern in removed)
        if is_removed or (name in local and not _is_local(environ[name])):
            del environ[name]
    if _GITHUB in environ and not (_is_github(environ) or _is_local(environ[_GITHUB])):
        del environ[_GITHUB]
    for each in variables:
        environ.update(each.added)


def _is_local(address: str) -> bool:
    """Is it on this machine, or a metadata service that the network gives each machine?"""
    host = _host(address)
    try:
        found = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return found.is_loopback or found.is_link_local or found == _EKS_POD


def _is_github(environ: Mapping[str, str]) -> bool:
    """Does the job get its OIDC token from GitHub, or from its GitHub Enterprise server?

    A workflow step cannot set GITHUB_SERVER_URL.
    """
    server = _host(environ.get("GITHUB_SERVER_URL", "")) or "github.com"
    host = _host(environ[_GITHUB])
    return host == server or host.endswith((".actions.githubusercontent.com", f".{server}"))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
