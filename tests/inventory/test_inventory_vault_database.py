"""The database engine with a real PostgreSQL: rotations that happen, and one that fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scanner.policy.live import rotation_age
from scanner.records import Rotation
from tests.support.openbao import Bao, Postgres, wait
from tests.support.vaults import auditor, backend, date_of, gaps, moment, records, settings

SECOND = timedelta(seconds=1)
MOUNT = "database-pg"


@pytest.fixture(scope="module")
def engine(bao: Bao, database: Postgres) -> Bao:
    """One with a static role for each of the users app, doomed and manual, and two dynamic ones."""
    database.run(*(f"CREATE ROLE {name} LOGIN" for name in ("app", "doomed", "manual")))
    bao.mount(MOUNT, "database", config={"max_lease_ttl": "48h"})
    place = f"127.0.0.1:{database.port}/postgres?sslmode=disable"
    bao.call(
        "POST",
        f"{MOUNT}/config/pg",
        {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}",
            "username": "admin",
            "password": "made-up",  # PostgreSQL trusts whoever comes from here
            "allowed_roles": "*",
        },
    )
    for name, period in (("app", 5), ("doomed", 5), ("manual", 86_400)):
        role = {"db_name": "pg", "username": name, "rotation_period": period}
        bao.call("POST", f"{MOUNT}/static-roles/{name}", role)
    for name, more in (("short", {"max_ttl": "1h"}), ("endless", {})):
        role = {"db_name": "pg", "creation_statements": "SELECT 1", **more}
        bao.call("POST", f"{MOUNT}/roles/{name}", role)
    return bao


def last_rotation(bao: Bao, role: str) -> datetime:
    data = bao.call("GET", f"{MOUNT}/static-roles/{role}")["data"]
    return moment(data["last_vault_rotation"])


def test_a_static_role_is_as_old_as_its_last_rotation(engine: Bao) -> None:
    audit = auditor(engine, MOUNT)
    found = records(audit.read())
    record = found[f"{MOUNT}/static-roles/manual"]
    rotated = last_rotation(engine, "manual")
    assert record.kind == "database-static-role"
    assert date_of(record) == rotated
    assert record.rotation == Rotation(period=86_400, due=rotated + 86_400 * SECOND)
    engine.call("POST", f"{MOUNT}/rotate-role/manual", {})
    assert date_of(records(audit.read())[f"{MOUNT}/static-roles/manual"]) > rotated


def test_a_rotation_that_happens_is_seen_and_one_that_fails_only_stops(
    engine: Bao, database: Postgres
) -> None:
    audit = auditor(engine, MOUNT)
    before = last_rotation(engine, "app")
    database.run("DROP ROLE doomed")
    stopped = last_rotation(engine, "doomed")
    wait(lambda: last_rotation(engine, "app") > before)
    wait(lambda: datetime.now(UTC) > stopped + 8 * SECOND)
    found = records(audit.read())
    assert date_of(found[f"{MOUNT}/static-roles/app"]) > before
    doomed = found[f"{MOUNT}/static-roles/doomed"]
    assert date_of(doomed) == stopped
    assert doomed.rotation == Rotation(period=5, due=stopped + 5 * SECOND)
    seen = rotation_age.judge(doomed, None, datetime.now(UTC) + timedelta(minutes=10)).conditions
    assert rotation_age.Condition.ROTATION_FAILING in [one.condition for one in seen]


def test_a_database_root_has_no_date_before_and_after_its_rotation(
    engine: Bao, database: Postgres
) -> None:
    database.run("CREATE ROLE root LOGIN SUPERUSER")
    engine.call("POST", f"{MOUNT}/config/pg", {"username": "root", "password": "made-up"})
    for _ in range(2):
        record = records(auditor(engine, MOUNT).read())[f"{MOUNT}/config/pg"]
        assert (record.kind, record.dated) == ("database-root", None)
        assert "audit log" in record.undated
        engine.call("POST", f"{MOUNT}/rotate-root/pg", {})


def test_a_dynamic_role_has_no_age_and_a_longest_life(engine: Bao) -> None:
    found = records(auditor(engine, MOUNT).read())
    short, endless = (found[f"{MOUNT}/roles/{name}"] for name in ("short", "endless"))
    assert (short.kind, short.dated, short.undated) == ("database-dynamic-role", None, "")
    assert short.lifetime == 3600
    beyond = {"db_name": "pg", "creation_statements": "SELECT 1", "max_ttl": "60d"}
    engine.call("POST", f"{MOUNT}/roles/beyond", beyond)
    found = records(auditor(engine, MOUNT).read())
    assert found[f"{MOUNT}/roles/beyond"].lifetime == 48 * 3600  # its mount caps it
    assert endless.lifetime == 48 * 3600  # what its mount allows


def test_a_role_that_leaves_its_life_to_the_mount_is_a_gap_where_that_is_denied(
    engine: Bao,
) -> None:
    token = engine.token(f'path "{MOUNT}/*" {{ capabilities = ["read", "list"] }}')
    items = [*backend(settings(engine.address, token=token, mounts=[MOUNT])).read()]
    assert gaps(items) == [("denied", f"vault://prod/-/{MOUNT}/roles/endless")]
    assert f"read on sys/mounts/{MOUNT}/tune: denied" in str(items)


def test_the_configuration_of_a_database_is_not_read_since_its_address_may_hold_a_password(
    engine: Bao,
) -> None:
    list(auditor(engine, MOUNT).read())
    asked = {one.path: one.operation for one in engine.asked()}
    assert asked[f"{MOUNT}/config/"] == "list"
    assert f"{MOUNT}/config/pg" not in asked
