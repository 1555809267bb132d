"""What an audit keeps for the next one comes back as it was."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.audit import state as audit_state
from scanner.audit.state import SavedSecret, State
from scanner.records import Dated, Fault, Record, Rotation, Strength, ValueMark

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "rules/schema/state.schema.json").read_bytes())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

TEXT = st.text(st.characters(exclude_categories=()), max_size=7)  # too short for any secret
TIME = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
MAYBE = st.none() | TIME
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
RECORDS = st.builds(
    Record,
    id=TEXT,
    kind=TEXT,
    dated=st.none()
    | st.builds(
        Dated, earliest=MAYBE, latest=MAYBE, field=TEXT, strength=st.sampled_from(Strength)
    ),
    undated=TEXT,
    never=st.booleans(),
    tags=st.dictionaries(TEXT, TEXT, max_size=3),
    keys=st.none() | TEXTS,
    rotation=st.none() | st.builds(Rotation, period=st.integers(0, 10**9), due=MAYBE, failing=TEXT),
    lifetime=st.none() | st.integers(-1, 10**9),
    superseded=MAYBE,
    stale=TEXTS,
    faults=st.lists(st.builds(Fault, rule=TEXT, detail=TEXT), max_size=2).map(tuple),
    expires=MAYBE,
    expiry_unknown=TEXT,
)
KEPT = st.builds(
    SavedSecret,
    backend=TEXT,
    seen=TIME,
    verdict=TEXT,
    conditions=TEXTS,
    value_mark=st.none() | st.builds(ValueMark, mark=TEXT, after=MAYBE, by=TIME, last=TIME),
    record=st.none() | RECORDS,
    kind=TEXT,
    secret_class=TEXT,
    owner=TEXT,
    limit=st.none() | st.integers(0, 10**9),
    due=MAYBE,
)
STATES = st.builds(
    State,
    written=TIME,
    successes=st.dictionaries(TEXT, TIME, max_size=3),
    secrets=st.dictionaries(TEXT, KEPT, max_size=3),
)


@given(STATES)
def test_any_state_comes_back_as_it_was(state: State) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/state.json"
        audit_state.save(path, state)
        VALIDATOR.validate(json.loads(Path(path).read_bytes()))
        again = audit_state.load(path)
    assert again == state._replace(
        secrets={
            name: kept._replace(
                record=kept.record and kept.record._replace(value_mark=kept.value_mark)
            )
            for name, kept in state.secrets.items()
        }
    )


def test_a_file_that_is_not_there_is_an_empty_state(tmp_path: Path) -> None:
    assert audit_state.load(str(tmp_path / "none")) == State()


def test_a_state_has_one_secret_a_line(tmp_path: Path) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    secrets = {name: SavedSecret(backend="prod", seen=now, verdict="ok") for name in "abc"}
    path = tmp_path / "state.json"
    audit_state.save(str(path), State(written=now, secrets=secrets))
    assert len(path.read_text().splitlines()) == 5


@pytest.mark.parametrize("name", Record._fields)
def test_every_field_of_a_record_is_in_the_schema(name: str) -> None:
    known = SCHEMA["$defs"]["record"]["properties"].keys() | {"value_mark"}
    assert name in known
