"""Inventory: whether the API servers of a cluster write an audit log, by their arguments.

Only a control plane that runs as Pods of the cluster can be seen: kubeadm, kOps, RKE2 and kind run
it so, managed clusters do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.kubernetes import login
from scanner.inventory.kubernetes.api import KubernetesApi
from scanner.inventory.kubernetes.json_fields import each, text
from scanner.model import Gap

NAMESPACE = "kube-system"
_CONTAINER = "kube-apiserver"
_SET = re.compile(
    r"""(?:^|[\s"'])--(audit-policy-file|audit-log-path|audit-webhook-config-file)"""
    r"""(?:=|\s+)["']?(?!--)[^\s"']"""
)
_POLICY = "audit-policy-file"


class ApiServer(NamedTuple):
    """A Pod of an API server. `has_policy`: it has an audit policy. `has_log`: it writes the events
    to a log or sends them to a webhook."""

    pod: str
    has_policy: bool
    has_log: bool


def read(settings: Settings) -> tuple[ApiServer, ...] | Gap:
    """All API servers that run as Pods. Empty if there are none. A Gap if they cannot be listed."""
    try:
        configuration = login.configuration(settings.options, settings.environ)
        api = KubernetesApi(configuration, settings.timeout)
        pods = api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
        return tuple(server for pod in pods for server in _servers(pod))
    except ReadError as error:
        return gap(f"k8s://{settings.name}/{NAMESPACE}/pods", error)


def _servers(pod: object) -> Iterator[ApiServer]:
    for container in each(pod, "spec", "containers"):
        if text(container, "name") == _CONTAINER:
            words = (*each(container, "command"), *each(container, "args"))
            line = "\n".join(word for word in words if isinstance(word, str))
            given = set(_SET.findall(line))
            name = text(pod, "metadata", "name")
            yield ApiServer(name, _POLICY in given, bool(given - {_POLICY}))
