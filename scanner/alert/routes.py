"""The `alerts` of the operator config: channels, routes, escalation and quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from scanner.alert.alerts import Alert
from scanner.document import nearest
from scanner.errors import ConfigError
from scanner.model import Severity
from scanner.policy.declarations.model import seconds

_DIGEST_OVER = 5
_TIMEOUT = 20
Config = Mapping[str, Any]


class Channel(NamedTuple):
    """Where messages go. One of `apprise` and `alertmanager` is an address, which may hold a
    token and is never shown."""

    name: str
    apprise: str = ""
    alertmanager: str = ""
    token: str = ""
    timeout: int = _TIMEOUT

    def __repr__(self) -> str:
        return f"Channel({self.name})"


class Step(NamedTuple):
    """Who is told `after` so many seconds without acknowledgement; channels in order of preference.

    The first step of a route has `after` 0.
    """

    after: int
    channels: tuple[str, ...]


class Route(NamedTuple):
    """Which alerts go where. An empty set means that everything matches."""

    name: str
    steps: tuple[Step, ...]
    classes: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    severity: Severity = Severity.LOW
    digest_over: int = _DIGEST_OVER

    def takes(self, alert: Alert) -> bool:
        return (
            alert.severity >= self.severity
            and (not self.classes or alert.secret_class in self.classes)
            and (not self.backends or alert.backend in self.backends)
            and (not self.owners or alert.owner in self.owners)
        )


class Quiet(NamedTuple):
    """Hours of the day in which alerts of some classes (all if empty) wait."""

    classes: frozenset[str]
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, alert: Alert, now: datetime) -> bool:
        """Must the alert wait? A critical one never waits."""
        if alert.severity is Severity.CRITICAL:
            return False
        if self.classes and alert.secret_class not in self.classes:
            return False
        clock = now.astimezone(self.zone).time().replace(tzinfo=None)
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class AlertConfig(NamedTuple):
    """One of `state_file`, `in_ledger` and `config_map` says where the state is, or none."""

    channels: Mapping[str, Channel]
    routes: tuple[Route, ...]
    quiet: tuple[Quiet, ...] = ()
    state_file: str = ""
    in_ledger: bool = False
    config_map: str = ""

    def is_quiet(self, alert: Alert, now: datetime) -> bool:
        return any(each.holds(alert, now) for each in self.quiet)


def parse(config: Config) -> AlertConfig:
    """The typed configuration. ConfigError for a name or zone that does not exist."""
    if not config:
        raise ConfigError(
            "the operator config has no alerts", todo="add alerts: with channels and routes"
        )
    channels = {name: _channel(name, item) for name, item in config["channels"].items()}
    routes = tuple(_route(item, channels) for item in config["routes"])
    state = config.get("state", {})
    if not state and any(len(route.steps) > 1 for route in routes):
        raise ConfigError(
            "escalation needs a state",
            why="without one, keywatch does not know how long an alert has been open",
            todo="add alerts.state with a file, or ledger: true",
        )
    names = [route.name for route in routes]
    if len({*names}) < len(names):
        raise ConfigError("two routes have the same name", todo="give each route its own name")
    return AlertConfig(
        channels=channels,
        routes=routes,
        quiet=tuple(map(_quiet, config.get("quiet_hours", ()))),
        state_file=state.get("file", ""),
        in_ledger=state.get("ledger", False),
        config_map=state.get("configmap", ""),
    )


def _channel(name: str, item: Config) -> Channel:
    if ("apprise" in item) == ("alertmanager" in item):
        raise ConfigError(
            f"the channel {name} must have one address", todo="write apprise: or alertmanager:"
        )
    timeout = seconds(item["timeout"]) if "timeout" in item else _TIMEOUT
    return Channel(**{"name": name, **item, "timeout": timeout})


def _route(item: Config, channels: Mapping[str, Channel]) -> Route:
    steps = [Step(0, tuple(item["send"]))]
    steps += (
        Step(seconds(each["after"]), tuple(each["send"])) for each in item.get("escalate", ())
    )
    for name in (name for step in steps for name in step.channels):
        if name not in channels:
            what = f"the route {item['name']} names the unknown channel {name}"
            raise ConfigError(what, todo=nearest(name, channels))
    if any(one.after >= other.after for one, other in pairwise(steps)):
        raise ConfigError(
            f"the escalation of the route {item['name']} is not in order",
            todo="let each `after` be longer than the one before; it counts from the first alert",
        )
    return Route(
        name=item["name"],
        steps=tuple(steps),
        classes=frozenset(item.get("class", ())),
        backends=frozenset(item.get("backend", ())),
        owners=frozenset(item.get("owner", ())),
        severity=Severity[item.get("severity", "low").upper()],
        digest_over=item.get("digest_over", _DIGEST_OVER),
    )


def _quiet(item: Config) -> Quiet:
    name = item.get("zone", "UTC")
    try:
        zone = ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ConfigError(f"unknown time zone {name}", todo="for example Europe/Berlin") from None
    return Quiet(
        classes=frozenset(item.get("class", ())),
        start=time.fromisoformat(item["from"]),
        end=time.fromisoformat(item["to"]),
        zone=zone,
    )
