"""Database credentials: OpenBao rotates, PostgreSQL says which password logs in."""

from __future__ import annotations

import itertools

import pytest

from scanner.rotate.model import State
from tests.support.openbao import Bao, Postgres
from tests.support.rotations import Rotator

NUMBERS = itertools.count()


@pytest.fixture
def role(database: Postgres, vault: Bao, rotator: Rotator) -> str:
    """A static role whose password OpenBao keeps."""
    name = f"app{next(NUMBERS)}"
    database.run(f"CREATE ROLE {name} LOGIN IN ROLE apps")
    body = {"db_name": "pg", "username": name, "rotation_period": "20d"}
    vault.call("POST", f"database/static-roles/{name}", body)
    secret = f"vault://prod/-/database/static-roles/{name}"
    rotator.entries.append({"match": secret, "prove_old": True})
    return secret


def credential(vault: Bao, role: str) -> tuple[str, str]:
    data = vault.call("GET", f"database/static-creds/{role.rsplit('/', maxsplit=1)[-1]}")["data"]
    return data["username"], data["password"]


def test_the_new_password_logs_in_and_the_old_one_does_not(
    rotator: Rotator, vault: Bao, database: Postgres, role: str
) -> None:
    user, old = credential(vault, role)
    assert database.logs_in(user, old)
    result = rotator.finish(role)
    _, new = credential(vault, role)
    assert new != old
    assert database.logs_in(user, new)
    assert not database.logs_in(user, old)
    assert result.record
    assert result.record["proofs"] == [
        "the new password logs in to the database",
        "the old password does not log in to the database any more",
    ]
    assert vault.call("LIST", "database/config")["data"]["keys"] == ["pg"]


def test_no_value_is_in_any_file(rotator: Rotator, vault: Bao, role: str) -> None:
    values = [credential(vault, role)[1]]
    rotator.finish(role)
    values.append(credential(vault, role)[1])
    for path in rotator.folder.rglob("*"):
        if path.is_file():
            assert not any(value in path.read_text() for value in values), path


def test_a_crash_at_any_moment_leaves_one_password_that_logs_in(
    rotator: Rotator, vault: Bao, database: Postgres, role: str
) -> None:
    moments = rotator.crashed(role, 10_000)
    for number in range(1, len(moments) + 1):
        user, old = credential(vault, role)
        rotator.crashed(role, number)
        new = credential(vault, role)[1]
        assert new != old, moments[number - 1]
        assert database.logs_in(user, new)
        assert not database.logs_in(user, old)
    assert vault.call("LIST", "database/config")["data"]["keys"] == ["pg"]


def test_a_root_that_may_have_been_rotated_twice_says_so(
    rotator: Rotator, vault: Bao, database: Postgres
) -> None:
    root = "vault://prod/-/database/config/pg"
    rotator.crashed(root, "did rotate")
    (record,) = rotator.records
    assert any("perhaps rotated twice" in each for each in record["notes"])
    assert record["result"] == State.FINISHED


def test_a_role_whose_user_is_gone_fails_and_resumes_when_it_is_back(
    rotator: Rotator, database: Postgres, role: str
) -> None:
    user = role.rsplit("/", 1)[-1]
    database.run(f"DROP ROLE {user}")
    (failed,) = rotator.apply(role).results
    assert failed.progress.state in (State.FAILED, State.UNKNOWN)
    database.run(f"CREATE ROLE {user} LOGIN IN ROLE apps")
    (done,) = rotator.resume().results
    assert done.progress.state is State.FINISHED
