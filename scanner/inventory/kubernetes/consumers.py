"""Inventory: which workloads read a Secret only when they start, and how long they have run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from scanner.inventory.kubernetes.csi_mounts import Mounts
from scanner.inventory.kubernetes.json_fields import at, each, moment, text

WORKLOADS = ("deployments", "statefulsets", "daemonsets")
"""Resources of the API group `apps` that Reloader restarts."""

_CSI = "secrets-store.csi.k8s.io"
_AUTO = ("reloader.stakater.com/auto", "secret.reloader.stakater.com/auto")
_NAMED = "secret.reloader.stakater.com/reload"
_SEARCH = "reloader.stakater.com/search"
_RELOADER_ANNOTATIONS = (*_AUTO, _NAMED, _SEARCH)
_MATCH = "reloader.stakater.com/match"
_IGNORE = "reloader.stakater.com/ignore"


class Consumers:
    """Workloads by the Secret that they read.

    Variables and `subPath` mounts are set when a container starts. Other volumes follow the Secret.
    """

    def __init__(self) -> None:
        self.mounts = Mounts()
        self._since: dict[tuple[str, str], dict[str, datetime]] = {}
        self._annotations: dict[tuple[str, str], dict[str, str]] = {}

    def add_pod(self, pod: object) -> None:
        namespace = text(pod, "metadata", "namespace")
        workload = _workload(pod)
        if any(text(one, "csi", "driver") == _CSI for one in each(pod, "spec", "volumes")):
            self.mounts.add_pod(namespace, text(pod, "metadata", "name"), workload)
        self._annotations.setdefault((namespace, workload), _of_reloader(pod))
        for name, since in _started(pod).items():
            for secret in _read_at_start(pod, name):
                seen = self._since.setdefault((namespace, secret), {})
                seen[workload] = min(since, seen.get(workload, since))

    def add_workload(self, resource: str, item: object) -> None:
        """Remember its annotations. They take precedence over those of its pods."""
        namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        key = (namespace, f"{resource.removesuffix('s')}/{name}")
        self._annotations[key] = self._annotations.get(key, {}) | _of_reloader(item)

    def stale(
        self, secret: object, changed: datetime | None, restarted: frozenset[str]
    ) -> tuple[str, ...]:
        """The workloads that were started before the value changed.

        `restarted`: the workloads that another controller should restart.
        """
        key = (text(secret, "metadata", "namespace"), text(secret, "metadata", "name"))
        running = tuple(
            f"{workload}, running since {since:%Y-%m-%d %H:%M} UTC"
            + (
                ", although its controller should have restarted it"
                if workload in restarted
                else ""
            )
            + (
                ", although Reloader should have restarted it"
                if self._reloads(key, workload, secret)
                else ""
            )
            for workload, since in sorted(self._since.get(key, {}).items())
            if changed and since < changed
        )
        return (*running, *self.mounts.outdated(*key))

    def _reloads(self, key: tuple[str, str], workload: str, secret: object) -> bool:
        namespace, name = key
        annotations = self._annotations.get((namespace, workload), {})
        if text(secret, "metadata", "annotations", _IGNORE) == "true":
            return False
        named = annotations.get(_NAMED, "").split(",")
        matches = text(secret, "metadata", "annotations", _MATCH) == "true"
        return (
            any(annotations.get(auto) == "true" for auto in _AUTO)
            or name in map(str.strip, named)
            or (annotations.get(_SEARCH) == "true" and matches)
        )


def _of_reloader(item: object) -> dict[str, str]:
    annotations = {key: text(item, "metadata", "annotations", key) for key in _RELOADER_ANNOTATIONS}
    return {key: value for key, value in annotations.items() if value}


def _workload(pod: object) -> str:
    """For example `deployment/web`. A ReplicaSet has the name of its Deployment and a hash."""
    name = text(pod, "metadata", "name")
    for owner in each(pod, "metadata", "ownerReferences"):
        if at(owner, "controller") is True:
            kind, name = text(owner, "kind").lower(), text(owner, "name")
            of = name.removesuffix("-" + text(pod, "metadata", "labels", "pod-template-hash"))
            is_deployed = kind == "replicaset" and of != name
            return f"deployment/{of}" if is_deployed else f"{kind}/{name}"
    return f"pod/{name}"


def _started(pod: object) -> dict[str, datetime]:
    """When each running container was started."""
    statuses = (
        status
        for kind in ("containerStatuses", "initContainerStatuses")
        for status in each(pod, "status", kind)
    )
    times = ((text(one, "name"), moment(one, "state", "running", "startedAt")) for one in statuses)
    return {name: since for name, since in times if since}


def _read_at_start(pod: object, container: str) -> set[str]:
    """The names of the Secrets that the container reads when it starts."""
    found = set()
    for one in _containers(pod):
        if text(one, "name") == container:
            found |= {text(env, "secretRef", "name") for env in each(one, "envFrom")}
            found |= {text(env, "valueFrom", "secretKeyRef", "name") for env in each(one, "env")}
            for mount in each(one, "volumeMounts"):
                if text(mount, "subPath") or text(mount, "subPathExpr"):
                    found |= _of_volume(pod, text(mount, "name"))
    return found - {""}


def _containers(pod: object) -> Iterator[object]:
    yield from each(pod, "spec", "containers")
    yield from each(pod, "spec", "initContainers")


def _of_volume(pod: object, name: str) -> set[str]:
    found = set()
    for volume in each(pod, "spec", "volumes"):
        if text(volume, "name") == name:
            found.add(text(volume, "secret", "secretName"))
            for source in each(volume, "projected", "sources"):
                found.add(text(source, "secret", "name"))
    return found
