"""Inventory: the RBAC objects of a cluster: roles, bindings, and what they say. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.kubernetes import login
from scanner.inventory.kubernetes.api import KubernetesApi, ends_reading
from scanner.inventory.kubernetes.json_fields import each, fields, is_plain, text
from scanner.model import Gap

_GROUP = "apis/rbac.authorization.k8s.io/v1"


class Rule(NamedTuple):
    """A rule of a role. `names` is empty if it holds for every name."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()


class Role(NamedTuple):
    """A Role, or a ClusterRole with the namespace "". `selectors` are those of an aggregated
    ClusterRole, each as label and value pairs."""

    name: str
    namespace: str
    rules: tuple[Rule, ...]
    labels: Mapping[str, str]
    selectors: tuple[tuple[tuple[str, str], ...], ...] = ()
    is_unclear: bool = False
    """It has a selector that cannot be followed (matchExpressions)."""


class Binding(NamedTuple):
    """A RoleBinding, or a ClusterRoleBinding with the namespace "". Subjects are
    (kind, namespace, name)."""

    name: str
    namespace: str
    role_kind: str
    role: str
    subjects: tuple[tuple[str, str, str], ...]


class Rbac(NamedTuple):
    """All roles and bindings that could be read. `has_all`: nothing is left out."""

    roles: tuple[Role, ...]
    bindings: tuple[Binding, ...]
    gaps: tuple[Gap, ...]


def read(settings: Settings) -> Rbac:
    """The RBAC of a cluster, or of the namespaces that the settings name. Raises nothing."""
    root = f"k8s://{settings.name}"
    roles: list[Role] = []
    bindings: list[Binding] = []
    gaps: list[Gap] = []
    try:
        configuration = login.configuration(settings.options, settings.environ)
        api = KubernetesApi(configuration, settings.timeout)
        for resource, namespace in _lists(settings.options.get("namespaces", ())):
            take: Callable[[object], None] = (
                partial(_add_role, roles) if resource.endswith("roles") else partial(_add, bindings)
            )
            below = f"namespaces/{namespace}/{resource}" if namespace else resource
            try:
                for item in api.items(f"/{_GROUP}/{below}"):
                    take(item)
            except ReadError as error:
                if ends_reading(error):
                    raise
                gaps.append(gap(f"{root}/{namespace or '*'}/{resource}", error))
    except ReadError as error:
        gaps.append(gap(root, error))
    return Rbac(tuple(roles), tuple(bindings), tuple(gaps))


def _lists(namespaces: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield "clusterroles", ""
    yield "clusterrolebindings", ""
    for namespace in namespaces or ("",):
        yield "roles", namespace
        yield "rolebindings", namespace


def _add_role(roles: list[Role], item: object) -> None:
    metadata = fields(item, "metadata")
    selectors = []
    unclear = False
    for one in each(item, "aggregationRule", "clusterRoleSelectors"):
        unclear |= bool(list(each(one, "matchExpressions")))
        labels = fields(one, "matchLabels")
        selectors.append(tuple(sorted((key, str(value)) for key, value in labels.items())))
    roles.append(
        Role(
            name=text(metadata, "name"),
            namespace=text(metadata, "namespace"),
            rules=tuple(map(_rule, each(item, "rules"))),
            labels={key: str(value) for key, value in fields(metadata, "labels").items()},
            selectors=tuple(selectors),
            is_unclear=unclear,
        )
    )


def _rule(item: object) -> Rule:
    return Rule(
        verbs=_words(item, "verbs"),
        groups=_words(item, "apiGroups"),
        resources=_words(item, "resources"),
        names=_words(item, "resourceNames"),
    )


def _words(item: Any, key: str) -> tuple[str, ...]:
    return tuple(word for word in each(item, key) if isinstance(word, str) and is_plain(word))


def _add(bindings: list[Binding], item: object) -> None:
    subjects = tuple(
        (text(one, "kind"), text(one, "namespace"), text(one, "name"))
        for one in each(item, "subjects")
    )
    bindings.append(
        Binding(
            name=text(item, "metadata", "name"),
            namespace=text(item, "metadata", "namespace"),
            role_kind=text(item, "roleRef", "kind"),
            role=text(item, "roleRef", "name"),
            subjects=subjects,
        )
    )
