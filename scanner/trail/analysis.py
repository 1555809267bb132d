"""All detections over one stream of events. What they report is kept as alerts, one for each rule
and subject."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sigma.collection import SigmaCollection

from scanner.trail.detections import rules as own
from scanner.trail.detections.access import Access, Services
from scanner.trail.detections.history import History
from scanner.trail.detections.interface import actor_of, address_of, by, store_of
from scanner.trail.detections.versions import Versions
from scanner.trail.event import Event, quoted
from scanner.trail.formats.table import FORMATS
from scanner.trail.reading.log import Log
from scanner.trail.sigma.rules import NOTHING, Matched, Rules

MOST_ALERTS = 10_000
"""Alerts that are kept in detail. More are counted, and make the run incomplete."""
MOST_RECENT = 100_000
"""A repeated event is recognized if it comes within so many others, at least."""


class Alert:
    """A rule that a subject broke, once or more often."""

    __slots__ = ("count", "detail", "first", "last", "line", "log", "rule", "subject")

    def __init__(self, rule: str, subject: str, detail: str, log: str, line: int) -> None:
        self.rule = rule
        self.subject = subject
        self.detail = detail
        self.log = log
        self.line = line
        self.count = 0
        self.first = float("inf")
        self.last = 0.0


class Options(NamedTuple):
    """What the detections go by. Times are in seconds. `latest` is the time of the run."""

    services: Services
    entries: Any
    heartbeat: float
    learning: float
    latest: float


class _Kind:
    """What is kept for all logs of one format."""

    __slots__ = ("last", "rules")

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.last = 0.0


class Analysis:
    """Takes events and keeps what the detections found."""

    def __init__(
        self, parsed: SigmaCollection, subjects: Mapping[str, str], options: Options
    ) -> None:
        self._latest = options.latest
        self._heartbeat = options.heartbeat
        self._subjects = subjects
        self._kinds = {form.entry: _Kind(Rules(form, parsed)) for form in FORMATS}
        self.access = Access(options.services, options.entries, self._report)
        self.history = History(options.learning, options.services, self._report)
        self.versions = Versions(self._overlap, self._report)
        self.alerts: dict[tuple[str, str], Alert] = {}
        self.too_many = 0
        self.duplicates = 0
        self.events = 0
        self.silences: list[tuple[Log, int, float, float]] = []
        self._recent: set[str] = set()
        self._older: set[str] = set()
        self._log: Log
        self._line = 0
        self.on_alert: Callable[[Alert], None] | None = None
        """Told of each new alert at once, for `--follow`."""

    def add(self, log: Log, event: Event) -> None:
        """Take one event. A repeated one is only counted."""
        name = event.id
        if name:
            if name in self._recent or name in self._older:
                self.duplicates += 1
                return
            self._recent.add(name)
            if len(self._recent) >= MOST_RECENT:
                self._older, self._recent = self._recent, set()
        self.events += 1
        self._log, self._line = log, event.line
        time, entry = event.time, event.entry
        kind = self._kinds[type(entry)]
        last = kind.last
        if time > last:
            if time - last > self._heartbeat and last:
                self._silence(event, last)
            if time <= self._latest:
                kind.last = time
        matched = kind.rules.matched(entry)
        if matched is not NOTHING:
            self._matched(matched, event)
        if event.ok and event.target.is_secret:
            self.access.see(event)
            if event.version:
                self.versions.see(event)
            elif event.is_old:
                self.versions.see_previous(event)
        if event.actor.id:
            self.history.see(event)
        if event.is_raw:
            subject = f"{store_of(event.target)}?log={quoted(log.name)}"
            self._report(own.RAW_VALUES, subject, event, "the device has log_raw")

    def _matched(self, matched: Matched, event: Event) -> None:
        for rule in matched.rules:
            self._report(rule, self._subject(rule, event), event, "")
        for count in matched.counts:
            entry = event.entry
            if count.windows.add(count.base, count.group(entry), event.time, count.value(entry)):
                self._report(count.rule, self._subject(count.rule, event), event, "")

    def _subject(self, rule: str, event: Event) -> str:
        match self._subjects.get(rule):
            case "actor":
                return actor_of(event)
            case "address":
                return address_of(event)
            case "secret":
                return event.target.id
            case _:
                return by(event.target, event.actor)

    def _report(self, rule: str, subject: str, event: Event, detail: str) -> None:
        alert = self.alerts.get((rule, subject))
        is_new = alert is None
        if alert is None:
            if len(self.alerts) >= MOST_ALERTS:
                self.too_many += 1
                return
            alert = Alert(rule, subject, _detail(detail, event), self._log.name, self._line)
            self.alerts[rule, subject] = alert
        alert.count += 1
        alert.first = min(alert.first, event.time)
        alert.last = max(alert.last, event.time)
        if is_new and self.on_alert:
            self.on_alert(alert)

    def _silence(self, event: Event, last: float) -> None:
        self.silences.append((self._log, self._line, last, event.time))
        hours = (event.time - last) / 3600
        detail = f"no event for {hours:,.1f} hours"
        self._report(own.SILENCE, f"{store_of(event.target)}?log={quoted(self._log.name)}", event, detail)

    def _overlap(self, name: str) -> float:
        match = self.access.match(name)
        return float(match.secret_class.overlap) if match and match.secret_class else 0.0

    def saved(self) -> dict[str, Any]:
        """What the next run must know, as plain data."""
        return {
            "recent": [*self._older, *self._recent][-MOST_RECENT:],
            "last": {form.name: self._kinds[form.entry].last for form in FORMATS},
            "windows": {
                rule: [*windows.saved()]
                for kind in self._kinds.values()
                for rule, windows in kind.rules.windows.items()
            },
            "profiles": dict(self.history.saved()),
            "versions": self.versions.newest,
            "uses": [*self.access.pairs()],
            "rotated": self.access.rotated,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `saved` gave."""
        self._older = set(map(str, state["recent"]))
        for form in FORMATS:
            kind = self._kinds[form.entry]
            kind.last = float(state["last"].get(form.name, 0.0))
            for rule, windows in kind.rules.windows.items():
                windows.restore(state["windows"].get(rule, []))
        self.history.restore(state["profiles"])
        self.versions.newest = {
            str(name): (int(version), float(time) if time is not None else float("inf"))
            for name, (version, time) in state["versions"].items()
        }
        self.access.restore(state["uses"], state["rotated"])


def _detail(detail: str, event: Event) -> str:
    """What happened, for people: the call, who made it, and from where."""
    who = event.actor.name or "an unknown identity"
    whence = f" from {event.address}" if event.address else ""
    outcome = "" if event.ok else " (refused)"
    said = f"{event.target.id}{outcome} by {who}{whence}"
    return f"{detail}: {said}" if detail else said


def subjects(documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By rule, what its findings are about."""
    return {
        str(each["name"]): str(each.get("keywatch", {}).get("subject", "call"))
        for each in documents
    }
