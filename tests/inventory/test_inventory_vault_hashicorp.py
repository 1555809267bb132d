"""Shapes that only HashiCorp's Vault has, as its documentation and source give them: schedules,
rotations that never were or were given up, and engines for LDAP, AWS, Azure and Google Cloud."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.records import Record, Rotation, Strength
from tests.support.http_answers import Reply, Request, said, serving
from tests.support.vaults import Item, backend, date_of, gaps, moment, records, settings

HEALTH = {"initialized": True, "sealed": False, "standby": False, "version": "1.20.0"}
ENTERPRISE = HEALTH | {"version": "1.20.0+ent"}
DENIED = said({"errors": ["1 error occurred:\n\t* permission denied\n\n"]}, 403)
ROTATED = "2026-11-21T00:00:03.525302-05:00"  # a Saturday
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def asked(engine: str, paths: dict[str, Any], health: Any = HEALTH) -> list[Item]:
    """What is read of an engine at `x`; `paths` are below it, and end in a slash to be listed."""
    mount = {"path": "x/", "type": engine, "options": None}
    whole = {
        "/v1/sys/health": said(health),
        "/v1/auth/token/lookup-self": said({"data": {}}),
        "/v1/sys/internal/ui/mounts/x": said({"data": mount}),
        "/v1/sys/mounts/x/tune": said({"data": {"max_lease_ttl": 86_400}}),
    }
    for path, found in paths.items():
        at = path if path.startswith("/") else f"/v1/x/{path}"
        answer = {"keys": found} if path.endswith("/") else found
        whole[f"{at}?list=true" if path.endswith("/") else at] = (
            answer if isinstance(answer, Reply) else said({"data": answer})
        )

    def vault(request: Request) -> Reply:
        return whole.get(request.path, said({"errors": []}, 404))

    with serving(vault) as address:
        return list(backend(settings(address, token="t", mounts=["x"]), NOW).read())


def static_role(health: Any = HEALTH, **data: Any) -> Record:
    found = asked(
        "database", {"static-roles/": ["app"], "static-roles/app": data, **ORPHANS}, health
    )
    return records(found)["x/static-roles/app"]


ORPHANS = {"/v1/sys/rotation/orphans": said({"orphans": ["x/static-roles/gone"]})}


@pytest.mark.parametrize("last", [{}, {"last_vault_rotation": "0001-01-01T00:00:00Z"}])
def test_a_static_role_without_a_last_rotation_was_never_rotated(last: dict[str, str]) -> None:
    record = static_role(rotation_period=3600, **last)
    assert (record.dated, record.never) == (None, True)
    assert record.rotation == Rotation(period=3600)


@pytest.mark.parametrize(
    ("schedule", "window", "period", "due"),
    [
        ("0 0 * * SAT", 3600, timedelta(days=7), "2026-11-28T01:00:00+00:00"),
        ("0 6 * * 1-5", None, timedelta(days=3), "2026-11-23T06:00:00+00:00"),
        ("30 4 1 * ?", 0, timedelta(days=31), "2026-12-01T04:30:00+00:00"),
    ],
)
def test_a_schedule_rotates_as_seldom_as_its_longest_gap(
    schedule: str, window: int | None, period: timedelta, due: str
) -> None:
    record = static_role(
        rotation_schedule=schedule, rotation_window=window, last_vault_rotation=ROTATED
    )
    assert date_of(record) == moment(ROTATED)
    assert record.rotation == Rotation(period=int(period.total_seconds()), due=moment(due))


def test_a_schedule_that_cannot_be_read_is_a_gap() -> None:
    role = {"rotation_schedule": "now and then", "last_vault_rotation": ROTATED}
    items = asked("database", {"static-roles/": ["app"], "static-roles/app": role})
    assert gaps(items) == [("malformed", "vault://prod/-/x/static-roles/app")]


def test_a_rotation_that_vault_enterprise_has_given_up_is_failing() -> None:
    role = {"rotation_period": 3600, "last_vault_rotation": ROTATED}
    roles = {
        "static-roles/": ["gone", "well"],
        "static-roles/gone": role,
        "static-roles/well": role,
    }
    found = records(asked("database", roles | ORPHANS, ENTERPRISE))
    failing = {path: one.rotation.failing for path, one in found.items() if one.rotation}
    assert failing == {
        "x/static-roles/gone": "Vault no longer rotates it (sys/rotation/orphans)",
        "x/static-roles/well": "",
    }


def test_what_vault_enterprise_does_not_say_of_rotations_is_a_gap_if_it_is_denied() -> None:
    role = {"static-roles/": ["app"], "static-roles/app": {"rotation_period": 5}}
    old = asked("database", role, ENTERPRISE)
    assert gaps(old) == []
    denied = asked("database", role | {"/v1/sys/rotation/orphans": DENIED}, ENTERPRISE)
    assert gaps(denied) == [("denied", "vault://prod/-/sys/rotation/orphans")]
    assert len(records(denied)) == 1


def test_ldap_dates_its_static_roles_in_folders_too_and_its_own_bind_password() -> None:
    role = {"username": "app", "rotation_period": 86_400, "last_vault_rotation": ROTATED}
    found = records(
        asked(
            "openldap",
            {
                "static-role/": ["app", "org/"],
                "static-role/app": role,
                "static-role/org/": ["deep"],
                "static-role/org/deep": role,
                "role/": ["dynamic"],
                "role/dynamic": {"default_ttl": 1800, "max_ttl": 0},
                "config": {"binddn": "cn=vault", "last_bind_password_rotation": ROTATED},
            },
        )
    )
    assert [*found] == [
        *("x/static-role/app", "x/static-role/org/deep", "x/role/dynamic", "x/config"),
    ]
    assert found["x/static-role/org/deep"].kind == "ldap-static-role"
    assert found["x/role/dynamic"].lifetime == 86_400
    root = found["x/config"]
    assert root.dated is not None
    assert (root.kind, root.dated.field) == ("ldap-root", "last_bind_password_rotation")
    assert date_of(root) == moment(ROTATED)


def test_a_bind_password_that_vault_never_rotated_has_no_date() -> None:
    config = {"config": {"last_bind_password_rotation": "0001-01-01T00:00:00Z"}}
    record = records(asked("ldap", config))["x/config"]
    assert (record.dated, record.never) == (None, False)
    assert record.undated == "Vault has not rotated it since it was configured"


def test_aws_has_a_period_and_no_date() -> None:
    found = records(
        asked(
            "aws",
            {
                "static-roles/": ["app"],
                "static-roles/app": {"username": "app", "rotation_period": "24h0m0s"},
                "roles/": ["user", "session", "endless"],
                "roles/user": {"credential_type": "iam_user", "max_sts_ttl": 0},
                "roles/session": {"credential_types": ["assumed_role"], "max_sts_ttl": 7200},
                "roles/endless": {"credential_type": "federation_token", "max_sts_ttl": 0},
                "config/root": {"access_key": "made-up"},
            },
        )
    )
    assert found["x/static-roles/app"].rotation == Rotation(period=86_400)
    assert found["x/static-roles/app"].undated
    assert {path: one.lifetime for path, one in found.items() if "/roles/" in path} == {
        "x/roles/endless": 36 * 3600,
        "x/roles/session": 7200,
        "x/roles/user": 86_400,
    }
    assert (found["x/config/root"].kind, found["x/config/root"].dated) == ("aws-root", None)


def test_azure_dates_its_root_by_its_end_and_the_period_of_today() -> None:
    config = {
        "root_password_expiration_date": "2027-05-01T00:00:00Z",
        "root_password_ttl": 15_768_000,
    }
    roles = {"roles/": ["app"], "roles/app": {"ttl": 0, "max_ttl": 3600}}
    found = records(asked("azure", {"config": config, **roles}))
    root = found["x/config"]
    assert root.dated is not None
    assert root.dated.strength == Strength.WEAK
    assert date_of(root) == datetime(2026, 10, 30, 12, tzinfo=UTC)
    assert found["x/roles/app"].lifetime == 3600
    bare = records(asked("azure", {"config": {"tenant_id": "x"}}))["x/config"]
    assert (bare.kind, bare.dated, bool(bare.undated)) == ("azure-root", None, True)


def test_google_accounts_issue_keys_or_keep_one_that_has_no_date() -> None:
    accounts = {
        "rolesets/": ["keys", "tokens"],
        "roleset/keys": {"secret_type": "service_account_key"},
        "roleset/tokens": {"secret_type": "access_token"},
        "static-accounts/": ["keys"],
        "static-account/keys": {"secret_type": "service_account_key"},
    }
    found = records(asked("gcp", accounts | {"config": {"ttl": "1h", "max_ttl": "4h"}}))
    assert found["x/roleset/keys"].lifetime == found["x/static-account/keys"].lifetime == 4 * 3600
    assert (found["x/roleset/tokens"].dated, found["x/roleset/tokens"].lifetime) == (None, None)
    assert found["x/config"].kind == "gcp-root"
    bare = records(asked("gcp", accounts | {"config": {}}))
    assert bare["x/roleset/keys"].lifetime == 86_400


def test_an_engine_whose_root_was_not_written_has_none() -> None:
    assert records(asked("azure", {"config": said({"errors": []}, 404)})) == {}


def test_a_denied_root_is_a_gap() -> None:
    assert gaps(asked("azure", {"config": DENIED})) == [("denied", "vault://prod/-/x/config")]
