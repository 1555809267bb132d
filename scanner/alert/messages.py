"""The texts of alerts. Names come from stores and repositories: their markup is made harmless."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scanner.alert.alerts import Alert
from scanner.alert.plan import Delivery, Item, Kind
from scanner.masking import masked
from scanner.model import Severity
from scanner.report import text

_LISTED = 20  # alerts that a digest names
_MOST_POSTED = 500
_LONGEST = 300  # characters of a name or text
_WIDER = 0xFEE0  # from an ASCII character to its full-width form
# Characters that mark up text in Slack, Teams, Discord, Telegram, Markdown or HTML, or call people.
# Their full-width forms look alike and do nothing.
_MARKUP = {ord(char): ord(char) + _WIDER for char in "<>&@*`[]|~#\\"}
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._/%-]*)?")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|tel|file|data|javascript):")
Json = dict[str, Any]


class Message(NamedTuple):
    """A text for people. `body` ends with a newline. `severity` is None if it is about nothing
    that is wrong any more."""

    title: str
    body: str
    severity: Severity | None = Severity.HIGH


def safe(words: str) -> str:
    """Text of others on one line, without markup, links, mentions and control characters."""
    shown = text.shorten(text.visible(words), _LONGEST).translate(_MARKUP)
    return _LINK.sub(lambda found: found[1] + chr(ord(":") + _WIDER), shown)


def _runbook(runbook: str) -> str:
    """The only address that stays one: a plain https address, or else harmless text."""
    return runbook if _ADDRESS.fullmatch(runbook) else safe(masked(runbook))


def messages(delivery: Delivery, now: datetime) -> list[Message]:
    """One message for each alert, or one digest if there are too many."""
    items = [item for item in delivery.items if item.kind is not Kind.REFRESHED]
    if len(items) > delivery.route.digest_over:
        return [_digest(items, delivery)]
    return [_message(item, now) for item in items]


def _message(item: Item, now: datetime) -> Message:
    alert = item.alert
    level = alert.severity.label.upper()
    word = {Kind.RESOLVED: "RESOLVED", Kind.ESCALATED: f"{level}, ESCALATED"}.get(item.kind, level)
    lines = [f"What: {safe(alert.title)}: {safe(masked(alert.name))}"]
    lines += [f"      {safe(masked(detail))}" for detail in alert.details]
    since = text.duration(max(0, int((now - item.since).total_seconds())))
    lines.append(f"Since: {text.moment(item.since)} ({since})")
    if alert.due:
        lines.append(f"Due: {text.moment(alert.due)}")
    if item.kind is not Kind.RESOLVED:
        lines += [
            f"Owner: {_owner(alert.owner)}",
            f"Runbook: {_runbook(alert.runbook) or 'none'}",
            f"Next step: {safe(alert.next_step) or 'see the runbook'}",
            f"Acknowledge: keywatch alert ack {alert.id} --by NAME",
        ]
    title = f"[keywatch] {word}: {safe(alert.title)}"
    severity = None if item.kind is Kind.RESOLVED else alert.severity
    return Message(title, "\n".join(lines) + "\n", severity)


def _owner(owner: str) -> str:
    return safe(owner) or "nobody is named in keywatch.yaml"


def _digest(items: Sequence[Item], delivery: Delivery) -> Message:
    kinds = Counter(item.kind.value for item in items)
    levels = Counter(item.alert.severity.label for item in items)
    title = f"[keywatch] {len(items):,} alerts: " + ", ".join(
        f"{levels[level]:,} {level}"
        for level in ("critical", "high", "medium", "low")
        if levels[level]
    )
    lines = [", ".join(f"{number:,} {kind}" for kind, number in kinds.items()), ""]
    lines += [
        f"{item.alert.severity.label} {item.kind}: {safe(item.alert.title)}:"
        f" {safe(masked(item.alert.name))} (owner {_owner(item.alert.owner)},"
        f" since {text.moment(item.since)}, id {item.alert.id})"
        for item in items[:_LISTED]
    ]
    if len(items) > _LISTED:
        lines.append(f"… and {len(items) - _LISTED:,} more: see the report of this run")
    lines += ["", f"Route: {delivery.route.name}", "Acknowledge: keywatch alert ack ID --by NAME"]
    open_ones = (item.alert.severity for item in items if item.kind is not Kind.RESOLVED)
    return Message(title, "\n".join(lines) + "\n", max(open_ones, default=None))


def for_alertmanager(delivery: Delivery, now: datetime, end: datetime) -> list[Json]:
    """The alerts as Alertmanager's API takes them. It groups and repeats them by its own config.

    An open alert ends at `end`, unless a later run sends it again. Too many become one.
    """
    items = delivery.items
    if len(items) > _MOST_POSTED:
        told = _digest(items, delivery)
        return [
            {
                "labels": {"alertname": "KeywatchDigest", "route": delivery.route.name},
                "annotations": {"summary": told.title, "description": told.body},
                "startsAt": text.moment(now),
                "endsAt": text.moment(end),
            }
        ]
    return [posted for item in items for posted in _posted(item, now, end)]


def _posted(item: Item, now: datetime, end: datetime) -> Iterator[Json]:
    """The alert, and the end of the one with other labels that it replaces."""
    alert = item.alert
    labels = _labels(alert)
    if item.before and _labels(item.before) != labels:
        yield {"labels": _labels(item.before), "endsAt": text.moment(now)}
    yield {
        "labels": labels,
        "annotations": {
            "summary": safe(alert.title),
            "description": "; ".join(safe(masked(detail)) for detail in alert.details),
            "runbook": _runbook(alert.runbook),
            "next_step": safe(alert.next_step),
        },
        "startsAt": text.moment(min(item.since, now)),
        "endsAt": text.moment(now if item.kind is Kind.RESOLVED else end),
    }


def _labels(alert: Alert) -> dict[str, str]:
    """What Alertmanager identifies and routes the alert by."""
    labels = {
        "alertname": "KeywatchFinding",
        "id": alert.id,
        "name": safe(masked(alert.name)),
        "severity": alert.severity.label,
        "class": safe(alert.secret_class),
        "backend": safe(alert.backend),
        "owner": safe(alert.owner),
    }
    return {name: value for name, value in labels.items() if value}


def channel_failed(names: Sequence[str], reasons: Sequence[str]) -> Message:
    """The alert about channels that failed."""
    lines = [f"{name}: {reason}" for name, reason in zip(names, reasons, strict=True)]
    lines += ["", "Next step: correct alerts.channels in the operator config."]
    count = text.count(len(names), "alert channel")
    return Message(f"[keywatch] HIGH: {count} failed", "\n".join(lines) + "\n")
