"""Workloads and Leases of the Kubernetes fake: rollouts that succeed, hang or fail."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from tests.support import kubernetes_server
from tests.support.kubernetes_server import Object, Reply, Request, Server

_WORKLOAD = re.compile(r"/apis/apps/v1/namespaces/([^/]+)/deployments/([^/]+)")
_PODS = re.compile(r"/api/v1/namespaces/([^/]+)/pods")
_MOUNTS = re.compile(
    r"/apis/secrets-store\.csi\.x-k8s\.io/v1/namespaces/([^/]+)/secretproviderclasspodstatuses"
)
_LEASE = re.compile(r"/apis/coordination.k8s.io/v1/namespaces/([^/]+)/leases/?([^/]*)")


def deployment(name: str) -> Object:
    status = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "prod", "generation": 1},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"annotations": {}}},
        },
        "status": status,
    }


class Cluster:
    """Its rollouts end at once (`succeeds`), never (`hangs`), or are refused (`fails`)."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.kubeconfig = kubernetes_server.kubeconfig(server, folder)
        self.mode = "succeeds"
        self.deployments: dict[str, Object] = {}
        self.leases: dict[str, Object] = {}
        self.restarts: list[str] = []
        self.mounted: dict[str, datetime] = {}
        """When the CSI driver last wrote the status of each pod."""
        self._versions = itertools.count(1)
        server.interrupt = self.answer

    def add(self, name: str) -> str:
        """A deployment with two pods that run since long ago. Its id."""
        self.deployments[name] = deployment(name)
        return f"k8s://eks/prod/deployment/{name}"

    def answer(self, request: Request) -> Reply | None:
        self.server.date = format_datetime(datetime.now(UTC), usegmt=True)
        if found := _WORKLOAD.fullmatch(request.path):
            return self._workload(request, found[2])
        if _PODS.fullmatch(request.path):
            return self._pods(request.query["labelSelector"].partition("=")[2])
        if _MOUNTS.fullmatch(request.path):
            return self._mounts()
        if found := _LEASE.fullmatch(request.path):
            return self._lease(request, found[2] or request.body["metadata"]["name"])
        return None

    def _workload(self, request: Request, name: str) -> Reply:
        if name not in self.deployments:
            return Reply(404, {"kind": "Status", "code": 404})
        one = self.deployments[name]
        if request.method == "PATCH":
            if self.mode == "fails":
                return Reply(403, {"kind": "Status", "code": 403})
            given = request.body["spec"]["template"]["metadata"]["annotations"]
            held = one["spec"]["template"]["metadata"]["annotations"]
            if {**held, **given} != held:
                held |= given
                one["metadata"]["generation"] += 1
                self.restarts.append(name)
        if self.mode == "succeeds":
            one["status"]["observedGeneration"] = one["metadata"]["generation"]
        return Reply(200, copy.deepcopy(one))

    def _pods(self, name: str) -> Reply:
        one = self.deployments[name]
        rolled = one["status"]["observedGeneration"] == one["metadata"]["generation"]
        annotations = one["spec"]["template"]["metadata"]["annotations"] if rolled else {}
        pods = [
            {
                "metadata": {
                    "name": f"{name}-{number}",
                    "namespace": "prod",
                    "annotations": annotations,
                    "creationTimestamp": "2026-01-05T08:00:00Z",
                }
            }
            for number in range(2)
        ]
        return Reply(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})

    def _mounts(self) -> Reply:
        """As the driver's CRD has them: it updates the status of a pod when it mounts again."""
        items = [
            {
                "apiVersion": "secrets-store.csi.x-k8s.io/v1",
                "kind": "SecretProviderClassPodStatus",
                "metadata": {
                    "name": f"{pod}-prod-vault",
                    "namespace": "prod",
                    "creationTimestamp": "2026-01-05T08:00:00Z",
                    "managedFields": [{"manager": "secrets-store-csi-driver", "time": _utc(time)}],
                },
                "status": {
                    "podName": pod,
                    "secretProviderClassName": "vault",
                    "mounted": True,
                    "objects": [{"id": "key", "version": "2"}],
                },
            }
            for pod, time in self.mounted.items()
        ]
        return Reply(
            200,
            {
                "kind": "SecretProviderClassPodStatusList",
                "apiVersion": "secrets-store.csi.x-k8s.io/v1",
                "metadata": {},
                "items": items,
            },
        )

    def _lease(self, request: Request, name: str) -> Reply:
        held = self.leases.get(name)
        if request.method == "GET":
            return Reply(200, held) if held else Reply(404, {"kind": "Status", "code": 404})
        given = request.body["metadata"].get("resourceVersion")
        if (held["metadata"]["resourceVersion"] if held else None) != given:
            return Reply(409, {"kind": "Status", "code": 409})
        lease = copy.deepcopy(request.body)
        lease["metadata"]["resourceVersion"] = str(next(self._versions))
        self.leases[name] = lease
        return Reply(200, lease)


def _utc(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    with kubernetes_server.serving() as server:
        yield Cluster(server, folder)
