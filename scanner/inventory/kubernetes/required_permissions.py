"""Inventory: the permissions that an audit of a cluster needs, as manifests to paste."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from scanner.inventory.kubernetes.consumers import WORKLOADS
from scanner.inventory.kubernetes.controllers import CONTROLLERS
from scanner.inventory.kubernetes.csi_mounts import CLASSES, GROUP, STATUSES

NEEDED = (
    *(("", "secrets"), ("", "pods")),
    *(("apps", name) for name in WORKLOADS),
    *CONTROLLERS,
    *((GROUP, name) for name in (CLASSES, STATUSES)),
)
"""API group and resource of everything that is listed."""

_HEAD = """\
# The permissions that `keywatch audit` needs for the Kubernetes backend {backend}.
#
# RBAC has no permission for metadata only. keywatch asks for Secrets as PartialObjectMetadataList,
# an answer without values. But an account that may list Secrets CAN read their values, so protect
# its credentials like the Secrets themselves. {narrower}
# keywatch needs only `list`, not get or watch. Remove the rules for controllers that you do not
# run. If you cannot grant this, kube-state-metrics (kube_secret_created) tells when each Secret was
# created. keywatch does not read it.
# keywatch trail --operator checks whether the API server writes an audit log. For that, it lists
# the pods in kube-system{extra}.
"""
_INCLUDED = ", which this allows"
_EXTRA = ": add a Role and a RoleBinding there with the verb list for pods"
_WIDE = (
    "With `namespaces: [...]` in the operator config, Roles\n# instead of a ClusterRole are enough."
)
_NARROW = "These Roles are for the namespaces in\n# the operator config."
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
    """Manifests: Roles in these namespaces, or a ClusterRole if there are none."""
    resources: dict[str, list[str]] = defaultdict(list)
    for group, resource in NEEDED:
        resources[group].append(resource)
    rules = "\n".join(
        _RULE.format(group=group, resources=", ".join(names)) for group, names in resources.items()
    )
    metadata = [f"\n  namespace: {name}" for name in namespaces] or [""]
    scope = "" if namespaces else "Cluster"
    is_narrow = namespaces and "kube-system" not in namespaces
    head = _HEAD.format(
        backend=backend,
        narrower=_NARROW if namespaces else _WIDE,
        extra=_EXTRA if is_narrow else _INCLUDED,
    )
    return head + "".join(
        _GRANT.format(scope=scope, place=namespace, rules=rules) for namespace in metadata
    )
