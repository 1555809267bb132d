"""Inventory: which workloads read a Secret at their start alone, and since when they run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from scanner.inventory.kubernetes.fields import at, each, moment, text
from scanner.inventory.kubernetes.mounts import Mounts

WORKLOADS = ("deployments", "statefulsets", "daemonsets")
"""Resources of the group `apps` that Reloader restarts."""

_CSI = "secrets-store.csi.k8s.io"
_AUTO = ("reloader.stakater.com/auto", "secret.reloader.stakater.com/auto")
_NAMED = "secret.reloader.stakater.com/reload"
_SEARCH = "reloader.stakater.com/search"
_ASKED = (*_AUTO, _NAMED, _SEARCH)
_MATCH = "reloader.stakater.com/match"
_IGNORE = "reloader.stakater.com/ignore"


class Consumers:
    """Workloads by the Secret that they read: variables and `subPath` mounts are made when a
    container starts, other volumes follow the Secret."""

    def __init__(self) -> None:
        self.mounts = Mounts()
        self._since: dict[tuple[str, str], dict[str, datetime]] = {}
        self._asked: dict[tuple[str, str], dict[str, str]] = {}

    def add_pod(self, pod: object) -> None:
        namespace = text(pod, "metadata", "namespace")
        workload = _workload(pod)
        if any(text(one, "csi", "driver") == _CSI for one in each(pod, "spec", "volumes")):
            self.mounts.add_pod(namespace, text(pod, "metadata", "name"), workload)
        self._asked.setdefault((namespace, workload), _of_reloader(pod))
        for name, since in _started(pod).items():
            for secret in _read_at_start(pod, name):
                seen = self._since.setdefault((namespace, secret), {})
                seen[workload] = min(since, seen.get(workload, since))

    def add_workload(self, resource: str, item: object) -> None:
        """Its annotations, which count before those of its pods."""
        namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        key = (namespace, f"{resource.removesuffix('s')}/{name}")
        self._asked[key] = self._asked.get(key, {}) | _of_reloader(item)

    def stale(
        self, secret: object, changed: datetime | None, restarted: frozenset[str]
    ) -> tuple[str, ...]:
        """The workloads that run since before the value changed. `restarted`: those that another
        controller is to restart."""
        key = (text(secret, "metadata", "namespace"), text(secret, "metadata", "name"))
        running = tuple(
            f"{workload}, running since {since:%Y-%m-%d %H:%M} UTC"
            + (", which its controller was to restart" if workload in restarted else "")
            + (", which Reloader was to restart" if self._reloads(key, workload, secret) else "")
            for workload, since in sorted(self._since.get(key, {}).items())
            if changed and since < changed
        )
        return (*running, *self.mounts.behind(*key))

    def _reloads(self, key: tuple[str, str], workload: str, secret: object) -> bool:
        namespace, name = key
        asked = self._asked.get((namespace, workload), {})
        if text(secret, "metadata", "annotations", _IGNORE) == "true":
            return False
        named = asked.get(_NAMED, "").split(",")
        matches = text(secret, "metadata", "annotations", _MATCH) == "true"
        return (
            any(asked.get(auto) == "true" for auto in _AUTO)
            or name in map(str.strip, named)
            or (asked.get(_SEARCH) == "true" and matches)
        )


def _of_reloader(item: object) -> dict[str, str]:
    asked = {key: text(item, "metadata", "annotations", key) for key in _ASKED}
    return {key: value for key, value in asked.items() if value}


def _workload(pod: object) -> str:
    """`deployment/web`. A ReplicaSet of a Deployment is named after it and the hash of its pods."""
    name = text(pod, "metadata", "name")
    for owner in each(pod, "metadata", "ownerReferences"):
        if at(owner, "controller") is True:
            kind, name = text(owner, "kind").lower(), text(owner, "name")
            of = name.removesuffix("-" + text(pod, "metadata", "labels", "pod-template-hash"))
            is_deployed = kind == "replicaset" and of != name
            return f"deployment/{of}" if is_deployed else f"{kind}/{name}"
    return f"pod/{name}"


def _started(pod: object) -> dict[str, datetime]:
    """Since when each container runs that does."""
    statuses = (
        status
        for kind in ("containerStatuses", "initContainerStatuses")
        for status in each(pod, "status", kind)
    )
    times = ((text(one, "name"), moment(one, "state", "running", "startedAt")) for one in statuses)
    return {name: since for name, since in times if since}


def _read_at_start(pod: object, container: str) -> set[str]:
    """The names of the Secrets."""
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
