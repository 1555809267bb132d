"""Send the alerts of a run, remember what was sent, and acknowledge alerts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from scanner import files
from scanner.alert import alerts, channels, messages, plan, state
from scanner.alert.channels import DeliveryError
from scanner.alert.config_map import ConfigMap
from scanner.alert.plan import Delivery, Kind
from scanner.alert.routes import AlertConfig, Channel
from scanner.alert.state import Open, State
from scanner.errors import ConfigError, KeywatchError, OutputError, UsageError, unreadable
from scanner.evidence.ledger import Ledger, locked
from scanner.model import Outcome
from scanner.report.interface import ReportContext

_LASTS = timedelta(hours=26)
"""How long an alert is open in Alertmanager if no later run repeats it: a day and a late run."""
_KIND = "alert-state"


class Store:
    """The one place of the state: a file, the ledger, a ConfigMap, or none."""

    def __init__(
        self, config: AlertConfig, cwd: str, ledger: Ledger, environ: Mapping[str, str]
    ) -> None:
        self._map = ConfigMap(config.config_map, environ) if config.config_map else None
        self._file = os.path.join(cwd, config.state_file) if config.state_file else ""
        self._ledger = ledger if config.in_ledger else None

    @property
    def exists(self) -> bool:
        return bool(self._file or self._ledger or self._map)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Two runs at the same time would send everything twice."""
        if self._ledger:
            os.makedirs(self._ledger.folder, exist_ok=True)
        place = self._file or (os.path.join(self._ledger.folder, "alert") if self._ledger else "")
        try:
            with locked(f"{place}.lock") if place else nullcontext():
                yield
        except OSError as error:
            raise OutputError("the state of alerts cannot be locked", why=str(error)) from None

    def load(self) -> State:
        """ConfigError if the state is damaged."""
        if self._map:
            return self._map.load()
        try:
            if self._ledger:
                found: Any = {}
                for entry in self._ledger.entries():
                    found = entry["data"] if entry["kind"] == _KIND else found
                return state.from_json(found) if found else {}
            if self._file and os.path.exists(self._file):
                with open(self._file, "rb") as file:
                    return state.from_json(json.load(file))
        except OSError as error:
            raise unreadable(self._file, error) from None
        except (ValueError, RecursionError):
            raise ConfigError("the state of alerts is damaged", where=f"{self._file}:1") from None
        return {}

    def save(self, new: State, now: datetime) -> None:
        """OutputError if it cannot be written."""
        if self._ledger:
            self._ledger.append(_KIND, state.to_json(new), now)
        elif self._map:
            self._map.save(new)
        elif self._file:
            files.write_file(self._file, state.text(new), mode=files.PRIVATE)

    def set_aside(self) -> None:
        """Keep a damaged file under another name."""
        if self._file and os.path.exists(self._file):
            os.replace(self._file, f"{self._file}.damaged")


class Sent(NamedTuple):
    """What happened. `failures` are (channel, reason). `lost` counts messages that no channel
    accepted; they are sent again by the next run. `errors` are about the state."""

    delivered: int
    failures: tuple[tuple[str, str], ...]
    lost: int
    unrouted: int
    quiet: int
    open: int
    errors: tuple[KeywatchError, ...]


def send(
    outcome: Outcome,
    context: ReportContext,
    config: AlertConfig,
    store: Store,
    now: datetime,
) -> Sent:
    """Send what is new, changed, to be escalated or resolved.

    A damaged or unreadable state does not silence anything: everything is sent as new.
    """
    seen = alerts.seen(outcome, context)
    errors: list[KeywatchError] = []
    with store.alone():
        try:
            before = store.load()
        except KeywatchError as error:
            errors.append(error)
            store.set_aside()
            before = {}
        planned = plan.plan(seen, before, config, now)
        sender = _Sender(config, now)
        new = dict(planned.state)
        for delivery in planned.deliveries:
            if not sender.deliver(delivery):
                _forget(new, before, delivery)
        sender.report_failures()
        if store.exists and new != before:
            try:
                store.save(new, now)
            except OutputError as error:
                errors.append(error)
    return Sent(
        delivered=sender.delivered,
        failures=tuple(sender.failures.items()),
        lost=sender.lost,
        unrouted=len(planned.unrouted),
        quiet=planned.quiet,
        open=len(new),
        errors=tuple(errors),
    )


def _forget(new: State, before: State, delivery: Delivery) -> None:
    """Nobody got this delivery, so the next run must repeat it."""
    route, step = delivery.route.name, delivery.step
    for item in delivery.items:
        name = item.alert.id
        if item.kind is Kind.RESOLVED:
            new[name] = before[name]._replace(sent={route: step})
        elif name in new and item.kind is not Kind.REFRESHED:
            entry = new[name]
            told = min(entry.sent.get(route, -1), step - 1)
            new[name] = entry._replace(sent={**entry.sent, route: told})


class _Sender:
    """Sends deliveries. A channel that failed once is not asked again in this run."""

    def __init__(self, config: AlertConfig, now: datetime) -> None:
        self._config = config
        self._now = now
        self.failures: dict[str, str] = {}
        self.delivered = 0
        self.lost = 0

    def deliver(self, delivery: Delivery) -> bool:
        """By the first channel that works. False if none does."""
        names = delivery.route.steps[delivery.step].channels
        told = messages.messages(delivery, self._now)
        for name in names:
            channel = self._config.channels[name]
            if not told and not channel.alertmanager:
                return True
            if name not in self.failures and self._sent(channel, delivery, told):
                self.delivered += len(told)
                return True
        self.lost += len(told)
        return False

    def _sent(self, channel: Channel, delivery: Delivery, told: list[messages.Message]) -> bool:
        try:
            if channel.alertmanager:
                end = self._now + _LASTS
                posted = messages.for_alertmanager(delivery, self._now, end)
                channels.post(channel, posted)
            else:
                channels.send(channel, told)
        except DeliveryError as error:
            self.failures[channel.name] = str(error)
            return False
        return True

    def report_failures(self) -> None:
        """Tell somebody about channels that failed, by the first one that works."""
        if not self.failures:
            return
        told = [messages.channel_failed([*self.failures], [*self.failures.values()])]
        for name, channel in self._config.channels.items():
            if name not in self.failures and channel.apprise:
                try:
                    channels.send(channel, told)
                except DeliveryError as error:
                    self.failures[name] = str(error)
                else:
                    return


def acknowledge(ident: str, by: str, store: Store, now: datetime) -> Open:
    """Stop the escalation of an open alert. UsageError if there is none with this ID."""
    if not store.exists:
        raise UsageError("there is no state of alerts", todo="add alerts.state")
    with store.alone():
        known = store.load()
        if ident not in known:
            raise UsageError(f"no open alert has the ID {ident}", todo="keywatch alert list")
        entry = known[ident]._replace(acked_by=by, acked_at=now)
        store.save({**known, ident: entry}, now)
    return entry
