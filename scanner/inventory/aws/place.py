"""Inventory: what the readers of AWS's services share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from scanner.model import Note, NoteKind
from scanner.records import Dated

Client = TypeVar("Client")

DAY = 86_400


class Place(NamedTuple, Generic[Client]):
    """One service of one account in one region. `regions` are all that the backend reads."""

    client: Client
    region: str
    regions: tuple[str, ...]
    now: datetime


def exact(when: datetime, field: str) -> Dated:
    return Dated(earliest=utc(when), latest=utc(when), field=field)


def utc(when: datetime) -> datetime:
    """boto3 gives times in the zone of the machine."""
    return when.astimezone(UTC)


def moment(answer: Mapping[str, object], field: str) -> datetime | None:
    """A time that an answer need not hold."""
    said = answer.get(field)
    return utc(said) if isinstance(said, datetime) else None


def tags_of(
    tags: Iterable[Mapping[str, object]], key: str = "Key", value: str = "Value"
) -> Mapping[str, str]:
    return MappingProxyType({str(tag[key]): str(tag[value]) for tag in tags})


def elsewhere(path: str, primary: str, regions: tuple[str, ...]) -> Note | None:
    """A replica is as old as the secret that it copies, whatever its own date says: it is counted
    in that region, or it is not counted, and a note says so."""
    if primary in regions:
        return None
    text = f"a replica of the one in {primary}, a region that this backend does not read"
    return Note(kind=NoteKind.REPLICA, path=path, text=text)
