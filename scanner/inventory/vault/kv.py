"""Inventory: Vault's key/value engine. Version 2 dates each version; version 1 has no dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.vault.mounts import Entry, EntryType, dated, is_no_time, parse_time
from scanner.inventory.vault.parallel_requests import Item
from scanner.model import Note, NoteKind
from scanner.records import Dated, Record, Strength


def _version_1(entry: Entry) -> Iterator[Item]:
    why = "KV version 1 stores no times: move the secret to a version 2 mount"
    yield Record(id=entry.id, kind="kv-v1", undated=why)


def _version_2(entry: Entry) -> Iterator[Item]:
    number = int(entry.data["current_version"])
    if number == 0:
        text = "it has metadata but no value yet"
        yield Note(kind=NoteKind.NOT_LIVE, path=entry.id, text=text)
        return
    version = entry.data["versions"][str(number)]
    if state := _deleted(version, entry.mount.namespace.now):
        text = f"its current version is {state}"
        yield Note(kind=NoteKind.NOT_LIVE, path=entry.id, text=text)
        return
    tags = entry.data.get("custom_metadata") or {}
    record = Record(
        id=entry.id,
        kind="kv-v2",
        dated=_dated(number, version, entry.data),
        tags={str(key): str(value) for key, value in tags.items()},
    )
    yield from _with_keys(record, entry) if entry.mount.namespace.keys else (record,)


def _dated(number: int, version: Mapping[str, Any], data: Mapping[str, Any]) -> Dated:
    """The date of a version, and how much it proves.

    A patch of another field and a rollback also create a version, with the old value. Upgrading a
    version 1 mount stamps version 1 of each secret with the time of the upgrade, although the value
    is older. Only the upgrade keeps a single version, so it sets `oldest_version` to 1. The first
    write leaves 0 there, unless `max_versions` is 1, which cannot be told from an upgrade.
    """
    written = parse_time(version["created_time"])
    field = f"versions[{number}].created_time"
    if number > 1:
        return dated(written, field, Strength.WEAK)
    if data.get("oldest_version") == 0:
        return dated(written, field)
    return Dated(earliest=None, latest=written, field=field, strength=Strength.BOUND)


def _deleted(version: Mapping[str, Any], now: datetime) -> str:
    """Why the version cannot be read, "" if it can.

    With `delete_version_after`, the deletion time of a live version is in the future.
    """
    if version["destroyed"]:
        return "destroyed"
    ends = version["deletion_time"]
    return "deleted" if not is_no_time(ends) and parse_time(ends) <= now else ""


def _with_keys(record: Record, entry: Entry) -> Iterator[Item]:
    """The record with the names of its keys. The record is returned even if they are denied."""
    try:
        names = entry.mount.read(f"subkeys/{entry.path}", "?depth=1")["subkeys"]
        yield record._replace(keys=tuple(sorted(names)))
    except ReadError as error:
        yield record
        yield gap(record.id, error, "the names of its keys are unknown")


VERSION_1 = (
    EntryType(to_items=_version_1, list_path="", read_path=None, id_prefix="", value_path="{}"),
)
VERSION_2 = (
    EntryType(
        to_items=_version_2,
        list_path="metadata/",
        read_path="metadata/",
        id_prefix="",
        value_path="data/{}",
        advice="list on metadata and read on data are not enough to read a date",
    ),
)
