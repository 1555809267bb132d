"""List all repositories of an owner as targets, whatever the kind of the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from scanner.errors import UsageError
from scanner.fleet import addresses, credentials
from scanner.fleet.git import CloneError
from scanner.fleet.listing import gitea, github, gitlab
from scanner.fleet.listing.pages import Api, Dialect
from scanner.fleet.listing.repository import Repository
from scanner.fleet.targets import UNKNOWN_PARENT, Host, Listing, Target
from scanner.inventory.errors import ReadError, gap
from scanner.model import Gap, GapKind


class Module(Protocol):
    """The names in the module of a kind of host.

    LISTS are the paths of an organisation and of a user.
    """

    BASE: str
    DIALECT: Dialect
    LISTS: tuple[str, str]
    QUERY: Mapping[str, str]

    def git_origin(self, api_origin: str) -> str: ...

    def repository(self, item: Mapping[str, Any]) -> Repository: ...


_MODULES: Mapping[Host, Module] = {
    Host.GITHUB: github,
    Host.GITLAB: gitlab,
    Host.GITEA: gitea,
}


def find(asked: Listing, seconds: float, *, loopback_http: bool) -> Iterator[Target | Gap]:
    """The repositories of an owner. A Gap stands for one that cannot be used, and for the rest of a
    list that cannot be read to its end. UsageError if the address of the API is not valid."""
    module = _MODULES[asked.host]
    base = _checked(asked, asked.api or module.BASE, loopback_http=loopback_http)
    origin = module.git_origin(addresses.origin_of(base))
    place = f"{asked.host} {asked.owner}"
    try:
        api = Api(base, module.DIALECT, credentials.credential(origin), seconds)
        for item in _items(api, module, asked.owner):
            found = module.repository(item)
            yield _target(found, origin, place, loopback_http=loopback_http)
    except ReadError as error:
        yield gap(place, ReadError(error.kind, f"the list of its repositories: {error.reason}"))
    except CloneError as error:
        yield Gap(kind=error.kind, path=place, reason=error.reason)


def _items(api: Api, module: Module, owner: str) -> Iterator[Mapping[str, Any]]:
    """What the list of an organisation has, or that of a user if there is no such organisation."""
    organisation, user = (path.format(owner=quote(owner, safe="")) for path in module.LISTS)
    try:
        yield from api.items(organisation, module.QUERY)
    except ReadError as error:
        if error.status != 404:
            raise
        yield from api.items(user, module.QUERY)


def _target(found: Repository, origin: str, place: str, *, loopback_http: bool) -> Target | Gap:
    """A repository as a target. The server could name another host, which would get the token."""
    shown = found.path if found.path.isprintable() and found.path else "a repository"
    where = f"{place}: {shown[:200]}"
    try:
        address = addresses.parse(found.address, loopback_http=loopback_http)
        named = addresses.parse(f"{origin}/{quote(found.path)}", loopback_http=loopback_http)
    except addresses.AddressError as error:
        reason = f"the listing names a repository that cannot be used: {error}"
        return Gap(kind=GapKind.NOT_CLONED, path=where, reason=reason)
    if address.origin != origin or address.name != named.name:
        reason = "the listing gives it an address of another host or repository; it was not asked"
        return Gap(kind=GapKind.NOT_CLONED, path=where, reason=reason)
    parent = found.fork_of
    if parent and parent != UNKNOWN_PARENT:
        parent = _parent(parent, origin, loopback_http=loopback_http)
    return Target(
        name=address.name,
        address=address.text,
        team=found.team if found.team.isprintable() else "",
        archived=found.archived,
        fork_of=parent,
        size=found.size,
    )


def _parent(path: str, origin: str, *, loopback_http: bool) -> str:
    try:
        return addresses.parse(f"{origin}/{quote(path)}", loopback_http=loopback_http).name
    except addresses.AddressError:
        return UNKNOWN_PARENT


def _checked(asked: Listing, base: str, *, loopback_http: bool) -> str:
    if not base:
        raise UsageError(
            f"the address of the {asked.host} API is missing",
            todo="name it, as in https://git.example.com/api/v1",
        )
    try:
        # The API of github.com has no path, which the address of a repository needs.
        parsed = addresses.parse(f"{base.rstrip('/')}/x", loopback_http=loopback_http)
    except addresses.AddressError as error:
        raise UsageError(f"the address of the {asked.host} API cannot be used: {error}") from None
    if not parsed.origin.startswith("http"):
        raise UsageError(f"the address of the {asked.host} API must start with https://")
    if not addresses.is_plain(asked.owner.replace("/", "")):
        raise UsageError("the name of the owner is empty, or has characters that are not allowed")
    return base
