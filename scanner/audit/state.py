"""Read and write what an audit saw, for the next audit (`--state FILE`).

The file is JSON (rules/schema/state.schema.json). It contains no values and no tokens, and names
are masked. For a backend that was not read completely it contains whole records, for `--resume`.
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
from scanner.records import Dated, Fault, Record, Rotation, Strength, ValueMark

VERSION = 1
FRESH = timedelta(hours=1)
"""How long `--resume` uses a record instead of reading it again."""
Json = dict[str, Any]


class SavedSecret(NamedTuple):
    """One live secret as last seen. `record` is None if its backend was read completely.

    `kind`, `secret_class`, `owner`, `limit` and `due` are those of its Status.
    """

    backend: str
    seen: datetime
    verdict: str
    conditions: tuple[str, ...] = ()
    value_mark: ValueMark | None = None
    record: Record | None = None
    kind: str = ""
    secret_class: str = ""
    owner: str = ""
    limit: int | None = None
    due: datetime | None = None


class State(NamedTuple):
    """What earlier runs saw. It is empty before the first run.

    `written` is the time of the last run, `successes` when each backend was last read completely,
    `secrets` the secrets by canonical ID.
    """

    written: datetime | None = None
    successes: Mapping[str, datetime] = MappingProxyType({})
    secrets: Mapping[str, SavedSecret] = MappingProxyType({})

    def known(self, backend: str) -> dict[str, ValueMark]:
        """The marks of values that have no date."""
        of = ((name, saved.value_mark) for name, saved in self._of(backend))
        return {name: value_mark for name, value_mark in of if value_mark}

    def fresh(self, backend: str, now: datetime) -> dict[str, Record]:
        """The records that are new enough not to be read again."""
        of = ((name, saved.record) for name, saved in self._of(backend) if _is_fresh(saved, now))
        return {name: record for name, record in of if record}

    def _of(self, backend: str) -> Iterator[tuple[str, SavedSecret]]:
        return ((name, saved) for name, saved in self.secrets.items() if saved.backend == backend)


def _is_fresh(saved: SavedSecret, now: datetime) -> bool:
    return abs(now - saved.seen) < FRESH


def load(path: str) -> State:
    """The state in a file, an empty one if the file does not exist.

    ConfigError if the file is not a complete state.
    """
    try:
        with open(path, "rb") as file:
            return _state_from_json(json.load(file))
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ConfigError(
            f"{path} is not a state of keywatch audit, or has another version",
            todo="choose another file, or delete it and start without earlier results",
        ) from None


def save(path: str, state: State) -> None:
    """Replace the file. Only its owner can read it. OutputError if it cannot be written."""
    files.write_pieces(path, (line.encode() for line in _json_text(state)), mode=files.PRIVATE)


def _json_text(state: State) -> Iterator[str]:
    """The JSON text, with one secret on each line."""
    head: Json = {"schema_version": VERSION, "written_at": _time_to_json(state.written)}
    head["successes"] = {
        name: _time_to_json(when) for name, when in sorted(state.successes.items())
    }
    yield json.dumps(head)[:-1] + ', "secrets": {'
    separator = "\n"
    for name, saved in sorted(state.secrets.items()):
        yield f"{separator}{json.dumps(name)}: {json.dumps(_secret_to_json(saved))}"
        separator = ",\n"
    yield "\n}}\n"


def _state_from_json(data: Any) -> State:
    if data["schema_version"] != VERSION:
        raise ValueError
    return State(
        written=_optional_time(data["written_at"]),
        successes={name: _time(when) for name, when in data["successes"].items()},
        secrets={name: _secret_from_json(item) for name, item in data["secrets"].items()},
    )


def _secret_to_json(saved: SavedSecret) -> Json:
    data: Json = {
        "backend": saved.backend,
        "seen": _time_to_json(saved.seen),
        "verdict": saved.verdict,
        "conditions": saved.conditions,
        "kind": saved.kind,
        "class": saved.secret_class,
        "owner": saved.owner,
        "limit": saved.limit,
        "due": _time_to_json(saved.due),
    }
    if saved.value_mark:
        data["value_mark"] = _mark_to_json(saved.value_mark)
    if saved.record:
        data["record"] = _record_to_json(saved.record)
    return data


def _secret_from_json(item: Json) -> SavedSecret:
    value_mark = _mark_from_json(item.get("value_mark"))
    record = (
        _record_from_json(item["record"])._replace(value_mark=value_mark)
        if "record" in item
        else None
    )
    return SavedSecret(
        backend=str(item["backend"]),
        seen=_time(item["seen"]),
        verdict=str(item["verdict"]),
        conditions=tuple(map(str, item["conditions"])),
        value_mark=value_mark,
        record=record,
        kind=str(item.get("kind", "")),
        secret_class=str(item.get("class", "")),
        owner=str(item.get("owner", "")),
        limit=None if item.get("limit") is None else int(item["limit"]),
        due=_optional_time(item.get("due")),
    )


def _record_to_json(record: Record) -> Json:
    data = record._asdict() | {
        "dated": _dated_to_json(record.dated),
        "tags": {masked(name): masked(text) for name, text in record.tags.items()},
        "keys": None if record.keys is None else [*map(masked, record.keys)],
        "rotation": _rotation_to_json(record.rotation),
        "superseded": _time_to_json(record.superseded),
        "faults": [fault._asdict() for fault in record.faults],
        "expires": _time_to_json(record.expires),
    }
    del data["value_mark"]  # it is stored beside the record
    return data


def _mark_to_json(value_mark: ValueMark) -> Json:
    return {
        "mark": value_mark.mark,
        "after": _time_to_json(value_mark.after),
        "by": _time_to_json(value_mark.by),
        "last": _time_to_json(value_mark.last),
    }


def _mark_from_json(item: Json | None) -> ValueMark | None:
    if item is None:
        return None
    after, by, last = _optional_time(item["after"]), _time(item["by"]), _time(item["last"])
    return ValueMark(mark=str(item["mark"]), after=after, by=by, last=last)


def _rotation_to_json(rotation: Rotation | None) -> Json | None:
    return rotation._asdict() | {"due": _time_to_json(rotation.due)} if rotation else None


def _dated_to_json(dated: Dated | None) -> Json | None:
    if dated is None:
        return None
    return dated._asdict() | {
        "earliest": _time_to_json(dated.earliest),
        "latest": _time_to_json(dated.latest),
    }


def _record_from_json(item: Json) -> Record:
    return Record(**item)._replace(
        dated=_dated_from_json(item["dated"]),
        tags={str(name): str(text) for name, text in item["tags"].items()},
        keys=None if item["keys"] is None else tuple(map(str, item["keys"])),
        rotation=_rotation_from_json(item["rotation"]),
        lifetime=None if item["lifetime"] is None else int(item["lifetime"]),
        superseded=_optional_time(item["superseded"]),
        stale=tuple(map(str, item["stale"])),
        faults=tuple(Fault(**fault) for fault in item["faults"]),
        expires=_optional_time(item.get("expires")),
    )


def _rotation_from_json(item: Json | None) -> Rotation | None:
    if item is None:
        return None
    return Rotation(
        period=int(item["period"]), due=_optional_time(item["due"]), failing=str(item["failing"])
    )


def _dated_from_json(item: Json | None) -> Dated | None:
    if item is None:
        return None
    return Dated(
        earliest=_optional_time(item["earliest"]),
        latest=_optional_time(item["latest"]),
        field=str(item["field"]),
        strength=Strength(item["strength"]),
    )


def _time_to_json(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _optional_time(text: str | None) -> datetime | None:
    return _time(text) if text else None


def _time(text: str) -> datetime:
    """A time with a time zone. ValueError for any other text."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError
    return when
