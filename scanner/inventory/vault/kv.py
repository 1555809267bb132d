"""Inventory: Vault's key/value engine: version 2 dates each version, version 1 nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from scanner.inventory.vault.errors import Trouble, gap
from scanner.inventory.vault.mount import Entry, Shelf, at, is_zero, moment
from scanner.inventory.vault.requests import Item
from scanner.model import Note, NoteKind
from scanner.records import Record, Strength


def _version_1(entry: Entry) -> Iterator[Item]:
    advice = "KV version 1 keeps no times: move it to a version 2 mount"
    yield Record(id=entry.id, kind="kv-v1", undated=advice)


def _version_2(entry: Entry) -> Iterator[Item]:
    number = int(entry.data["current_version"])
    if number == 0:
        yield Note(kind=NoteKind.NOT_LIVE, path=entry.id, text="it has metadata and no value yet")
        return
    version = entry.data["versions"][str(number)]
    if dead := _dead(version, entry.mount.place.now):
        yield Note(kind=NoteKind.NOT_LIVE, path=entry.id, text=f"its current version is {dead}")
        return
    record = Record(
        id=entry.id,
        kind="kv-v2",
        # A patch of one field and a rollback make a version, too, maybe with the old value.
        dated=at(
            moment(version["created_time"]),
            f"versions[{number}].created_time",
            Strength.EXACT if number == 1 else Strength.WEAK,
        ),
        tags={
            str(key): str(said) for key, said in (entry.data.get("custom_metadata") or {}).items()
        },
    )
    yield from _with_keys(record, entry) if entry.mount.place.keys else (record,)


def _dead(version: Mapping[str, Any], now: datetime) -> str:
    """Why the version cannot be read, "" where it can. With `delete_version_after`, the time of its
    deletion is known, and still to come, while it lives."""
    if version["destroyed"]:
        return "destroyed"
    ends = version["deletion_time"]
    return "deleted" if not is_zero(ends) and moment(ends) <= now else ""


def _with_keys(record: Record, entry: Entry) -> Iterator[Item]:
    """The record with the names of its value's fields. The date stands without them."""
    try:
        names = entry.mount.read(f"subkeys/{entry.path}", "?depth=1")["subkeys"]
        yield record._replace(keys=tuple(sorted(names)))
    except Trouble as error:
        yield record
        yield gap(record.id, error, "its key names are not known")


VERSION_1 = (Shelf(tells=_version_1, lists="", reads=None, named="", values="{}"),)
VERSION_2 = (
    Shelf(
        tells=_version_2,
        lists="metadata/",
        reads="metadata/",
        named="",
        values="data/{}",
        advice="with list on metadata and read on data alone, no date can be read",
    ),
)
