"""What `keywatch trail --last-used` wrote, for the audit: rotations that no store dates, and
secrets that nobody reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from scanner.errors import ConfigError
from scanner.records import Dated, Record, Strength

VERSION = 1
UNUSED = timedelta(days=90)
"""A secret that was not read for so long, in logs that go back as far, is unused."""
_FIELD = "audit log"


class LastUsed(NamedTuple):
    """By canonical id, when secrets were last rotated and read. `since` is the first event of the
    logs. `complete`: everything in them could be read."""

    since: datetime | None = None
    complete: bool = False
    rotated: Mapping[str, datetime] = MappingProxyType({})
    read: Mapping[str, datetime] = MappingProxyType({})

    def dated(self, record: Record) -> Record:
        """The record, with the rotation that the logs saw if its store has no date.

        In incomplete logs a later rotation may be missing, so the value may be newer.
        """
        when = self.rotated.get(record.id)
        if record.dated or record.never or when is None:
            return record
        latest, strength = (when, Strength.EXACT) if self.complete else (None, Strength.BOUND)
        dated = Dated(earliest=when, latest=latest, field=_FIELD, strength=strength)
        return record._replace(dated=dated)

    def unused(self, name: str, now: datetime) -> str:
        """Why the secret counts as unused; "" if it does not, or if the logs cannot tell."""
        if self.since is None or not self.complete or now - self.since < UNUSED:
            return ""
        last = self.read.get(name)
        if last is None:
            return f"nobody read it since {self.since:%Y-%m-%d}, when the audit logs begin"
        return f"it was last read on {last:%Y-%m-%d}" if now - last > UNUSED else ""


def parse(data: bytes, where: str) -> LastUsed:
    """The file. ConfigError if it is something else."""
    try:
        document = json.loads(data)
        _demand(document["schema_version"] == VERSION)
        secrets = document["secrets"].items()
        return LastUsed(
            since=_time(document["since"]),
            complete=document["complete"] is True,
            rotated={name: when for name, it in secrets if (when := _time(it["last_rotated"]))},
            read={name: when for name, it in secrets if (when := _time(it["last_read"]))},
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ConfigError(
            f"{where} was not written by keywatch trail --last-used",
            todo="write it anew: keywatch trail FILE --last-used OUT",
        ) from None


def _time(text: str | None) -> datetime | None:
    """An aware time. ValueError for any other."""
    if text is None:
        return None
    when = datetime.fromisoformat(text)
    _demand(when.tzinfo)
    return when


def _demand(answer: object) -> None:
    if not answer:
        raise ValueError
