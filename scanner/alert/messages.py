"""The texts of alerts. Names come from stores and repositories, so their markup is made harmless."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scanner.alert.plan import Delivery, Item, Kind
from scanner.masking import masked
from scanner.report import text

_LISTED = 20  # alerts that a digest names
_LONGEST = 300  # characters of a name or text
# Characters that mark up text in Slack, Teams, Discord, Telegram, Markdown or HTML, or call people,
# and full-width ones that look alike.
_MARKUP = str.maketrans("<>&@*`[]|~#\\", "＜＞＆＠＊｀［］｜～＃＼")
_LINK = re.compile(r"(?i)\b(https?|ftp|mailto|tel|file|data|javascript):")
Json = dict[str, Any]


class Message(NamedTuple):
    title: str
    body: str


def safe(words: str) -> str:
    """Text of others on one line: masked, without markup, links, mentions and control characters."""
    shown = text.shorten(text.visible(words), _LONGEST).translate(_MARKUP)
    return _LINK.sub("\\1：", shown)


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
            f"Runbook: {safe(alert.runbook) or 'none'}",
            f"Next step: {safe(alert.next_step) or 'see the runbook'}",
            f"Acknowledge: keywatch alert ack {alert.id} --by NAME",
        ]
    return Message(f"[keywatch] {word}: {safe(alert.title)}", "\n".join(lines) + "\n")


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
    return Message(title, "\n".join(lines) + "\n")


def for_alertmanager(delivery: Delivery, now: datetime, end: datetime) -> list[Json]:
    """The alerts as Alertmanager's API takes them. It groups and repeats them by its own config.

    An open alert ends at `end`, unless a later run sends it again.
    """
    return [_posted(item, now, end) for item in delivery.items]


def _posted(item: Item, now: datetime, end: datetime) -> Json:
    alert = item.alert
    labels = {
        "alertname": "KeywatchFinding",
        "id": alert.id,
        "name": safe(masked(alert.name)),
        "severity": alert.severity.label,
        "class": safe(alert.secret_class),
        "backend": safe(alert.backend),
        "owner": safe(alert.owner),
    }
    is_resolved = item.kind is Kind.RESOLVED
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": safe(alert.title),
            "description": "; ".join(safe(masked(detail)) for detail in alert.details),
            "runbook": safe(alert.runbook),
            "next_step": safe(alert.next_step),
        },
        "startsAt": text.moment(min(item.since, now)),
        "endsAt": text.moment(now if is_resolved else end),
    }


def channel_failed(names: Sequence[str], reasons: Sequence[str]) -> Message:
    """The alert about channels that failed."""
    lines = [f"{name}: {reason}" for name, reason in zip(names, reasons, strict=True)]
    lines += ["", "Next step: correct alerts.channels in the operator config."]
    count = text.count(len(names), "alert channel")
    return Message(f"[keywatch] HIGH: {count} failed", "\n".join(lines) + "\n")
