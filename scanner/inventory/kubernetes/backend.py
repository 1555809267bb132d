"""Inventory: read one cluster.

The objects of controllers and the workloads come first, then the Secrets page by page. So
memory holds what other objects say about Secrets, but not the Secrets themselves.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

from scanner.inventory.errors import ReadError
from scanner.inventory.http import clock_ahead
from scanner.inventory.interface import Settings
from scanner.inventory.kubernetes import login
from scanner.inventory.kubernetes.api import KubernetesApi, ends_reading
from scanner.inventory.kubernetes.consumers import WORKLOADS, Consumers
from scanner.inventory.kubernetes.controllers import CONTROLLERS, ControllerReport
from scanner.inventory.kubernetes.csi_mounts import CLASSES, GROUP, STATUSES
from scanner.inventory.kubernetes.excess_rights import excess
from scanner.inventory.kubernetes.json_fields import each, moment, text
from scanner.inventory.kubernetes.secrets import (
    HELM,
    SELECTORS,
    changed,
    mark_of,
    record,
    updated_mark,
)
from scanner.model import Gap, GapKind, Note, NoteKind
from scanner.records import Record

_SKEW = timedelta(minutes=5)
_SEALING = "sealedsecrets.bitnami.com/sealed-secrets-key"


class _ListRequest(NamedTuple):
    """A list to read before the Secrets, and the function that takes its objects."""

    resource: str
    path: str
    take: Callable[[object], None]
    metadata: bool = False


class _Reports:
    """What other objects say about the Secrets, and what is counted while Secrets are read."""

    def __init__(self, now: datetime) -> None:
        self.consumers = Consumers()
        self.controllers: dict[tuple[str, str], list[ControllerReport]] = defaultdict(list)
        self.sealing: dict[str, list[object]] = defaultdict(list)
        self.helm = 0
        self.count = 0
        self._now = now

    def add(self, read: Callable[[object, datetime], ControllerReport], item: object) -> None:
        report = read(item, self._now)
        if report.secret:
            key = text(item, "metadata", "namespace"), report.secret
            self.controllers[key].append(report)


class KubernetesBackend:
    """A Backend (see interface.py)."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._root = f"k8s://{settings.name}"
        self._namespaces: tuple[str, ...] = tuple(settings.options.get("namespaces", ()))
        self._now = now
        self._made = time.monotonic()
        self._ahead = timedelta()

    def read(self) -> Iterator[Record | Gap | Note]:
        try:
            api = self._api()
            groups = _groups(api)
            yield from self._skew(api)
            for namespace in self._namespaces or ("",):
                yield from self._scope(api, groups, namespace)
        except ReadError as error:
            yield Gap(kind=error.kind, path=self._root, reason=error.reason)

    def excess(self) -> Iterator[str]:
        try:
            yield from excess(self._api(), self._namespaces)
        except ReadError as error:
            yield f"its excess permissions are unknown: {error.reason}"

    def close(self) -> None:
        """Its credentials end by themselves."""

    def _api(self) -> KubernetesApi:
        found = login.configuration(self._settings.options, self._settings.environ)
        return KubernetesApi(found, self._settings.timeout)

    def _skew(self, api: KubernetesApi) -> Iterator[Note]:
        here = (self._settings.clock or self._now) + timedelta(
            seconds=time.monotonic() - self._made
        )
        ahead = clock_ahead(api.clock, here)
        if api.clock and abs(ahead) > _SKEW:
            self._ahead = ahead
            message = (
                f"the server's clock says {api.clock:%Y-%m-%d %H:%M} UTC, this machine's "
                f"{api.clock - ahead:%Y-%m-%d %H:%M} UTC: the dates that it wrote are corrected"
            )
            yield Note(kind=NoteKind.CLOCK, path=self._root, text=message)

    def _scope(
        self, api: KubernetesApi, groups: Mapping[str, str], namespace: str
    ) -> Iterator[Record | Gap | Note]:
        """Read one namespace, or all of them if `namespace` is ""."""
        reports = _Reports(self._now)
        for request in _lists(groups, namespace, reports):
            try:
                for item in api.items(request.path, metadata=request.metadata):
                    request.take(item)
            except ReadError as error:
                if ends_reading(error):
                    raise
                if error.kind != "absent":
                    path = f"{self._root}/{namespace or '*'}/{request.resource}"
                    yield Gap(kind=error.kind, path=path, reason=error.reason)
        yield from self._secrets(api, namespace, reports)

    def _secrets(
        self, api: KubernetesApi, namespace: str, reports: _Reports
    ) -> Iterator[Record | Gap | Note]:
        store_path = f"{self._root}/{namespace}" if namespace else self._root
        try:
            for kind, selector in SELECTORS:
                path = _path("api/v1", namespace, "secrets")
                for item in api.items(path, metadata=True, fieldSelector=selector):
                    yield from self._secret(item, kind, reports)
        except ReadError as error:
            reason = f"{error.reason}; {reports.count:,} Secrets were read before"
            if ends_reading(error):
                raise ReadError(error.kind, reason) from None
            yield Gap(kind=error.kind, path=store_path, reason=reason)
        else:
            yield from self._after_secrets(reports)
            if namespace and not reports.count:
                reason = "it contains no Secrets: does this namespace exist?"
                yield Gap(kind=GapKind.EMPTY, path=store_path, reason=reason)

    def _secret(self, item: object, kind: str, reports: _Reports) -> Iterator[Record | Gap]:
        namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        if not (namespace and name):
            reason = "a Secret in the list has no readable name"
            yield Gap(kind=GapKind.UNREADABLE, path=self._root, reason=reason)
            return
        reports.count += 1
        if kind == HELM:
            reports.helm += 1
        elif text(item, "metadata", "labels", _SEALING):
            reports.sealing[namespace].append(item)
        else:
            yield self._record(item, kind, reports)

    def _record(self, item: object, kind: str, reports: _Reports) -> Record:
        key = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        ident = self._ident(*key)
        controllers = reports.controllers.pop(key, [])
        mark = mark_of(item, ident, controllers)
        known = self._settings.known.get(ident)
        seen = updated_mark(mark, known, self._now) if mark else None
        found = record(item, kind, ident, controllers, seen, self._ahead)
        restarts = frozenset[str]().union(*(report.restarts for report in controllers))
        return found._replace(stale=reports.consumers.stale(item, changed(found), restarts))

    def _after_secrets(self, reports: _Reports) -> Iterator[Record | Note]:
        """What is known only after the whole list was read."""
        for namespace, keys in sorted(reports.sealing.items()):
            keys.sort(key=lambda key: moment(key, "metadata", "creationTimestamp") or self._now)
            yield self._record(keys[-1], "sealing-key", reports)
            if keys[:-1]:
                kept = f"{len(keys) - 1:,} older sealing keys only decrypt older sealed secrets"
                yield Note(
                    kind=NoteKind.SUPERSEDED, path=f"{self._root}/{namespace}/secret", text=kept
                )
        for (namespace, name), controllers in sorted(reports.controllers.items()):
            absent = f"{controllers[0].name} should create it, but it does not exist"
            yield Note(kind=NoteKind.UNWRITTEN, path=self._ident(namespace, name), text=absent)
        for namespace, name, who in reports.consumers.mounts.without_secret():
            path = self._ident(namespace, name, kind="secretproviderclass")
            yield Note(kind=NoteKind.CONSUMER_ON_OLD_VALUE, path=path, text=who)
        if reports.helm:
            left = f"{reports.helm:,} Secrets contain Helm releases with the values given to Helm"
            yield Note(kind=NoteKind.HELM_RELEASES, path=self._root, text=left)

    def _ident(self, namespace: str, name: str, kind: str = "secret") -> str:
        return f"{self._root}/{quote(namespace, safe='')}/{kind}/{quote(name, safe='')}"


def _groups(api: KubernetesApi) -> Mapping[str, str]:
    """The path of each API group on the server, in the version that it prefers."""
    tree = api.get("/apis")
    if text(tree, "kind") != "APIGroupList":
        raise ReadError("unreadable", "it returns no list of API groups: is it an API server?")
    return {
        text(group, "name"): f"apis/{text(group, 'preferredVersion', 'groupVersion')}"
        for group in each(tree, "groups")
    }


def _lists(groups: Mapping[str, str], namespace: str, reports: _Reports) -> Iterator[_ListRequest]:
    """The lists to read. A controller that is not installed is not a gap."""
    for (group, resource), read in CONTROLLERS.items():
        if group in groups:
            path = _path(groups[group], namespace, resource)
            yield _ListRequest(resource=resource, path=path, take=partial(reports.add, read))
    mounts = reports.consumers.mounts
    for resource, take in ((CLASSES, mounts.add_class), (STATUSES, mounts.add_status)):
        if GROUP in groups:
            path = _path(groups[GROUP], namespace, resource)
            yield _ListRequest(resource=resource, path=path, take=take)
    path = _path("api/v1", namespace, "pods")
    yield _ListRequest(resource="pods", path=path, take=reports.consumers.add_pod)
    for resource in WORKLOADS:
        path = _path("apis/apps/v1", namespace, resource)
        found = partial(reports.consumers.add_workload, resource)
        yield _ListRequest(resource=resource, path=path, take=found, metadata=True)


def _path(version: str, namespace: str, resource: str) -> str:
    within = f"namespaces/{namespace}/" if namespace else ""
    return f"/{version}/{within}{resource}"
