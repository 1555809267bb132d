"""The command line: the operator's backends as the policy compares them with a repository.

Joins the options of each kind of backend and the policy by passing values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from scanner.configuration.operator import Entry
from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.secrets_files import vault_identity
from scanner.policy.live.comparison import Store

Options = Mapping[str, Any]


class Named(Protocol):
    """A backend, by whichever name it goes here."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


SCHEMES = {"vault": "vault", "kubernetes": "k8s", "aws": "aws", "azure": "azure"}


def address(backend: Named) -> str:
    """How the canonical ids of its secrets begin."""
    return f"{SCHEMES[backend.kind]}://{backend.name}"


def store(entry: Entry) -> Store:
    """A backend with all that a repository may say of it."""
    scheme, options = SCHEMES[entry.kind], entry.options
    globs = (f"{scheme}://{entry.name}/{path}" for path in _SCOPES[entry.kind](options))
    known = Store(name=entry.name, scheme=scheme, scope=tuple(map(secret_ids.pattern, globs)))
    match entry.kind:
        case "vault":
            who = vault_identity(options["auth"]) if "auth" in options else ""
            return known._replace(addresses=_some(options.get("address")), identities=_some(who))
        case "azure":
            client = options.get("auth", {}).get("client_id")
            return known._replace(addresses=options.get("vaults", ()), identities=_some(client))
        case "aws":
            roles = (account.get("role") for account in options.get("accounts", ()))
            return known._replace(identities=tuple(filter(None, roles)))
    return known


def _some(one: str | None) -> tuple[str, ...]:
    return (one,) if one else ()


def _vault(options: Options) -> Iterator[str]:
    """By default every engine of the namespace of its login. A mount with a slash may be one of
    that name, or a folder."""
    home = options.get("auth", {}).get("namespace", "-")
    for namespace in options.get("namespaces", (home,)):
        for name in _namespaces(namespace):
            for mount in options.get("mounts", ("**",)):
                yield f"{name}/{mount}/**"
                yield f"{name}/{mount.replace('/', '%2F')}/**"


def _namespaces(said: str) -> Iterator[str]:
    """`team/**` is team and all below it; in an id, the slashes of a namespace are escaped."""
    above, is_deep, _ = said.partition("**")
    if is_deep:
        yield f"{above.replace('/', '%2F')}*"
    if above:
        yield above.rstrip("/").replace("/", "%2F")


def _kubernetes(options: Options) -> Iterator[str]:
    for namespace in options.get("namespaces", ("*",)):
        yield f"{namespace}/**"


def _aws(options: Options) -> Iterator[str]:
    for region in options.get("regions", ("*",)):
        for service in options.get("services", ("*",)):
            yield f"*/{region}/{service}/**"


_SCOPES: Mapping[str, Callable[[Options], Iterator[str]]] = {
    "vault": _vault,
    "kubernetes": _kubernetes,
    "aws": _aws,
    "azure": lambda _options: iter(("**",)),
}
