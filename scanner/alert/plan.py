"""Decide what to send to whom. No I/O: the alerts, the state and the time are arguments."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.alert.alerts import TRAIL, Alert, Seen
from scanner.alert.routes import AlertConfig, Route
from scanner.alert.state import Open, State
from scanner.model import Severity


class Kind(enum.StrEnum):
    """Why a message is sent."""

    NEW = "new"
    CHANGED = "changed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    REFRESHED = "still open"
    """Only for Alertmanager, which forgets alerts that are not repeated."""


class Item(NamedTuple):
    """One alert in a delivery, and since when it is open. `before` is how it was sent earlier."""

    kind: Kind
    alert: Alert
    since: datetime
    before: Alert | None = None


class Delivery(NamedTuple):
    """What one step of one route is told."""

    route: Route
    step: int
    items: tuple[Item, ...]


class Plan(NamedTuple):
    """`state` is what to remember if all deliveries succeed. `unrouted` alerts match no route."""

    deliveries: tuple[Delivery, ...]
    state: State
    unrouted: tuple[Alert, ...]
    quiet: int


Boxes = dict[tuple[str, int], list[Item]]
"""What to tell, by name of the route and number of the step."""


def plan(seen: Seen, before: State, config: AlertConfig, now: datetime) -> Plan:
    """`before` is the state of the last run."""
    boxes: Boxes = {}
    state: State = {}
    unrouted: list[Alert] = []
    quiet = 0
    for alert in seen.alerts.values():
        routes = [route for route in config.routes if route.takes(alert)]
        old = before.get(alert.id)
        entry = _opened(alert, old, seen, now)
        if not routes:
            unrouted.append(alert)
        elif config.is_quiet(alert, now):
            quiet += 1
            # A change that waits for the end of quiet hours is still a change then.
            entry = old or entry
        else:
            entry = _tell(boxes, routes, alert, old, entry, now)
        state[alert.id] = entry
    for name in before.keys() - seen.alerts.keys():
        old = before[name]
        if seen.settles(old):
            _resolve(boxes, name, old)
        elif not (old.analysis == TRAIL and old.acked_by):
            state[name] = old
    return Plan(tuple(_deliveries(boxes, config)), state, tuple(unrouted), quiet)


def _tell(  # noqa: PLR0913, PLR0917 - an alert before and after
    boxes: Boxes,
    routes: Sequence[Route],
    alert: Alert,
    old: Open | None,
    entry: Open,
    now: datetime,
) -> Open:
    """Add the messages about one alert. The entry with the steps that they tell."""
    sent = {}
    for route in routes:
        told = old.sent.get(route.name, -1) if old else -1
        sent[route.name] = max(told, _wanted(route, alert, entry, now))
        for step, kind in _told(old, alert, told, sent[route.name]):
            item = Item(kind, alert, entry.since, _of(alert.id, old) if old else None)
            boxes.setdefault((route.name, step), []).append(item)
    return entry._replace(sent=sent)


def _resolve(boxes: Boxes, name: str, old: Open) -> None:
    """Tell everybody who was told of the alert."""
    for route, told in old.sent.items():
        for step in range(told + 1):
            item = Item(Kind.RESOLVED, _of(name, old), old.since)
            boxes.setdefault((route, step), []).append(item)


def _opened(alert: Alert, old: Open | None, seen: Seen, now: datetime) -> Open:
    """The entry for an alert. An acknowledgement ends when the state changes."""
    entry = Open(
        name=alert.name,
        analysis=seen.analysis,
        backend=alert.backend,
        state=alert.state,
        title=alert.title,
        severity=alert.severity.label,
        secret_class=alert.secret_class,
        owner=alert.owner,
        since=now,
        sent={},
    )
    if old is None:
        return entry
    entry = entry._replace(since=min(old.since, now))
    if old.state == alert.state:
        entry = entry._replace(acked_by=old.acked_by, acked_at=old.acked_at)
    return entry


def _wanted(route: Route, alert: Alert, entry: Open, now: datetime) -> int:
    """The last step to tell: by the tier of the alert, and by the time without acknowledgement."""
    last = len(route.steps) - 1
    open_for = 0 if entry.acked_by else (now - entry.since).total_seconds()
    by_time = sum(step.after <= open_for for step in route.steps) - 1
    return min(last, max(alert.tier - 1, by_time))


def _told(old: Open | None, alert: Alert, told: int, wanted: int) -> Iterator[tuple[int, Kind]]:
    """Each step to tell, and why."""
    changed = old is not None and old.state != alert.state
    for step in range(wanted + 1):
        if step > told:
            yield step, Kind.NEW if told < 0 and step == 0 else Kind.ESCALATED
        else:
            yield step, Kind.CHANGED if changed else Kind.REFRESHED


def _of(name: str, old: Open) -> Alert:
    """What is still known about an alert that was resolved."""
    return Alert(
        id=name,
        name=old.name,
        severity=Severity[old.severity.upper()],
        rules=tuple(old.state.split(" ")[2:]),
        title=old.title,
        secret_class=old.secret_class,
        backend=old.backend,
        owner=old.owner,
    )


def _deliveries(boxes: Boxes, config: AlertConfig) -> Iterator[Delivery]:
    routes = {route.name: route for route in config.routes}
    for (name, step), items in boxes.items():
        route = routes.get(name)
        if route and step < len(route.steps):  # the operator may have removed it since
            items.sort(key=lambda item: (-item.alert.severity, item.alert.name))
            yield Delivery(route, step, tuple(items))
