"""Inventory: who may do what in a Vault: policies, roles, entities, groups. No value is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.vault import login
from scanner.inventory.vault.backend import connect
from scanner.inventory.vault.hvac_client import hvac_client
from scanner.inventory.vault.mounts import canonical
from scanner.inventory.vault.options import home, namespaces
from scanner.inventory.vault.parsing import parsing
from scanner.model import Gap, GapKind

# Where each auth method keeps its roles: the folder that is listed and read.
_FOLDERS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("approle", "kubernetes", "jwt", "oidc", "gcp", "azure", "aws"), ("role",)),
    "token": ("roles",),
    "cert": ("certs",),
    "ldap": ("users", "groups"),
    **dict.fromkeys(("userpass", "radius"), ("users",)),
}
_MOST = 20_000  # entries of one listing
_PATHS = 200  # asked at once in a cross-check


class Policy(NamedTuple):
    """A policy as the server has it."""

    name: str
    text: str


class Role(NamedTuple):
    """A role of an auth method, or a user or group of one. `service_accounts` are
    `namespace/name`, with `*` for all. `marks` are what the name of an alias of it can be."""

    name: str
    mount: str
    accessor: str
    kind: str
    policies: tuple[str, ...]
    service_accounts: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


class Alias(NamedTuple):
    """An alias of an entity in one auth method."""

    accessor: str
    id: str
    name: str
    metadata: Mapping[str, str]
    custom_metadata: Mapping[str, str]


class Entity(NamedTuple):
    """An entity. `policies` are its own and those of its groups."""

    id: str
    name: str
    policies: tuple[str, ...]
    metadata: Mapping[str, str]
    aliases: tuple[Alias, ...]
    groups: tuple[tuple[str, str, Mapping[str, str]], ...]


class Access(NamedTuple):
    """All that one Vault tells about rights. `lists_policies` is False if it does not tell which
    policies there are."""

    backend: str
    policies: tuple[Policy, ...]
    roles: tuple[Role, ...]
    entities: tuple[Entity, ...]
    gaps: tuple[Gap, ...]
    lists_policies: bool = True


class Reader:
    """Reads the Vault of the settings. Raises nothing: what cannot be read is a Gap."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.name
        self._options = settings.options
        self._gaps: list[Gap] = []
        self._adapter: Any = None  # hvac's, once the login has worked
        self._client: Any = None

    def read(self) -> Access:
        space = home(self._options)
        try:
            with parsing():
                self._adapter = self._logged_in(space)
        except ReadError as error:
            found = gap(canonical(self._name), error)
            return Access(self._name, (), (), (), (found,), lists_policies=False)
        if any(deep or name != space for name, deep in namespaces(self._options)):
            reason = "only the namespace of the login is reviewed"
            self._gaps.append(Gap(GapKind.SELECTION, self._id(), reason))
        names = self._names("sys/policies/acl")
        policies = tuple(self._policies(names or ()))
        roles = tuple(self._roles())
        entities = tuple(self._entities())
        return Access(
            self._name,
            policies,
            roles,
            entities,
            tuple(self._gaps),
            lists_policies=names is not None,
        )

    def capabilities(
        self, policies: Sequence[str], paths: Sequence[str]
    ) -> Mapping[str, Sequence[str]] | None:
        """What sys/capabilities answers for a token with these policies, which is made for this and
        revoked. None if the server does not allow it, which is a Gap."""
        adapter = self._adapter
        asked = {
            "policies": [name for name in policies if name != "default"],
            "no_default_policy": "default" not in policies,
            "ttl": "60s",
            "renewable": False,
            "display_name": "keywatch-access-review",
        }
        found: dict[str, Sequence[str]] = {}
        try:
            with parsing():
                auth = adapter.post("/v1/auth/token/create", json=asked)["auth"]
                try:
                    for start in range(0, len(paths), _PATHS):
                        some = list(paths[start : start + _PATHS])
                        body = {"token": auth["client_token"], "paths": some}
                        data = adapter.post("/v1/sys/capabilities", json=body)["data"]
                        found.update({path: [*map(str, data[path])] for path in some})
                finally:
                    adapter.post(
                        "/v1/auth/token/revoke-accessor", json={"accessor": auth["accessor"]}
                    )
        except ReadError as error:
            self._gaps.append(gap(self._id("sys/capabilities"), error))
            return None
        return found

    def _logged_in(self, namespace: str) -> Any:
        """hvac's adapter with a token. ReadError if the login fails."""
        api = connect(self._settings, connections=1)
        token = login.token(hvac_client(api, namespace=namespace), self._settings)
        self._client = hvac_client(api, token, namespace)
        login.check_token(self._client)
        return self._client.adapter

    def close(self) -> None:
        """Revoke the token of the login. Raises nothing."""
        if self._client is not None:
            login.log_out(self._client, self._settings)

    @property
    def gaps(self) -> Sequence[Gap]:
        return self._gaps

    def _id(self, below: str = "") -> str:
        mount, _, rest = below.partition("/")
        return canonical(self._name, home(self._options) or "-", mount, rest)

    def _ask(self, path: str, run: Callable[[str], Any]) -> Any:
        """The answer, or None where it is a Gap. What does not exist is an empty answer."""
        try:
            with parsing():
                return run(f"/v1/{quote(path)}")
        except ReadError as error:
            if error.kind == "absent":
                return {}
            self._gaps.append(gap(self._id(path), error))
            return None

    def _names(self, path: str) -> list[str] | None:
        answer = self._ask(path, self._adapter.list)
        if answer is None:
            return None
        names = [str(name) for name in (answer.get("data") or {}).get("keys") or ()]
        if len(names) > _MOST:
            reason = f"only {_MOST:,} of {len(names):,} entries are read"
            self._gaps.append(Gap(GapKind.TOO_LARGE, self._id(path), reason))
        return sorted(names)[:_MOST]

    def _get(self, path: str) -> Mapping[str, Any] | None:
        answer = self._ask(path, self._adapter.get)
        return None if answer is None else (answer.get("data") or {})

    def _policies(self, names: Sequence[str]) -> Iterator[Policy]:
        for name in names:
            if name != "root" and (data := self._get(f"sys/policies/acl/{name}")) is not None:
                yield Policy(name, str(data.get("policy", "")))

    def _roles(self) -> Iterator[Role]:
        for path, about in sorted((self._get("sys/auth") or {}).items()):
            if not isinstance(about, Mapping) or "type" not in about:
                continue
            kind, accessor = str(about["type"]), str(about.get("accessor", ""))
            mount = path.strip("/")
            if kind not in _FOLDERS:
                reason = f"roles of the auth method {kind[:40]} are not read"
                self._gaps.append(Gap(GapKind.ENGINE_NOT_READ, self._id(f"auth/{mount}"), reason))
            for folder in _FOLDERS.get(kind, ()):
                for name in self._names(f"auth/{mount}/{folder}") or ():
                    data = self._get(f"auth/{mount}/{folder}/{name}")
                    if data is not None:
                        yield self._role(name, mount, accessor, kind, data)

    def _role(
        self, name: str, mount: str, accessor: str, kind: str, data: Mapping[str, Any]
    ) -> Role:
        named = _words(data.get("token_policies")) or _words(data.get("policies"))
        named += _words(data.get("allowed_policies")) if kind == "token" else []
        if not data.get("token_no_default_policy") and kind != "token":
            named.append("default")
        marks = [name]
        if kind == "approle":
            found = self._get(f"auth/{mount}/role/{name}/role-id") or {}
            marks.append(str(found.get("role_id", "")))
        accounts = [
            f"{space}/{account}"
            for space in _words(data.get("bound_service_account_namespaces"))
            for account in _words(data.get("bound_service_account_names"))
        ]
        return Role(
            name=name,
            mount=mount,
            accessor=accessor,
            kind=kind,
            policies=tuple(dict.fromkeys(named)),
            service_accounts=tuple(accounts),
            marks=tuple(filter(None, marks)),
        )

    def _entities(self) -> Iterator[Entity]:
        groups = {}
        for number in self._names("identity/group/id") or ():
            if data := self._get(f"identity/group/id/{number}"):
                groups[number] = data
        for number in self._names("identity/entity/id") or ():
            if data := self._get(f"identity/entity/id/{number}"):
                yield _entity(number, data, groups)


def _entity(number: str, data: Mapping[str, Any], groups: Mapping[str, Any]) -> Entity:
    member_of = [*_words(data.get("group_ids")), *_words(data.get("inherited_group_ids"))]
    held = [groups[one] for one in dict.fromkeys(member_of) if one in groups]
    named = _words(data.get("policies"))
    for group in held:
        named += _words(group.get("policies"))
    aliases = tuple(
        Alias(
            accessor=str(one.get("mount_accessor", "")),
            id=str(one.get("id", "")),
            name=str(one.get("name", "")),
            metadata=_texts(one.get("metadata")),
            custom_metadata=_texts(one.get("custom_metadata")),
        )
        for one in data.get("aliases") or ()
    )
    return Entity(
        id=number,
        name=str(data.get("name", "")),
        policies=tuple(dict.fromkeys(named)),
        metadata=_texts(data.get("metadata")),
        aliases=aliases,
        groups=tuple(
            (str(one.get("id", "")), str(one.get("name", "")), _texts(one.get("metadata")))
            for one in held
        ),
    )


def _words(said: Any) -> list[str]:
    if isinstance(said, str):
        return [one.strip() for one in said.split(",") if one.strip()]
    return [str(one) for one in said] if isinstance(said, (list, tuple)) else []


def _texts(said: Any) -> dict[str, str]:
    return (
        {str(key): str(value) for key, value in said.items()} if isinstance(said, Mapping) else {}
    )
