"""All detections over one stream of events. What they report is kept as alerts, one for each rule
and subject."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sigma.collection import SigmaCollection

from scanner.trail.detections import rules as own
from scanner.trail.detections.access import Access, Services, Use
from scanner.trail.detections.history import History, Profile
from scanner.trail.detections.interface import actor_of, address_of, by, store_of
from scanner.trail.detections.versions import Newest, Versions
from scanner.trail.event import Action, Event, quoted
from scanner.trail.formats.interface import Format
from scanner.trail.formats.table import FORMATS
from scanner.trail.reading.log import Log
from scanner.trail.sigma.correlation import Correlation, Group
from scanner.trail.sigma.rules import Count, Rules

MOST_ALERTS = 10_000
"""Alerts that are kept in detail. More are counted, and make the run incomplete."""
MOST_RECENT = 20_000
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

    __slots__ = ("last", "rules", "whole")

    def __init__(self, form: Format, rules: Rules) -> None:
        self.rules = rules
        self.whole = form.whole
        self.last = 0.0


class Plan(msgspec.Struct):
    """What is done with each event of one kind of call.

    `rules` are those that it breaks. `counts` are rule, base rule, windows, group and value of the
    correlations that count it, `varying` those whose group or value each event has for itself.
    """

    round: int
    kind: _Kind
    rules: tuple[str, ...]
    counts: tuple[tuple[str, str, Correlation, Group, Any], ...]
    varying: tuple[Count, ...]
    use: Use | None
    reads: bool
    newest: Newest
    profile: Profile | None


_NO_SECRET = Newest(0, 0.0)


class Analysis:
    """Takes events and keeps what the detections found."""

    def __init__(
        self, parsed: SigmaCollection, subjects: Mapping[str, str], options: Options
    ) -> None:
        self._latest = options.latest
        self._heartbeat = options.heartbeat
        self._subjects = subjects
        self._kinds = {form.entry: _Kind(form, Rules(form, parsed)) for form in FORMATS}
        self._round = 0
        services = options.services
        self.access = Access(services, options.entries, self._report, self._forgot)
        self.history = History(options.learning, services, self._report, self._forgot)
        self.versions = Versions(self._overlap, self._report, self._forgot)
        self.alerts: dict[tuple[str, str], Alert] = {}
        self.too_many = 0
        self.duplicates = 0
        self.first = 0.0
        """The time of the first event of this and of earlier runs."""
        self.silences: list[tuple[Log, int, float, float]] = []
        self._recent: dict[str, None] = {}
        self._log: Log
        self.on_alert: Callable[[Alert], None] | None = None
        """Told of each new alert at once, for `--follow`."""

    def add(self, log: Log, event: Event) -> None:  # noqa: C901, PLR0912 - done for each event
        """Take one event. A repeated one is only counted."""
        if event.id and self._is_repeated(event.id):
            self.duplicates += 1
            return
        self._log = log
        call, time = event.call, event.time
        plan = call.plan
        if plan is None or plan.round != self._round:
            plan = self._planned(event)
        kind = plan.kind
        if time < self.first or not self.first:
            self.first = time
        if time > kind.last:
            if time - kind.last > self._heartbeat and kind.last:
                self._silence(event, kind.last)
            if time <= self._latest:
                kind.last = time
        for rule in plan.rules:
            self._report(rule, self._subject(rule, event), event, "")
        for rule, base, windows, group, value in plan.counts:
            if windows.add(base, group, time, value):
                self._report(rule, self._subject(rule, event), event, "")
        if plan.varying:
            self._vary(plan.varying, kind, event)
        use = plan.use
        if use is not None:
            if plan.reads:
                use.read = max(use.read, time)
                if use.fault:
                    self._report(use.fault, use.subject, event, use.detail)
            else:
                self.access.wrote(use, event)
            if event.version:
                if event.version != plan.newest.version:
                    self.versions.see(plan.newest, event)
            elif event.is_old:
                self.versions.see_previous(event)
        profile = plan.profile
        if profile is not None:
            if time < profile.ends and event.address in profile.addresses:
                profile.count += 1
                if profile.count == profile.limit:
                    self.history.see_rate(profile, event)
            else:
                self.history.see(profile, event)
        if event.is_raw:
            subject = f"{store_of(event.target)}?log={quoted(log.name)}"
            self._report(own.RAW_VALUES, subject, event, "the device has log_raw")

    def _is_repeated(self, name: str) -> bool:
        """Was there an event of this id among the last ones?"""
        recent = self._recent
        count = len(recent)
        recent[name] = None
        if len(recent) == count:
            return True
        if count >= 2 * MOST_RECENT:
            self._recent = dict.fromkeys(islice(recent, MOST_RECENT, None))
        return False

    def _forgot(self) -> None:
        """Some uses or profiles were forgotten: no plan may go on using them."""
        self._round += 1

    def _planned(self, event: Event) -> Plan:
        """What is to be done with each event of a kind of call."""
        entry, actor = event.entry, event.call.actor
        kind = self._kinds[type(entry)]
        if kind.whole:
            kind.whole(entry)
        matched = kind.rules.matched(entry)
        use, profile = self.access.use(event), self.history.profile(actor, event.time)
        reads = event.call.target.action is Action.READ
        if reads and use and profile and self.access.is_first(use):
            self.history.see_first_read(profile, event)
        plan = Plan(
            round=self._round,
            kind=kind,
            rules=matched.rules,
            counts=tuple(
                (count.rule, count.base, count.windows, count.group(entry), count.value(entry))
                for count in matched.counts
                if not count.varies
            ),
            varying=tuple(count for count in matched.counts if count.varies),
            use=use,
            reads=reads,
            newest=self.versions.of(event.call.target.id) if use else _NO_SECRET,
            profile=profile,
        )
        if not kind.rules.varies:
            event.call.plan = plan
        return plan

    def _vary(self, counts: tuple[Count, ...], kind: _Kind, event: Event) -> None:
        """Count an event by fields that are its own."""
        entry = event.entry
        if kind.whole:
            kind.whole(entry)
        for count in counts:
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
            alert = Alert(rule, subject, _detail(detail, event), self._log.name, event.line)
            self.alerts[rule, subject] = alert
        alert.count += 1
        alert.first = min(alert.first, event.time)
        alert.last = max(alert.last, event.time)
        if is_new and self.on_alert:
            self.on_alert(alert)

    def _silence(self, event: Event, last: float) -> None:
        self.silences.append((self._log, event.line, last, event.time))
        hours = (event.time - last) / 3600
        detail = f"no event for {hours:,.1f} hours"
        self._report(
            own.SILENCE, f"{store_of(event.target)}?log={quoted(self._log.name)}", event, detail
        )

    def _overlap(self, name: str) -> float:
        match = self.access.match(name)
        return float(match.secret_class.overlap) if match and match.secret_class else 0.0

    def saved(self) -> dict[str, Any]:
        """What the next run must know, as plain data."""
        return {
            "first": self.first,
            "recent": [*self._recent][-MOST_RECENT:],
            "last": {form.name: self._kinds[form.entry].last for form in FORMATS},
            "windows": {
                rule: [*windows.saved()]
                for kind in self._kinds.values()
                for rule, windows in kind.rules.windows.items()
            },
            "profiles": dict(self.history.saved()),
            "versions": {
                name: (each.version, each.since) for name, each in self.versions.secrets.items()
            },
            "uses": [*self.access.pairs()],
            "rotated": self.access.rotated,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `saved` gave."""
        self.first = float(state["first"])
        self._recent = dict.fromkeys(map(str, state["recent"]))
        for form in FORMATS:
            kind = self._kinds[form.entry]
            kind.last = float(state["last"].get(form.name, 0.0))
            for rule, windows in kind.rules.windows.items():
                windows.restore(state["windows"].get(rule, []))
        self.history.restore(state["profiles"])
        self.versions.secrets = {
            str(name): Newest(int(version), float(time) if time is not None else float("inf"))
            for name, (version, time) in state["versions"].items()
        }
        self.access.restore(state["uses"], state["rotated"])


def _detail(detail: str, event: Event) -> str:
    """What happened, for people: the call, who made it, and from where."""
    who = event.actor.name or "an unknown identity"
    whence = f" from {event.address}" if event.address else ""
    outcome = "" if event.call.ok else " (refused)"
    said = f"{event.target.id}{outcome} by {who}{whence}"
    return f"{detail}: {said}" if detail else said


def subjects(documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By rule, what its findings are about."""
    return {
        str(each["name"]): str(each.get("keywatch", {}).get("subject", "call"))
        for each in documents
    }
