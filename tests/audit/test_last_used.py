"""The audit reads what the audit logs say of rotations and of use."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.errors import ConfigError
from scanner.policy.live.last_used import parse
from scanner.records import Record, Strength

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ROOT = "vault://prod/-/database/config/main"
API = "vault://prod/-/secret/app/api"


def written(*, complete: bool = True, days: int = 100, **secrets: Any) -> bytes:
    said = {"last_read": None, "last_written": None, "last_rotated": None}
    named = {ROOT: {**said, "last_rotated": "2026-11-20T00:00:00Z"}, API: {**said, **secrets}}
    since = (NOW - timedelta(days=days)).isoformat()
    document = {"schema_version": 1, "since": since, "complete": complete, "secrets": named}
    return json.dumps(document).encode()


def test_a_root_without_a_date_gets_that_of_its_rotation() -> None:
    record = Record(id=ROOT, kind="database-root", undated="the API has no date")
    dated = parse(written(), "f").dated(record).dated
    assert dated is not None
    assert dated.earliest == dated.latest == datetime(2026, 11, 20, tzinfo=UTC)
    assert dated.strength is Strength.EXACT


def test_incomplete_logs_prove_only_that_the_value_is_no_older() -> None:
    dated = parse(written(complete=False), "f").dated(Record(id=ROOT, kind="x")).dated
    assert dated is not None
    assert (dated.latest, dated.strength) == (None, Strength.BOUND)


@pytest.mark.parametrize(
    ("read", "days", "complete", "unused"),
    [
        (None, 100, True, True),
        ("2026-08-01T00:00:00Z", 200, True, True),
        ("2026-11-01T00:00:00Z", 200, True, False),
        (None, 30, True, False),
        (None, 100, False, False),
    ],
)
def test_a_secret_is_unused_only_if_long_and_complete_logs_say_so(
    read: str | None, days: int, *, complete: bool, unused: bool
) -> None:
    used = parse(written(complete=complete, days=days, last_read=read), "f")
    assert bool(used.unused(API, NOW)) is unused


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema_version": 2}', written()[:-2]])
def test_another_file_is_an_error(data: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(data, "f")
