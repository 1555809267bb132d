"""Inventory: which workloads have an older version mounted than others (Secrets Store CSI driver).

The driver mounts objects directly from a store. For each pod it records the version of each object,
and updates that when it mounts another version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from scanner.inventory.kubernetes.json_fields import each, moment, text

GROUP = "secrets-store.csi.x-k8s.io"
CLASSES, STATUSES = "secretproviderclasses", "secretproviderclasspodstatuses"


class _Mount(NamedTuple):
    """What one pod has mounted of a class, and since when. `versions` is by object ID."""

    since: datetime
    pod: str
    versions: Mapping[str, str]

    def differs(self, other: _Mount) -> bool:
        both = self.versions.keys() & other.versions.keys()
        return any(self.versions[one] != other.versions[one] for one in both)


class Mounts:
    """Mounts by namespace and SecretProviderClass. A class may also write Secrets."""

    def __init__(self) -> None:
        self._workloads: dict[tuple[str, str], str] = {}
        self._mounts: dict[tuple[str, str], list[_Mount]] = defaultdict(list)
        self._classes: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add_class(self, item: object) -> None:
        namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        for one in each(item, "spec", "secretObjects"):
            self._classes[namespace, text(one, "secretName")].add(name)

    def add_status(self, item: object) -> None:
        written = (moment(one, "time") for one in each(item, "metadata", "managedFields"))
        made = moment(item, "metadata", "creationTimestamp")
        since = max(filter(None, (made, *written)), default=None)
        if since:
            objects = each(item, "status", "objects")
            versions = {text(one, "id"): text(one, "version") for one in objects}
            mount = _Mount(since=since, pod=text(item, "status", "podName"), versions=versions)
            name = text(item, "status", "secretProviderClassName")
            self._mounts[text(item, "metadata", "namespace"), name].append(mount)

    def add_pod(self, namespace: str, name: str, workload: str) -> None:
        self._workloads[namespace, name] = workload

    def outdated(self, namespace: str, secret: str) -> Iterator[str]:
        """The workloads with an older version, for the classes that also write this Secret."""
        for name in sorted(self._classes.get((namespace, secret), ())):
            yield from self._outdated_in(namespace, name)

    def without_secret(self) -> Iterator[tuple[str, str, str]]:
        """The same for classes that write no Secret: namespace, class and workloads."""
        written = {(space, name) for (space, _), names in self._classes.items() for name in names}
        for namespace, name in sorted(self._mounts.keys() - written):
            if outdated := [*self._outdated_in(namespace, name)]:
                yield namespace, name, ", ".join(outdated)

    def _outdated_in(self, namespace: str, name: str) -> Iterator[str]:
        mounts = sorted(self._mounts.get((namespace, name), ()), key=lambda one: one[:2])
        since: dict[str, datetime] = {}
        for mount in mounts:
            workload = self._workloads.get((namespace, mount.pod))  # None: the pod is gone
            if workload and mount.differs(mounts[-1]):
                since.setdefault(workload, mount.since)
        for workload, when in sorted(since.items()):
            yield f"{workload}, with an older version of {name} since {when:%Y-%m-%d %H:%M} UTC"
