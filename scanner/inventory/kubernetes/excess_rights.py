"""Inventory: what the auditor may do in a cluster but does not need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from scanner.inventory.kubernetes.api import KubernetesApi
from scanner.inventory.kubernetes.json_fields import at, each, fields, is_plain
from scanner.inventory.kubernetes.required_permissions import NEEDED

_GRANTED_TO_EVERYONE = frozenset(
    {
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)
_GIVE_VALUES = (
    *((verb, "secrets", "") for verb in ("get", "watch", "create", "update", "patch", "delete")),
    ("create", "pods", ""),
    ("create", "pods", "exec"),
    ("create", "serviceaccounts", "token"),
    ("impersonate", "users", ""),
)
"""Verb, resource and subresource that give access to values. Asked one by one if a server does
not list all permissions."""
_REVIEWS = "/apis/authorization.k8s.io/v1/"


def excess(api: KubernetesApi, namespaces: Sequence[str]) -> Iterator[str]:
    """One sentence for each permission. ReadError if the server does not say.

    Without namespaces, those for the whole cluster and for `default` are checked.
    """
    for namespace in namespaces or ("default",):
        status = _review(api, "Rules", {"namespace": namespace})
        yield from _beyond(status, namespace)
        if at(status, "incomplete") is True:
            yield from _ways_to_values(api, namespace)
    if namespaces and _may(api, "list", "secrets", "", namespace=""):
        yield "it may list secrets in all namespaces, but only some are audited"


def _review(api: KubernetesApi, what: str, spec: Mapping[str, object]) -> Mapping[str, object]:
    kind = f"SelfSubject{what}Review"
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return fields(api.post(f"{_REVIEWS}{kind.lower()}s", body), "status")


def _beyond(status: object, namespace: str) -> Iterator[str]:
    held: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rule in each(status, "resourceRules"):
        for group in _words(rule, "apiGroups"):
            for resource in _words(rule, "resources"):
                held[group, resource].update(_words(rule, "verbs"))
    for (group, resource), verbs in sorted(held.items()):
        more = verbs - ({"list"} if (group, resource) in NEEDED else set())
        if more and (group, resource) not in _GRANTED_TO_EVERYONE:
            name = f"{resource}.{group}" if group else resource
            yield f"it may {', '.join(sorted(more))} {name} in the namespace {namespace}"


def _words(rule: object, key: str) -> list[str]:
    return [word for word in each(rule, key) if isinstance(word, str) and is_plain(word)]


def _ways_to_values(api: KubernetesApi, namespace: str) -> Iterator[str]:
    for verb, resource, sub in _GIVE_VALUES:
        if _may(api, verb, resource, sub, namespace=namespace):
            name = f"{resource}/{sub}" if sub else resource
            yield f"it may {verb} {name} in the namespace {namespace}"


def _may(api: KubernetesApi, verb: str, resource: str, subresource: str, *, namespace: str) -> bool:
    asked = {
        "namespace": namespace,
        "verb": verb,
        "resource": resource,
        "subresource": subresource,
    }
    return at(_review(api, "Access", {"resourceAttributes": asked}), "allowed") is True
