"""Inventory: what the identity of the audit may do in a cluster beyond its need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from scanner.inventory.kubernetes.fields import at, each, fields, is_plain
from scanner.inventory.kubernetes.http import Wire
from scanner.inventory.kubernetes.required_permissions import NEEDED

_EVERYONES = frozenset(
    {
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)
_TELLING = (
    *((verb, "secrets", "") for verb in ("get", "watch", "create", "update", "patch", "delete")),
    ("create", "pods", ""),
    ("create", "pods", "exec"),
    ("create", "serviceaccounts", "token"),
    ("impersonate", "users", ""),
)
"""Verb, resource and subresource of what leads to values, where a server lists no rights."""
_REVIEWS = "/apis/authorization.k8s.io/v1/"


def excess(wire: Wire, namespaces: Sequence[str]) -> Iterator[str]:
    """One sentence each. Without namespaces: what holds in all of them, and in `default`.
    UnreadError where the server does not say."""
    for namespace in namespaces or ("default",):
        status = _review(wire, "Rules", {"namespace": namespace})
        yield from _beyond(status, namespace)
        if at(status, "incomplete") is True:
            yield from _telling(wire, namespace)
    if namespaces and _may(wire, "list", "secrets", "", namespace=""):
        yield "it may list secrets in all namespaces, and only some are audited"


def _review(wire: Wire, what: str, spec: Mapping[str, object]) -> Mapping[str, object]:
    kind = f"SelfSubject{what}Review"
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return fields(wire.post(f"{_REVIEWS}{kind.lower()}s", body), "status")


def _beyond(status: object, namespace: str) -> Iterator[str]:
    held: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rule in each(status, "resourceRules"):
        for group in _words(rule, "apiGroups"):
            for resource in _words(rule, "resources"):
                held[group, resource].update(_words(rule, "verbs"))
    for (group, resource), verbs in sorted(held.items()):
        more = verbs - ({"list"} if (group, resource) in NEEDED else set())
        if more and (group, resource) not in _EVERYONES:
            name = f"{resource}.{group}" if group else resource
            yield f"it may {', '.join(sorted(more))} {name} in the namespace {namespace}"


def _words(rule: object, key: str) -> list[str]:
    return [word for word in each(rule, key) if isinstance(word, str) and is_plain(word)]


def _telling(wire: Wire, namespace: str) -> Iterator[str]:
    for verb, resource, sub in _TELLING:
        if _may(wire, verb, resource, sub, namespace=namespace):
            name = f"{resource}/{sub}" if sub else resource
            yield f"it may {verb} {name} in the namespace {namespace}"


def _may(wire: Wire, verb: str, resource: str, subresource: str, *, namespace: str) -> bool:
    asked = {
        "namespace": namespace,
        "verb": verb,
        "resource": resource,
        "subresource": subresource,
    }
    return at(_review(wire, "Access", {"resourceAttributes": asked}), "allowed") is True
