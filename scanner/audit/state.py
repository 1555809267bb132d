"""The command line: what an audit saw, kept for the next one (`--state FILE`).

JSON, as rules/schema/state.schema.json describes it: no value, no token, and each name masked. Of a
backend that was not read to the end it holds whole records, for `--resume`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from scanner import files
from scanner.errors import ConfigError, unreadable
from scanner.masking import masked
from scanner.records import Dated, Fault, Record, Rotation, ValueMark, Strength

VERSION = 1
FRESH = timedelta(hours=1)
"""How long `--resume` takes a record for what a backend would say now."""
Json = dict[str, Any]


class Kept(NamedTuple):
    """One live secret as it was seen last; `record` is None if its backend was read to the end."""

    backend: str
    seen: datetime
    verdict: str
    conditions: tuple[str, ...] = ()
    value_mark: ValueMark | None = None
    record: Record | None = None


class State(NamedTuple):
    """All that is known of earlier runs: when the last one was, when each backend was last read to
    the end, and the secrets by canonical id. Without a run: nothing."""

    written: datetime | None = None
    successes: Mapping[str, datetime] = MappingProxyType({})
    secrets: Mapping[str, Kept] = MappingProxyType({})

    def known(self, backend: str) -> dict[str, ValueMark]:
        """What was seen of values that have a mark and no date."""
        of = ((name, kept.value_mark) for name, kept in self._of(backend))
        return {name: value_mark for name, value_mark in of if value_mark}

    def fresh(self, backend: str, now: datetime) -> dict[str, Record]:
        """The records that need not be asked for again."""
        of = ((name, kept.record) for name, kept in self._of(backend) if _is_fresh(kept, now))
        return {name: record for name, record in of if record}

    def _of(self, backend: str) -> Iterator[tuple[str, Kept]]:
        return ((name, kept) for name, kept in self.secrets.items() if kept.backend == backend)


def _is_fresh(kept: Kept, now: datetime) -> bool:
    return abs(now - kept.seen) < FRESH


def load(path: str) -> State:
    """The state in a file, an empty one where there is none. ConfigError where it is something
    else, or was cut short."""
    try:
        with open(path, "rb") as file:
            return _state(json.load(file))
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ConfigError(
            f"{path} is no state of keywatch audit, or one of another version",
            todo="name another file, or delete it: the next run then has nothing to compare with",
        ) from None


def save(path: str, state: State) -> None:
    """Replace the file as a whole; only its owner can read it. OutputError says why not."""
    files.write_pieces(path, (line.encode() for line in _text(state)), private=True)


def _text(state: State) -> Iterator[str]:
    """One secret a line."""
    head: Json = {"schema_version": VERSION, "written_at": _said(state.written)}
    head["successes"] = {name: _said(when) for name, when in sorted(state.successes.items())}
    yield json.dumps(head)[:-1] + ', "secrets": {'
    separator = "\n"
    for name, kept in sorted(state.secrets.items()):
        yield f"{separator}{json.dumps(name)}: {json.dumps(_entry(kept))}"
        separator = ",\n"
    yield "\n}}\n"


def _state(data: Any) -> State:
    if data["schema_version"] != VERSION:
        raise ValueError
    return State(
        written=_moment(data["written_at"]),
        successes={name: _time(when) for name, when in data["successes"].items()},
        secrets={name: _kept(item) for name, item in data["secrets"].items()},
    )


def _entry(kept: Kept) -> Json:
    said: Json = {
        "backend": kept.backend,
        "seen": _said(kept.seen),
        "verdict": kept.verdict,
        "conditions": kept.conditions,
    }
    if kept.value_mark:
        said["value_mark"] = _sighting(kept.value_mark)
    if kept.record:
        said["record"] = _record(kept.record)
    return said


def _kept(item: Json) -> Kept:
    value_mark = _sighting_of(item.get("value_mark"))
    record = _record_of(item["record"])._replace(value_mark=value_mark) if "record" in item else None
    return Kept(
        backend=str(item["backend"]),
        seen=_time(item["seen"]),
        verdict=str(item["verdict"]),
        conditions=tuple(map(str, item["conditions"])),
        value_mark=value_mark,
        record=record,
    )


def _record(record: Record) -> Json:
    said = record._asdict() | {
        "dated": _dated(record.dated),
        "tags": {masked(name): masked(words) for name, words in record.tags.items()},
        "keys": None if record.keys is None else [*map(masked, record.keys)],
        "rotation": _rotation(record.rotation),
        "superseded": _said(record.superseded),
        "faults": [fault._asdict() for fault in record.faults],
    }
    del said["value_mark"]  # it stands beside the record
    return said


def _sighting(value_mark: ValueMark) -> Json:
    mark, *times = value_mark
    return dict(zip(ValueMark._fields, (mark, *map(_said, times)), strict=True))


def _sighting_of(item: Json | None) -> ValueMark | None:
    if item is None:
        return None
    after, by, last = _moment(item["after"]), _time(item["by"]), _time(item["last"])
    return ValueMark(mark=str(item["mark"]), after=after, by=by, last=last)


def _rotation(rotation: Rotation | None) -> Json | None:
    return rotation._asdict() | {"due": _said(rotation.due)} if rotation else None


def _dated(dated: Dated | None) -> Json | None:
    if dated is None:
        return None
    return dated._asdict() | {"earliest": _said(dated.earliest), "latest": _said(dated.latest)}


def _record_of(item: Json) -> Record:
    return Record(**item)._replace(
        dated=_dated_of(item["dated"]),
        tags={str(name): str(words) for name, words in item["tags"].items()},
        keys=None if item["keys"] is None else tuple(map(str, item["keys"])),
        rotation=_rotation_of(item["rotation"]),
        lifetime=None if item["lifetime"] is None else int(item["lifetime"]),
        superseded=_moment(item["superseded"]),
        stale=tuple(map(str, item["stale"])),
        faults=tuple(Fault(**fault) for fault in item["faults"]),
    )


def _rotation_of(item: Json | None) -> Rotation | None:
    if item is None:
        return None
    return Rotation(int(item["period"]), _moment(item["due"]), str(item["failing"]))


def _dated_of(item: Json | None) -> Dated | None:
    if item is None:
        return None
    return Dated(
        earliest=_moment(item["earliest"]),
        latest=_moment(item["latest"]),
        field=str(item["field"]),
        strength=Strength(item["strength"]),
    )


def _said(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _moment(text: str | None) -> datetime | None:
    return _time(text) if text else None


def _time(text: str) -> datetime:
    """An aware time. ValueError for any other."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError
    return when
