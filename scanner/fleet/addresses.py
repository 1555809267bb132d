"""Check the address of a repository, and name the repository after it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

_MAX_LENGTH = 2000
_MAX_NAME = 500
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_SCP = re.compile(r"([A-Za-z0-9_][\w.-]*)@([^/:@\[\]]+|\[[^/@\[\]]*\]):(.+)", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22}
_LOOPBACK = {"localhost", "[::1]"}
_WITHOUT_USER = "remove it: the token comes from a credential helper of git (docs/fleet.md)"


class AddressError(ValueError):
    """The address cannot be used. The text says why and what to do; it repeats no part of it."""


class Address(NamedTuple):
    """A checked address. `name` is `host/path`, `origin` is `scheme://host:port`, both "" for a
    path on this machine, whose name its folder decides. Default ports are left out."""

    text: str
    name: str = ""
    origin: str = ""


def parse(text: str, *, loopback_http: bool = False) -> Address:
    """Check an address: https://..., ssh://..., user@host:path or an absolute path.

    AddressError if it is none of these, or holds a password, or a part that could mean another
    place to git, to a server or to a file system.
    """
    if len(text) > _MAX_LENGTH:
        raise AddressError(f"the address is over {_MAX_LENGTH} characters")
    if not text.isprintable() or " " in text:
        raise AddressError("the address has a space or a character that cannot be printed")
    if os.path.isabs(text):
        return Address(text)
    if "://" in text:
        return _of_url(text, loopback_http=loopback_http)
    match = _SCP.fullmatch(text)
    if match is None or "::" in text:
        raise AddressError(
            "it is no address: write https://host/path, ssh://host/path, git@host:path or a path"
        )
    host = _checked_host(match[2])
    return Address(text, _name(host, match[3]), f"ssh://{host}")


def origin_of(address: str) -> str:
    """`scheme://host:port` of an address that starts with https:// or http://, in lower case."""
    return _origin(urlsplit(address))


def is_loopback(origin: str) -> bool:
    """Does the origin name this machine by an address that cannot lead elsewhere?"""
    host = _without_port(origin.partition("://")[2])
    return host in _LOOPBACK or re.fullmatch(r"127(?:\.[0-9]{1,3}){3}", host) is not None


def _of_url(text: str, *, loopback_http: bool) -> Address:
    try:
        parts = urlsplit(text)
        origin = _origin(parts)
    except ValueError as error:
        raise error if isinstance(error, AddressError) else _no_host() from None
    scheme, user = parts.scheme, parts.netloc.rpartition("@")[0]
    if user and (scheme != "ssh" or ":" in user):
        raise AddressError(f"the address holds a user name or a password; {_WITHOUT_USER}")
    if user and not re.fullmatch(r"[A-Za-z0-9_][\w.-]*", user, re.ASCII):
        raise AddressError("the user name in the address has characters that are not allowed")
    if scheme == "http" and not (loopback_http and is_loopback(origin)):
        raise AddressError("http sends the token and the code in the open; write https://")
    if scheme not in _DEFAULT_PORTS:
        raise AddressError("only https:// and ssh:// are allowed")
    if parts.query or parts.fragment:
        raise AddressError("the address has a query or a fragment; remove it")
    return Address(text, _name(origin.partition("://")[2], parts.path), origin)


def _origin(parts: SplitResult) -> str:
    host = _checked_host(_without_port(parts.netloc.rpartition("@")[2]))
    port = parts.port
    if port == 0:
        raise _no_host()
    shown = "" if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def _without_port(place: str) -> str:
    return place.partition("]")[0] + "]" if place[:1] == "[" else place.partition(":")[0]


def _checked_host(host: str) -> str:
    if not _HOST.fullmatch(host.lower()) or ".." in host:
        raise _no_host()
    return host.lower()


def _no_host() -> AddressError:
    return AddressError("the host or the port in the address is not valid")


def _name(host: str, path: str) -> str:
    """The name of the repository at a path of a host."""
    decoded = [_decoded(part) for part in path.strip("/").split("/")]
    decoded[-1] = decoded[-1].removesuffix(".git")
    name = "/".join((host, *decoded))
    if not all(map(is_plain, decoded)):
        raise AddressError("the path in the address is empty, or has a part such as .. or a slash")
    if len(name) > _MAX_NAME:
        raise AddressError(f"the name of the repository is over {_MAX_NAME} characters")
    return name


def is_plain(segment: str) -> bool:
    """Can a segment of a name be printed, and be the name of a file or a folder?"""
    return (
        segment not in {"", ".", ".."}
        and segment.isprintable()
        and not {"/", "\\", ":"} & set(segment)
    )


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise AddressError("the path in the address is not UTF-8") from None
