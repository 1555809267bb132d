"""What earlier entries say about the age of secrets, and how the number of late ones developed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.records import Dated, History, Strength, ValueMark

Json = Mapping[str, Any]


class Trend(NamedTuple):
    """One audit in numbers of secrets."""

    at: str
    complete: bool
    secrets: int
    overdue: int
    grace: int
    never: int
    unknown: int


def history(entries: Iterable[Json]) -> History:
    """The newest mark of each value, and the newest attested date of each secret.

    ConfigError for an entry that does not have the form that keywatch writes.
    """
    marks: dict[str, ValueMark] = {}
    dates: dict[str, Dated] = {}
    for entry in entries:
        try:
            data = entry["data"]
            for name, mark in data.get("marks", {}).items():
                marks[name] = _mark(mark)
            for name, when in _rotated(entry):
                before = dates.get(name)
                if before is None or before.latest is None or before.latest < when:
                    dates[name] = _dated(entry, when)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise ConfigError(
                f"entry {entry.get('number')} of the ledger has an unknown form",
                todo="keywatch evidence verify",
            ) from None
    return History(marks=marks, dates=dates)


def _dated(entry: Json, when: datetime) -> Dated:
    if entry["kind"] == "attestation":
        return Dated(when, when, f"attested by {entry['data']['by']}", Strength.ATTESTED)
    return Dated(when, when, f"rotation in ledger entry {entry['number']}", Strength.BOUND)


def _rotated(entry: Json) -> Iterator[tuple[str, datetime]]:
    """The secrets that the entry says were rotated, and when."""
    data = entry["data"]
    if entry["kind"] == "attestation" and data["about"] == "rotation":
        for name in data["secrets"]:
            yield name, _time(data["when"])
    elif entry["kind"] == "rotation" and data["result"] == "finished":
        yield data["secret"], _time(data["new_value_since"] or entry["at"])


def _mark(item: Json) -> ValueMark:
    after = _time(item["after"]) if item["after"] else None
    return ValueMark(
        mark=str(item["mark"]), after=after, by=_time(item["by"]), last=_time(item["last"])
    )


def _time(given: str) -> datetime:
    when = datetime.fromisoformat(given)
    if when.tzinfo is None:
        raise ValueError
    return when


def trend(entries: Iterable[Json]) -> Iterator[Trend]:
    """One row for each audit of all classes."""
    for entry in entries:
        data = entry["data"]
        if "secrets" not in data or entry["kind"] != "audit" or data.get("classes"):
            continue
        verdicts = Counter(each["verdict"] for each in data["secrets"])
        yield Trend(
            at=entry["at"],
            complete=data["complete"],
            secrets=len(data["secrets"]),
            overdue=verdicts["overdue"],
            grace=verdicts["grace"],
            never=verdicts["never-rotated"],
            unknown=verdicts["undated"],
        )
