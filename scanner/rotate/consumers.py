"""Restart the workloads that use a secret, and prove that they run with the new value."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scanner.inventory.errors import ReadError
from scanner.inventory.kubernetes.json_fields import at, each, moment, number, text
from scanner.rotate import commands
from scanner.rotate.config import Consumer
from scanner.rotate.executors.interface import Target
from scanner.rotate.machine import Step, Work
from scanner.rotate.model import NotReadyError, Outcome, RefusedError
from scanner.rotate.stores import SecretId, kubernetes_error

if TYPE_CHECKING:
    from scanner.inventory.kubernetes.api import KubernetesApi

ANNOTATION = "keywatch/rotation"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
_PATCH = "application/strategic-merge-patch+json"
_PLURALS = {"deployment": "deployments", "statefulset": "statefulsets", "daemonset": "daemonsets"}
_CSI = "apis/secrets-store.csi.x-k8s.io/v1"
_POLL = 0.5
_TODO = "make it ready (kubectl rollout status), then run keywatch rotate resume"

RIGHTS = (
    "Kubernetes: get and patch on the workload, list on pods of its namespace",
    "with proof: csi, list on secretproviderclasspodstatuses",
)


def steps(target: Target, consumer: Consumer) -> Iterator[Step]:
    """Restart it, unless it follows by itself, and wait until it is proven."""
    workload = _Workload(target, consumer)
    if consumer.proof == "pods":
        yield Step(f"restart {consumer.id}", workload.restart, seen=workload.restarted)
    yield Step(f"ready {consumer.id}", workload.ready)


class _Workload:
    def __init__(self, target: Target, consumer: Consumer) -> None:
        self._target = target
        self._consumer = consumer
        self._place = SecretId(consumer.id)
        self._namespace, self._kind, self._name = self._place.parts

    def restart(self, work: Work) -> Outcome:
        annotations = {ANNOTATION: work.rotation.id, RESTARTED: work.now().isoformat()}
        body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        try:
            self._api.write("PATCH", self._path, body, _PATCH)
        except ReadError as error:
            raise kubernetes_error(self._place, error) from None
        return Outcome()

    def restarted(self, work: Work) -> Outcome | None:
        template = at(self._get(self._path), "spec", "template", "metadata", "annotations")
        return Outcome() if at(template, ANNOTATION) == work.rotation.id else None

    def ready(self, work: Work) -> Outcome:
        """Wait. NotReadyError names what is still on the old value."""
        end = time.monotonic() + self._consumer.timeout
        check = {"pods": self._stale_pods, "csi": self._stale_mounts, "command": self._refused}
        find = partial(check[self._consumer.proof], work)
        while stale := find():
            if time.monotonic() + _POLL >= end:
                raise NotReadyError(f"{self._consumer.id}: {stale}", _TODO)
            time.sleep(_POLL)
        return Outcome(proofs=(f"{self._consumer.id} runs with the new value",))

    def _refused(self, work: Work) -> str:
        said = {"action": "ready", "workload": self._consumer.id, "rotation": work.rotation.id}
        assert self._consumer.command  # noqa: S101 - the schema demands it
        try:
            commands.run(self._consumer.command, said, self._target.environ)
        except RefusedError as error:
            return error.reason
        return ""

    def _stale_pods(self, work: Work) -> str:
        """What is not ready or older than the rotation, in words; "" if all is well."""
        workload = self._get(self._path)
        if not _rolled_out(workload, self._kind):
            return "its rollout has not finished"
        old = [text(pod, "metadata", "name") for pod in self._pods(workload) if _is_old(pod, work)]
        return f"older than the rotation: {', '.join(old[:5])}" if old else ""

    def _stale_mounts(self, work: Work) -> str:
        names = {text(pod, "metadata", "name") for pod in self._pods(self._get(self._path))}
        since: dict[str, datetime | None] = {}
        for status in self._items(
            f"/{_CSI}/namespaces/{self._namespace}/secretproviderclasspodstatuses"
        ):
            pod = text(status, "status", "podName")
            times = [moment(one, "time") for one in each(status, "metadata", "managedFields")]
            times.append(moment(status, "metadata", "creationTimestamp"))
            since[pod] = max(filter(None, times), default=None)
        stored = _stored(work)
        old = sorted(pod for pod in names if not (when := since.get(pod)) or when < stored)
        return f"mounted an older version: {', '.join(old[:5])}" if old else ""

    def _pods(self, workload: object) -> Iterator[object]:
        labels = at(workload, "spec", "selector", "matchLabels")
        if not isinstance(labels, dict) or not labels:
            raise RefusedError(f"{self._consumer.id} selects its pods by no labels")
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        return self._items(f"/api/v1/namespaces/{self._namespace}/pods", selector)

    def _items(self, path: str, selector: str = "") -> Iterator[object]:
        try:
            query = {"labelSelector": selector} if selector else {}
            yield from list(self._api.items(path, metadata=False, **query))
        except ReadError as error:
            raise kubernetes_error(self._place, error) from None

    def _get(self, path: str) -> Mapping[str, Any]:
        try:
            return self._api.get(path)
        except ReadError as error:
            raise kubernetes_error(self._place, error) from None

    @property
    def _api(self) -> KubernetesApi:
        return self._target.stores.kubernetes(self._place)

    @property
    def _path(self) -> str:
        kind = _PLURALS[self._kind]
        return f"/apis/apps/v1/namespaces/{quote(self._namespace)}/{kind}/{quote(self._name)}"


def _rolled_out(workload: object, kind: str) -> bool:
    if number(workload, "status", "observedGeneration") < number(
        workload, "metadata", "generation"
    ):
        return False
    status = partial(number, workload, "status")
    if kind == "daemonset":
        wanted = status("desiredNumberScheduled")
        return wanted == status("updatedNumberScheduled") == status("numberAvailable")
    wanted = number(workload, "spec", "replicas")
    updated = status("updatedReplicas")
    ready = status("readyReplicas") if kind == "statefulset" else status("availableReplicas")
    return wanted == updated == ready == status("replicas")


def _is_old(pod: object, work: Work) -> bool:
    """A pod of the restarted template names the rotation. Any later pod is new, too."""
    if at(pod, "metadata", "annotations", ANNOTATION) == work.rotation.id:
        return False
    created = moment(pod, "metadata", "creationTimestamp")
    return created is None or created < _stored(work)


def _stored(work: Work) -> datetime:
    return datetime.fromisoformat(work.facts["stored_at"])
