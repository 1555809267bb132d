"""Inventory: all that is read of one cluster.

First the objects of controllers and the workloads, then the Secrets, page by page: what is kept
grows with what is said of Secrets, not with the Secrets themselves.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

from scanner.inventory.interface import Settings
from scanner.inventory.kubernetes import login
from scanner.inventory.kubernetes.consumers import WORKLOADS, Consumers
from scanner.inventory.kubernetes.excess import excess
from scanner.inventory.kubernetes.fields import each, moment, text
from scanner.inventory.kubernetes.http import UnreadError, Wire
from scanner.inventory.kubernetes.mounts import CLASSES, GROUP, STATUSES
from scanner.inventory.kubernetes.secrets import HELM, SELECTORS, changed, mark_of, record, sighted
from scanner.inventory.kubernetes.sources import SOURCES, Source
from scanner.model import Gap, GapKind, Note, NoteKind
from scanner.records import Record

_SKEW = timedelta(minutes=5)
_SEALING = "sealedsecrets.bitnami.com/sealed-secrets-key"


class _List(NamedTuple):
    """A list to read before the Secrets, and what takes its objects."""

    resource: str
    path: str
    take: Callable[[object], None]
    metadata: bool = False


class _Told:
    """What is known of Secrets before they are read, and what is put by while they are."""

    def __init__(self, now: datetime) -> None:
        self.consumers = Consumers()
        self.sources: dict[tuple[str, str], list[Source]] = defaultdict(list)
        self.sealing: dict[str, list[object]] = defaultdict(list)
        self.helm = 0
        self.count = 0
        self._now = now

    def add(self, read: Callable[[object, datetime], Source], item: object) -> None:
        source = read(item, self._now)
        if source.secret:
            self.sources[text(item, "metadata", "namespace"), source.secret].append(source)


class Cluster:
    """A Backend."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._root = f"k8s://{settings.name}"
        self._namespaces: tuple[str, ...] = tuple(settings.options.get("namespaces", ()))
        self._now = now
        self._made = time.monotonic()

    def read(self) -> Iterator[Record | Gap | Note]:
        try:
            wire = self._wire()
            groups = _groups(wire)
            yield from self._skew(wire)
            for namespace in self._namespaces or ("",):
                yield from self._scope(wire, groups, namespace)
        except UnreadError as error:
            yield Gap(kind=error.kind, path=self._root, reason=error.reason)

    def excess(self) -> Iterator[str]:
        try:
            yield from excess(self._wire(), self._namespaces)
        except UnreadError as error:
            yield f"its rights could not be asked for: {error.reason}"

    def _wire(self) -> Wire:
        found = login.configuration(self._settings.options, self._settings.environ)
        return Wire(found, self._settings.timeout)

    def _skew(self, wire: Wire) -> Iterator[Note]:
        here = self._now + timedelta(seconds=time.monotonic() - self._made)
        if wire.clock and abs(wire.clock - here) > _SKEW:
            said = f"the server says that it is {wire.clock:%Y-%m-%d %H:%M} UTC, this run takes it"
            taken = f"{said} to be {here:%Y-%m-%d %H:%M} UTC: ages are off by the difference"
            yield Note(kind=NoteKind.CLOCK, path=self._root, text=taken)

    def _scope(
        self, wire: Wire, groups: Mapping[str, str], namespace: str
    ) -> Iterator[Record | Gap | Note]:
        """One namespace, or all of them."""
        told = _Told(self._now)
        for one in _lists(groups, namespace, told):
            try:
                for item in wire.items(one.path, metadata=one.metadata):
                    one.take(item)
            except UnreadError as error:
                if error.final:
                    raise
                if error.kind != "absent":
                    place = f"{self._root}/{namespace or '*'}/{one.resource}"
                    yield Gap(kind=error.kind, path=place, reason=error.reason)
        yield from self._secrets(wire, namespace, told)

    def _secrets(self, wire: Wire, namespace: str, told: _Told) -> Iterator[Record | Gap | Note]:
        place = f"{self._root}/{namespace}" if namespace else self._root
        try:
            for kind, selector in SELECTORS:
                path = _path("api/v1", namespace, "secrets")
                for item in wire.items(path, metadata=True, fieldSelector=selector):
                    yield from self._secret(item, kind, told)
        except UnreadError as error:
            reason = f"{error.reason}; {told.count:,} Secrets were read before"
            if error.final:
                raise UnreadError(error.kind, reason, final=True) from None
            yield Gap(kind=error.kind, path=place, reason=reason)
        else:
            yield from self._afterwards(told)
            if namespace and not told.count:
                reason = "it has no Secret: is there such a namespace?"
                yield Gap(kind=GapKind.EMPTY, path=place, reason=reason)

    def _secret(self, item: object, kind: str, told: _Told) -> Iterator[Record | Gap]:
        namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        if not (namespace and name):
            reason = "a Secret of the list has no name that can be read"
            yield Gap(kind=GapKind.UNREADABLE, path=self._root, reason=reason)
            return
        told.count += 1
        if kind == HELM:
            told.helm += 1
        elif text(item, "metadata", "labels", _SEALING):
            told.sealing[namespace].append(item)
        else:
            yield self._record(item, kind, told)

    def _record(self, item: object, kind: str, told: _Told) -> Record:
        key = text(item, "metadata", "namespace"), text(item, "metadata", "name")
        ident = self._ident(*key)
        sources = told.sources.pop(key, [])
        mark = mark_of(item, ident, sources)
        seen = sighted(mark, self._settings.known.get(ident), self._now) if mark else None
        found = record(item, kind, ident, sources, seen)
        restarts = frozenset[str]().union(*(one.restarts for one in sources))
        return found._replace(stale=told.consumers.stale(item, changed(found), restarts))

    def _afterwards(self, told: _Told) -> Iterator[Record | Note]:
        """What only the whole list tells."""
        for namespace, keys in sorted(told.sealing.items()):
            keys.sort(key=lambda key: moment(key, "metadata", "creationTimestamp") or self._now)
            yield self._record(keys[-1], "sealing-key", told)
            if keys[:-1]:
                kept = f"{len(keys) - 1:,} older sealing keys only open what was sealed with them"
                yield Note(
                    kind=NoteKind.SUPERSEDED, path=f"{self._root}/{namespace}/secret", text=kept
                )
        for (namespace, name), sources in sorted(told.sources.items()):
            absent = f"{sources[0].said} is to write it, and it is not there"
            yield Note(kind=NoteKind.UNWRITTEN, path=self._ident(namespace, name), text=absent)
        for namespace, name, who in told.consumers.mounts.elsewhere():
            path = self._ident(namespace, name, kind="secretproviderclass")
            yield Note(kind=NoteKind.CONSUMER_ON_OLD_VALUE, path=path, text=who)
        if told.helm:
            left = f"{told.helm:,} releases that Helm keeps as Secrets, with the values given to it"
            yield Note(kind=NoteKind.HELM_RELEASES, path=self._root, text=left)

    def _ident(self, namespace: str, name: str, kind: str = "secret") -> str:
        return f"{self._root}/{quote(namespace, safe='')}/{kind}/{quote(name, safe='')}"


def _groups(wire: Wire) -> Mapping[str, str]:
    """The path of each API group that the server has, in the version that it prefers."""
    tree = wire.get("/apis")
    if text(tree, "kind") != "APIGroupList":
        raise UnreadError("unreadable", "it has no list of API groups: is it an API server?")
    return {
        text(group, "name"): f"apis/{text(group, 'preferredVersion', 'groupVersion')}"
        for group in each(tree, "groups")
    }


def _lists(groups: Mapping[str, str], namespace: str, told: _Told) -> Iterator[_List]:
    """Those of controllers that are installed; a group that the server has not is no gap."""
    for (group, resource), read in SOURCES.items():
        if group in groups:
            path = _path(groups[group], namespace, resource)
            yield _List(resource=resource, path=path, take=partial(told.add, read))
    mounts = told.consumers.mounts
    for resource, take in ((CLASSES, mounts.add_class), (STATUSES, mounts.add_status)):
        if GROUP in groups:
            path = _path(groups[GROUP], namespace, resource)
            yield _List(resource=resource, path=path, take=take)
    path = _path("api/v1", namespace, "pods")
    yield _List(resource="pods", path=path, take=told.consumers.add_pod)
    for resource in WORKLOADS:
        path = _path("apis/apps/v1", namespace, resource)
        found = partial(told.consumers.add_workload, resource)
        yield _List(resource=resource, path=path, take=found, metadata=True)


def _path(version: str, namespace: str, resource: str) -> str:
    within = f"namespaces/{namespace}/" if namespace else ""
    return f"/{version}/{within}{resource}"
