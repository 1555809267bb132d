"""Inventory: what the audit of a cluster needs, as manifests to paste."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from scanner.inventory.kubernetes.consumers import WORKLOADS
from scanner.inventory.kubernetes.mounts import CLASSES, GROUP, STATUSES
from scanner.inventory.kubernetes.sources import SOURCES

NEEDED = (
    *(("", "secrets"), ("", "pods")),
    *(("apps", name) for name in WORKLOADS),
    *SOURCES,
    *((GROUP, name) for name in (CLASSES, STATUSES)),
)
"""API group and resource of what is listed."""

_HEAD = """\
# Kubernetes backend {backend}: what `keywatch audit` lists, and nothing else.
#
# RBAC has no right to metadata alone. keywatch asks for Secrets as PartialObjectMetadataList, an
# answer without values, but whoever may list Secrets CAN read their values: guard the credentials
# of this account like the Secrets. {narrower}
# `list` is all: neither get nor watch. The rules of controllers that you do not run can go.
# Who may not hold that right can still learn when each Secret was made, from kube-state-metrics
# (kube_secret_created); keywatch does not read it.
"""
_WIDE = "`namespaces: [...]` in the operator's file narrows it: Roles suffice then."
_NARROW = "These Roles are for the namespaces named in the operator's file."
_GRANT = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {scope}Role
metadata:
  name: keywatch-auditor{place}
rules:
{rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {scope}RoleBinding
metadata:
  name: keywatch-auditor{place}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {scope}Role
  name: keywatch-auditor
subjects:
  - kind: ServiceAccount
    name: keywatch-auditor
    namespace: keywatch  # where the audit runs
"""
_RULE = """\
  - apiGroups: ["{group}"]
    resources: [{resources}]
    verbs: [list]"""


def permissions(backend: str, namespaces: Sequence[str]) -> str:
    """Manifests: Roles in these namespaces, a ClusterRole where none is named."""
    resources: dict[str, list[str]] = defaultdict(list)
    for group, resource in NEEDED:
        resources[group].append(resource)
    rules = "\n".join(
        _RULE.format(group=group, resources=", ".join(names)) for group, names in resources.items()
    )
    places = [f"\n  namespace: {name}" for name in namespaces] or [""]
    scope = "" if namespaces else "Cluster"
    head = _HEAD.format(backend=backend, narrower=_NARROW if namespaces else _WIDE)
    return head + "".join(_GRANT.format(scope=scope, place=it, rules=rules) for it in places)
