"""Policy: which subjects of a cluster can read Secrets, directly or by way of pods and tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from scanner.model import Finding, Location, Severity
from scanner.policy.access import rules as ids
from scanner.policy.access.rules import finding

_READ = ("get", "list", "watch")
_WORKLOADS = (
    *(("", "pods"), ("", "replicationcontrollers"), ("apps", "deployments")),
    *(("apps", "daemonsets"), ("apps", "statefulsets"), ("apps", "replicasets")),
    *(("batch", "jobs"), ("batch", "cronjobs")),
)
_RBAC = "rbac.authorization.k8s.io"
_RIGHTS: tuple[tuple[str, str, Sequence[str], Sequence[tuple[str, str]]], ...] = (
    (ids.KUBERNETES, "secrets", _READ, (("", "secrets"),)),
    (ids.KUBERNETES_TOKEN, "tokens", ("create",), (("", "serviceaccounts/token"),)),
    (
        ids.KUBERNETES_TOKEN,
        "identities",
        ("impersonate",),
        (("", "users"), ("", "groups"), ("", "serviceaccounts")),
    ),
    (
        ids.KUBERNETES_TOKEN,
        "roles",
        ("bind", "escalate"),
        ((_RBAC, "roles"), (_RBAC, "clusterroles")),
    ),
    (
        ids.KUBERNETES_TOKEN,
        "bindings",
        ("create", "update", "patch"),
        ((_RBAC, "rolebindings"), (_RBAC, "clusterrolebindings")),
    ),
    (ids.KUBERNETES_PODS, "workloads", ("create", "update", "patch"), _WORKLOADS),
    (
        ids.KUBERNETES_PODS,
        "commands",
        ("create", "get"),
        (("", "pods/exec"), ("", "pods/attach"), ("", "pods/ephemeralcontainers")),
    ),
)
"""Rule, what it is about, verbs, and the API group and resource of each."""
_SYSTEM = "system:"
_EVERYBODY = frozenset(("system:authenticated", "system:unauthenticated", "system:serviceaccounts"))
_SHOWN = 4


class Rule(Protocol):
    """A rule of a role (see inventory/kubernetes/access.py)."""

    @property
    def verbs(self) -> Sequence[str]: ...
    @property
    def groups(self) -> Sequence[str]: ...
    @property
    def resources(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...


class Role(Protocol):
    """A role; the namespace of a ClusterRole is ""."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def rules(self) -> Sequence[Rule]: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def selectors(self) -> Sequence[Sequence[tuple[str, str]]]: ...


class Binding(Protocol):
    """A binding; the namespace of a ClusterRoleBinding is ""."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def role_kind(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def subjects(self) -> Sequence[tuple[str, str, str]]: ...


class Right(NamedTuple):
    """What a subject may do. `namespace` is "" for the whole cluster, `names` "" for all."""

    rule: str
    about: str
    subject: str
    namespace: str
    verbs: str
    names: tuple[str, ...]
    by: str


def rights(roles: Iterable[Role], bindings: Iterable[Binding]) -> Iterator[Right]:
    """The rights that lead to Secrets, of every subject but the cluster's own."""
    known = {(role.namespace, role.name): role for role in roles}
    for binding in bindings:
        scope = binding.namespace if binding.role_kind == "Role" else ""
        role = known.get((scope, binding.role))
        if role is None:
            continue
        held = [*_held(_rules(role, known.values()))]
        for kind, namespace, name in binding.subjects:
            if _is_own(kind, namespace, name):
                continue
            subject = (
                f"{namespace or binding.namespace}/{name}" if kind == "ServiceAccount" else name
            )
            by = f"{binding.role_kind} {binding.role} in the binding {binding.name}"
            for rule, about, verbs, names in held:
                yield Right(rule, about, f"{kind} {subject}", binding.namespace, verbs, names, by)


def _is_own(kind: str, namespace: str, name: str) -> bool:
    """Controllers and masters of the cluster itself need what they have."""
    if kind == "ServiceAccount":
        return namespace == "kube-system"
    return name.startswith(_SYSTEM) and name not in _EVERYBODY


def _rules(role: Role, others: Iterable[Role]) -> Iterator[Rule]:
    """The rules of the role, and of those that it aggregates."""
    yield from role.rules
    for selector in role.selectors:
        for other in others:
            is_part = selector and all(other.labels.get(key) == value for key, value in selector)
            if is_part and not other.namespace and other is not role:
                yield from other.rules


def _held(rules: Iterable[Rule]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    rules = list(rules)
    for rule, about, verbs, targets in _RIGHTS:
        allowed: dict[str, set[str]] = defaultdict(set)
        names: set[str] = set()
        is_all = False
        for one in rules:
            for group, resource in targets:
                found = _verbs(one, verbs, group, resource)
                if found:
                    allowed[resource] |= found
                    names.update(one.names)
                    # A name does not restrict create: there is none yet.
                    is_all |= not one.names
        if allowed:
            words = "; ".join(
                f"{', '.join(sorted(found))} {resource}" for resource, found in allowed.items()
            )
            yield rule, about, words, () if is_all else tuple(sorted(names))


def _verbs(rule: Rule, verbs: Sequence[str], group: str, resource: str) -> set[str]:
    if not {group, "*"} & {*rule.groups}:
        return set()
    subresource = resource.partition("/")[2]
    fitting = {resource, "*", f"*/{subresource}" if subresource else resource}
    if not fitting & {*rule.resources}:
        return set()
    return {*verbs} if "*" in rule.verbs else {*verbs} & {*rule.verbs}


def findings(
    found: Iterable[Right], store: str, anchor: Location, logins: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    """A finding for each subject, namespace and kind of right. `logins` holds the Vault roles that
    a service account, `namespace/name`, can log in with."""
    for right in dict.fromkeys(found):
        place = f"the namespace {right.namespace}" if right.namespace else "all namespaces"
        some = ", ".join(right.names[:_SHOWN]) + (" …" if len(right.names) > _SHOWN else "")
        only = f" (only {some})" if right.names else ""
        detail = f"{right.subject} may {right.verbs}{only} in {place} of {store}, by {right.by}"
        detail += _vault_roles(right, logins)
        context = f"{store} {right.namespace} {right.subject} {right.about} {right.by}"
        severity = Severity.LOW if right.names and right.about == "secrets" else None
        if right.subject.partition(" ")[2] in _EVERYBODY:
            severity = Severity.CRITICAL
        yield finding(right.rule, anchor, detail, context, severity)


def _vault_roles(right: Right, logins: Mapping[str, Sequence[str]]) -> str:
    """The Vault roles that come with the right to make pods or tokens in a namespace."""
    if right.about not in ("workloads", "tokens"):
        return ""
    reached = sorted(
        {
            role
            for account, roles in logins.items()
            if right.namespace in ("", account.partition("/")[0]) or account.startswith("*/")
            for role in roles
        }
    )
    if not reached:
        return ""
    return f"; so it can log in to Vault as {', '.join(reached[:_SHOWN])}"
