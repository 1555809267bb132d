"""Policy: suggest services for keywatch.yaml from Vault policies, roles and manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scanner import document
from scanner.errors import ConfigError
from scanner.policy.declarations import class_guess
from scanner.policy.declarations.model import DeclaredSecret
from scanner.policy.repository.commands import commands
from scanner.policy.repository.manifests import ManifestDocument, split_documents

ROLE_MARK = "vault.hashicorp.com/role"
"""The annotation that names a Vault role. Manifests without it are skipped."""

_RULE = re.compile(r'(?m)^[ \t]*path[ \t]+"([^"\n]{1,500})"[ \t]*\{([^{}]{0,2000})\}')
_COMMENT = re.compile(r"(?m)(?:^|[ \t])(?:#|//).*$")
_READS = re.compile(r'"(?:read|update|sudo|write)"')
_INJECTS = "vault.hashicorp.com/agent-inject-secret-"
_ROLE_PATH = re.compile(r"auth/[^/]+/role/([^/]+)\Z")
_MOST = 200  # services, and objects per file
ALL = "*"


class VaultPolicy(NamedTuple):
    """A Vault policy: its name, its file, and the paths that it allows to read."""

    name: str
    path: str
    reads: tuple[str, ...]


class Workload(NamedTuple):
    """A Kubernetes object that logs in to Vault, and the paths that its agent injects."""

    name: str
    role: str
    path: str
    reads: tuple[str, ...]


class ServiceSuggestion(NamedTuple):
    """A suggested service for keywatch.yaml, and the file that it was derived from."""

    name: str
    vault_role: str
    policies: tuple[str, ...]
    needs: tuple[str, ...]
    path: str


def policy(text: str, path: str) -> VaultPolicy | None:
    """The Vault policy in an HCL file. None if the file contains no policy."""
    rules = _RULE.findall(_COMMENT.sub("", text))
    reads = tuple(where for where, body in rules if _READS.search(body))
    name = path.rpartition("/")[2].rpartition(".")[0]
    return VaultPolicy(name, path, reads) if rules else None


def roles(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(role, policies) for each command `vault write auth/…/role/NAME policies=…`."""
    for command in commands(text):
        found = [match[1] for match in map(_ROLE_PATH.search, command.words) if match]
        policies = [w for w in command.words if w.startswith(("policies=", "token_policies="))]
        if found and policies and "write" in command.words:
            yield found[0], tuple(filter(None, policies[-1].partition("=")[2].split(",")))


def workloads(text: str, path: str) -> Iterator[Workload]:
    """The objects that name a Vault role. Helm templates are skipped: they are not valid YAML."""
    for part in split_documents(text)[:_MOST]:
        data = _object(part) if ROLE_MARK in part.text else {}
        name = (data.get("metadata") or {}).get("name")
        for notes in _annotations(data):
            if isinstance(name, str) and isinstance(notes.get(ROLE_MARK), str):
                reads = tuple(
                    str(value) for key, value in notes.items() if key.startswith(_INJECTS)
                )
                yield Workload(name, notes[ROLE_MARK], path, reads)


def _object(part: ManifestDocument) -> dict[str, Any]:
    try:
        data = document.parse(part.text.encode(errors="replace"), "manifest").data
    except ConfigError:
        return {}
    return data if isinstance(data, dict) and isinstance(data.get("metadata"), dict) else {}


def _annotations(data: Any, deepest: int = 8) -> Iterator[dict[Any, Any]]:
    """The annotations of the object and of every template in it."""
    if isinstance(data, dict) and deepest:
        found = data.get("annotations")
        if isinstance(found, dict):
            yield {str(key): value for key, value in found.items()}
        for value in data.values():
            yield from _annotations(value, deepest - 1)


def services(
    policies: Sequence[VaultPolicy],
    known_roles: Mapping[str, tuple[str, ...]],
    found: Sequence[Workload],
    secrets: Sequence[DeclaredSecret],
) -> list[ServiceSuggestion]:
    """One service for each workload, each role without a workload, and each remaining policy.

    A service needs the classes of the declared secrets that it may read. Services that may read
    none are left out.
    """
    by_name = {each.name: each for each in policies}
    left = dict(by_name)
    hints = []
    for one in _with_roles(found, known_roles):
        names = known_roles.get(one.role) or _alike(one.name, left)
        granted = [path for name in names if name in by_name for path in by_name[name].reads]
        hints.append(_hint(one, names, (*one.reads, *granted), secrets))
        for name in names:
            left.pop(name, None)
    for each in left.values():
        own = Workload(each.name, "", each.path, each.reads)
        hints.append(_hint(own, (each.name,), each.reads, secrets))
    unique = {each.name: each for each in reversed(hints) if each.needs}
    return sorted(unique.values())[:_MOST]


def _with_roles(
    found: Sequence[Workload], known: Mapping[str, tuple[str, ...]]
) -> Iterator[Workload]:
    yield from found
    for role in sorted(known.keys() - {each.role for each in found}):
        yield Workload(role.removesuffix("-role"), role, "", ())


def _alike(name: str, left: Iterable[str]) -> tuple[str, ...]:
    """The policy named like the workload or its suffix: `workers` for `app-workers`."""
    return tuple(one for one in left if name == one or name.endswith("-" + one))[:1]


def _hint(
    one: Workload, names: tuple[str, ...], reads: Sequence[str], secrets: Sequence[DeclaredSecret]
) -> ServiceSuggestion:
    granted = [
        each for each in secrets if each.scheme == "vault" and _may_read(reads, each.written)
    ]
    classes = sorted({class_guess.secret_class(each) for each in granted})
    everything = len(classes) > 1 and len(granted) == len(secrets)
    needs = (ALL,) if everything else tuple(classes)
    return ServiceSuggestion(
        name=one.name, vault_role=one.role, policies=names, needs=needs, path=one.path
    )


def _may_read(reads: Sequence[str], path: str) -> bool:
    """Whether one of the Vault paths matches: `+` is any one part, a final `*` is anything."""
    return any(_as_regex(one).fullmatch(path) for one in reads)


def _as_regex(rule: str) -> re.Pattern[str]:
    open_end = rule.endswith("*")
    inner = (
        "[^/]+" if part == "+" else re.escape(part)
        for part in rule.removesuffix("*").strip("/").split("/")
    )
    slash = "/" if rule.removesuffix("*").endswith("/") else ""
    return re.compile("/".join(inner) + slash + (".*" if open_end else ""))
