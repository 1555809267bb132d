"""Inventory: one AWS service in one region, and helpers for its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from scanner.model import Note, NoteKind
from scanner.records import Dated

Client = TypeVar("Client")

DAY = 86_400


class ServiceRegion(NamedTuple, Generic[Client]):
    """One service of one account in one region. `regions` are all regions of the backend."""

    client: Client
    region: str
    regions: tuple[str, ...]
    now: datetime


def exact(when: datetime, field: str) -> Dated:
    return Dated(earliest=utc(when), latest=utc(when), field=field)


def utc(when: datetime) -> datetime:
    """The time in UTC. boto3 returns times in the time zone of the machine."""
    return when.astimezone(UTC)


def moment(answer: Mapping[str, object], field: str) -> datetime | None:
    """An optional time in an answer."""
    found = answer.get(field)
    return utc(found) if isinstance(found, datetime) else None


def tags_of(
    tags: Iterable[Mapping[str, object]], key: str = "Key", value: str = "Value"
) -> Mapping[str, str]:
    return MappingProxyType({str(tag[key]): str(tag[value]) for tag in tags})


def replica_note(path: str, primary: str, regions: tuple[str, ...]) -> Note | None:
    """None if the primary is read, too: it is counted there, because a replica is as old as its
    primary. Otherwise a note that it is not counted."""
    if primary in regions:
        return None
    text = f"a replica whose primary is in {primary}, a region that this backend does not read"
    return Note(kind=NoteKind.REPLICA, path=path, text=text)
