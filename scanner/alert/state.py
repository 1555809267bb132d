"""What was sent, so that one alert is sent once and escalates until it is acknowledged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

VERSION = 1
Json = dict[str, Any]


class Open(NamedTuple):
    """An alert that is not resolved.

    `state` is that of the alert when it was last seen. `since` is the time when it was first seen.
    `sent` has the number of the last step that was told, by route; -1 if it waits for the end of
    quiet hours. `acked_by` is "" until somebody acknowledges it.
    """

    name: str
    analysis: str
    backend: str
    state: str
    title: str
    severity: str
    secret_class: str
    owner: str
    since: datetime
    sent: Mapping[str, int]
    acked_by: str = ""
    acked_at: datetime | None = None


State = dict[str, Open]
"""The open alerts by ID."""


def to_json(state: State) -> Json:
    alerts = {
        name: each._asdict()
        | {
            "sent": dict(each.sent),
            "since": each.since.isoformat(),
            "acked_at": each.acked_at.isoformat() if each.acked_at else None,
        }
        for name, each in sorted(state.items())
    }
    return {"alert_state": VERSION, "alerts": alerts}


def text(state: State) -> bytes:
    return (json.dumps(to_json(state), indent=1) + "\n").encode()


def from_json(data: Any) -> State:
    """ValueError if it is not a state."""
    try:
        if data["alert_state"] != VERSION:
            raise ValueError
        return {str(name): _open(item) for name, item in data["alerts"].items()}
    except (LookupError, TypeError, AttributeError):
        raise ValueError from None


def _open(item: Json) -> Open:
    words = (
        "name",
        "analysis",
        "backend",
        "state",
        "title",
        "severity",
        "acked_by",
        "secret_class",
        "owner",
    )
    return Open(
        since=_time(item["since"]),
        sent={str(name): int(step) for name, step in item["sent"].items()},
        acked_at=_time(item["acked_at"]) if item["acked_at"] else None,
        **{key: str(item[key]) for key in words},
    )


def _time(given: str) -> datetime:
    when = datetime.fromisoformat(given)
    if when.tzinfo is None:
        raise ValueError
    return when
