"""How old AWS's secrets are, against moto's server over HTTP. No test may ask for a value."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto.backends import get_backend

from scanner.inventory import aws as backend
from scanner.model import Gap, Note
from scanner.records import Dated, Record, Rotation, Strength
from tests.support.aws_server import ACCOUNT, NOW, REGION, Answer, Asked, Aws, ago, serving, watched

HERE = f"aws://prod/{ACCOUNT}/{REGION}"
IAM = f"aws://prod/{ACCOUNT}/global/iam"
VALUE = "made-up" * 2
DAY = 86_400


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with serving() as aws:
        yield aws


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with watched(server, monkeypatch) as aws:
        yield aws


def read(aws: Aws, **options: Any) -> list[Record | Gap | Note]:
    return list(backend.connect(aws.settings(**options), NOW).read())


def records(aws: Aws, **options: Any) -> dict[str, Record]:
    found = read(aws, **options)
    assert not [one for one in found if isinstance(one, Gap)]
    return {one.id: one for one in found if isinstance(one, Record)}


def since(moment: datetime, field: str) -> Dated:
    return Dated(earliest=moment, latest=moment, field=field)


def state(service: Any, region: str = REGION) -> Any:
    """The inside of moto, for what AWS lets nobody write: dates."""
    return get_backend(service)[ACCOUNT][region]


# Secrets Manager


def versions_of(aws: Aws, *versions: Mapping[str, Any]) -> None:
    """moto gives the current time for every version."""

    def answer(asked: Asked) -> Answer:
        return {"ARN": asked["SecretId"], "Name": "x", "Versions": list(versions)}

    aws.answers["secretsmanager:ListSecretVersionIds"] = answer


def version(created: datetime, *stages: str) -> Mapping[str, Any]:
    return {"VersionId": "1" * 32, "CreatedDate": created, "VersionStages": stages}


def listed(aws: Aws, **fields: Any) -> None:
    entry = {
        "ARN": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:app/db-AbCdEf",
        "Name": "app/db",
        **fields,
    }
    aws.answers["secretsmanager:ListSecrets"] = lambda _asked: {"SecretList": [entry]}


DB = f"{HERE}/secretsmanager/app/db"
CURRENT = "CreatedDate of AWSCURRENT"
SECRETS: dict[str, Any] = {"services": ["secretsmanager"]}


def test_a_secret_is_as_old_as_the_version_that_is_staged_current(aws: Aws) -> None:
    client = aws.client("secretsmanager")
    tags = [{"Key": "team", "Value": "payments"}]
    client.create_secret(Name="app/db", SecretString=VALUE, Tags=tags)
    versions_of(
        aws,
        version(ago(days=2), "AWSPENDING"),
        version(ago(days=40), "AWSCURRENT"),
        version(ago(days=70), "AWSPREVIOUS"),
    )
    assert records(aws, **SECRETS) == {
        DB: Record(
            id=DB,
            kind="secretsmanager-secret",
            dated=since(ago(days=40), CURRENT),
            tags={"team": "payments"},
        )
    }


def test_a_secret_that_was_only_described_or_tagged_again_keeps_its_age(aws: Aws) -> None:
    listed(aws, LastChangedDate=ago(hours=1), LastAccessedDate=ago(hours=1))
    versions_of(aws, version(ago(days=400), "AWSCURRENT"))
    assert records(aws, **SECRETS)[DB].dated == since(ago(days=400), CURRENT)


def test_a_value_that_was_put_by_hand_is_younger_than_the_last_rotation(aws: Aws) -> None:
    listed(aws, LastRotatedDate=ago(days=100), RotationEnabled=False)
    versions_of(aws, version(ago(days=3), "AWSCURRENT"))
    assert records(aws, **SECRETS)[DB].dated == since(ago(days=3), CURRENT)


def test_the_current_version_may_stand_on_a_later_page(aws: Aws) -> None:
    listed(aws)
    pages: dict[str, Any] = {
        "": {"Versions": [version(ago(days=9), "x")], "NextToken": "2"},
        "2": {"Versions": [version(ago(days=5), "AWSCURRENT")]},
    }
    aws.answers["secretsmanager:ListSecretVersionIds"] = lambda asked: pages[
        asked.get("NextToken", "")
    ]
    assert records(aws, **SECRETS)[DB].dated == since(ago(days=5), CURRENT)


def test_all_pages_of_the_list_are_read(aws: Aws) -> None:
    client = aws.client("secretsmanager")
    names = {f"app/{number:03}" for number in range(120)}
    for name in names:
        client.create_secret(Name=name, SecretString=VALUE)
    assert set(records(aws, **SECRETS)) == {f"{HERE}/secretsmanager/{name}" for name in names}
    assert aws.asked.count("secretsmanager:ListSecrets") > 1


def test_a_secret_that_holds_no_value_yet_has_no_date(aws: Aws) -> None:
    aws.client("secretsmanager").create_secret(Name="app/db")
    versions_of(aws)
    found = records(aws, **SECRETS)[DB]
    assert found.dated is None
    assert "has no value" in found.undated


def test_a_secret_that_was_deleted_is_not_live(aws: Aws) -> None:
    client = aws.client("secretsmanager")
    client.create_secret(Name="app/db", SecretString=VALUE)
    client.delete_secret(SecretId="app/db")
    assert records(aws, **SECRETS) == {}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, None),
        ({"RotationEnabled": False, "RotationRules": {"AutomaticallyAfterDays": 30}}, 0),
        ({"RotationRules": {"AutomaticallyAfterDays": 30}, "LastRotatedDate": ago(days=1)}, 0),
        ({"RotationEnabled": True, "RotationRules": {"AutomaticallyAfterDays": 30}}, 30 * DAY),
        (
            {"RotationEnabled": True, "RotationRules": {"ScheduleExpression": "rate(10 days)"}},
            864_000,
        ),
        (
            {"RotationEnabled": True, "RotationRules": {"ScheduleExpression": "rate(4 hours)"}},
            14_400,
        ),
        (
            {
                "RotationEnabled": True,
                "RotationRules": {"ScheduleExpression": "cron(0 8 1 * ? *)"},
                "NextRotationDate": ago(days=-20),
            },
            30 * DAY,
        ),
        ({"RotationEnabled": True, "RotationRules": {"ScheduleExpression": "cron(x)"}}, None),
        (
            {
                "RotationEnabled": True,
                "OwningService": "rds",
                "RotationRules": {"AutomaticallyAfterDays": 7},
            },
            7 * DAY,
        ),
    ],
    ids=[
        "never set up, no field says so",
        "cancelled, its rules stay",
        "cancelled, the field is absent",
        "days",
        "rate in days",
        "rate in hours",
        "cron",
        "cron without a date",
        "managed by a service, without a function",
    ],
)
def test_rotation_is_what_is_switched_on_not_what_rules_are_left(
    aws: Aws, fields: Mapping[str, Any], wanted: int | None
) -> None:
    listed(aws, **fields)
    versions_of(aws, version(ago(days=10), "AWSCURRENT"))
    found = records(aws, **SECRETS)[DB].rotation
    assert (found.period if found else None) == wanted


ROTATING = {"RotationEnabled": True, "RotationRules": {"AutomaticallyAfterDays": 30}}


def test_a_next_rotation_in_the_past_is_told_as_it_is(aws: Aws) -> None:
    listed(aws, **ROTATING, NextRotationDate=ago(days=2))
    versions_of(aws, version(ago(days=32), "AWSCURRENT"))
    assert records(aws, **SECRETS)[DB].rotation == Rotation(period=30 * DAY, due=ago(days=2))


@pytest.mark.parametrize(
    ("pending", "stages", "fails"),
    [
        (timedelta(hours=5), ("AWSPENDING",), True),
        (timedelta(minutes=5), ("AWSPENDING",), False),
        (timedelta(hours=5), ("AWSPENDING", "AWSCURRENT"), False),
    ],
)
def test_a_pending_version_that_does_not_become_current_is_a_failed_rotation(
    aws: Aws, pending: timedelta, stages: Sequence[str], fails: bool
) -> None:
    listed(aws, **ROTATING)
    versions_of(aws, version(NOW - pending, *stages), version(ago(days=9), "AWSCURRENT"))
    rotation = records(aws, **SECRETS)[DB].rotation
    assert rotation
    assert rotation.failing == (
        "a rotation started at 2025-06-15 07:00 UTC and did not end" if fails else ""
    )


def test_a_replica_is_counted_where_its_primary_is(aws: Aws) -> None:
    aws.client("secretsmanager").create_secret(
        Name="app/db", SecretString=VALUE, AddReplicaRegions=[{"Region": "eu-west-1"}]
    )
    both = records(aws, **SECRETS, regions=[REGION, "eu-west-1"])
    assert set(both) == {DB}


def test_a_replica_of_a_region_that_is_not_read_is_a_note(aws: Aws) -> None:
    aws.client("secretsmanager").create_secret(
        Name="app/db", SecretString=VALUE, AddReplicaRegions=[{"Region": "eu-west-1"}]
    )
    found = [one for one in read(aws, **SECRETS, regions=["eu-west-1"]) if one[0] == "replica"]
    path = f"aws://prod/{ACCOUNT}/eu-west-1/secretsmanager/app/db"
    text = "a replica whose primary is in eu-central-1, a region that this backend does not read"
    assert found == [Note(kind="replica", path=path, text=text)]


# IAM

KEYS: dict[str, Any] = {"services": ["iam"]}


def user(aws: Aws, *created: datetime, name: str = "deployer") -> list[str]:
    client = aws.client("iam")
    client.create_user(UserName=name, Tags=[{"Key": "team", "Value": "ci"}])
    for _ in created:
        client.create_access_key(UserName=name)
    keys = state("iam", "aws").users[name].access_keys
    for key, moment in zip(keys, created, strict=True):
        key.create_date = moment.replace(tzinfo=None)
    return [key.access_key_id for key in keys]


def used(aws: Aws, **last: datetime | None) -> None:
    """By id of the key; None for one that was never used."""

    def answer(asked: Asked) -> Answer:
        moment = last[asked["AccessKeyId"]]
        when = f"<LastUsedDate>{moment:%Y-%m-%dT%H:%M:%SZ}</LastUsedDate>" if moment else ""
        return 200, (
            '<GetAccessKeyLastUsedResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            "<GetAccessKeyLastUsedResult><UserName>deployer</UserName><AccessKeyLastUsed>"
            f"{when}<ServiceName>N/A</ServiceName><Region>N/A</Region></AccessKeyLastUsed>"
            "</GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>"
        )

    aws.answers["iam:GetAccessKeyLastUsed"] = answer


def test_an_access_key_is_as_old_as_its_creation(aws: Aws) -> None:
    user(aws, ago(days=100))
    path = f"{IAM}/deployer"
    dated = since(ago(days=100), "CreateDate")
    assert records(aws, **KEYS) == {
        path: Record(id=path, kind="iam-access-key", dated=dated, tags={"team": "ci"})
    }
    assert "iam:GetAccessKeyLastUsed" not in aws.asked


def test_inactive_keys_and_users_without_keys_are_not_live(aws: Aws) -> None:
    user(aws, name="person")
    (key,) = user(aws, ago(days=100))
    aws.client("iam").update_access_key(UserName="deployer", AccessKeyId=key, Status="Inactive")
    assert records(aws, **KEYS) == {}


@pytest.mark.parametrize(
    ("old", "new", "in_use"),
    [
        (ago(days=8), ago(hours=1), 7),
        (ago(hours=1), None, 200),
        (ago(hours=1), ago(days=6), 200),
        (None, None, 7),
    ],
    ids=["the new one", "the new one never was", "the old one again", "neither"],
)
def test_of_two_active_keys_the_one_that_was_used_last_is_in_use_and_the_old_one_not_revoked(
    aws: Aws, old: datetime | None, new: datetime | None, in_use: int
) -> None:
    first, second = user(aws, ago(days=200), ago(days=7))
    used(aws, **{first: old, second: new})
    found = records(aws, **KEYS)[f"{IAM}/deployer"]
    assert found.dated == since(ago(days=in_use), "CreateDate")
    assert found.superseded == ago(days=7)
    assert first not in str(found)


def test_an_access_key_of_the_root_user_is_found_though_it_has_no_date(aws: Aws) -> None:
    answer = (
        '<GetAccountSummaryResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<GetAccountSummaryResult><SummaryMap><entry><key>AccountAccessKeysPresent</key>"
        "<value>1</value></entry></SummaryMap></GetAccountSummaryResult>"
        "</GetAccountSummaryResponse>"
    )
    aws.answers["iam:GetAccountSummary"] = lambda _asked: (200, answer)
    found = records(aws, **KEYS)[f"{IAM}/:root"]
    assert found.kind == "iam-root-access-key"
    assert found.dated is None
    assert "delete it" in found.undated


# KMS

KMS: dict[str, Any] = {"services": ["kms"]}


CREATED = ago(days=400)


def key(aws: Aws, created: datetime = CREATED, **made: Any) -> tuple[str, Any]:
    """The id, and moto's inside of it."""
    key_id = aws.client("kms").create_key(**made)["KeyMetadata"]["KeyId"]
    inside = state("kms").keys[key_id]
    inside.creation_date = created.timestamp()
    return key_id, inside


def test_a_key_is_as_old_as_its_newest_rotation(aws: Aws) -> None:
    key_id, inside = key(aws, Tags=[{"TagKey": "app", "TagValue": "shop"}])
    for days in (300, 30, 200):
        rotated = ago(days=days).timestamp()
        one = {"KeyId": key_id, "RotationDate": rotated, "RotationType": "ON_DEMAND"}
        inside.rotations.append(one)
    path = f"{HERE}/kms/{key_id}"
    assert records(aws, **KMS) == {
        path: Record(
            id=path,
            kind="kms-key",
            dated=since(ago(days=30), "RotationDate"),
            tags={"app": "shop"},
            rotation=Rotation(period=0),
        )
    }


def test_a_key_whose_rotation_is_only_switched_on_is_as_old_as_its_creation(aws: Aws) -> None:
    key_id, _ = key(aws)
    aws.client("kms").enable_key_rotation(KeyId=key_id)
    found = records(aws, **KMS)[f"{HERE}/kms/{key_id}"]
    assert found.dated == since(CREATED, "CreationDate")
    assert found.rotation == Rotation(period=365 * DAY)


def test_a_key_tells_its_own_period_and_when_it_is_due(aws: Aws) -> None:
    key_id, _ = key(aws)
    aws.answers["kms:GetKeyRotationStatus"] = lambda _asked: {
        "KeyRotationEnabled": True,
        "RotationPeriodInDays": 90,
        "NextRotationDate": ago(days=-10),
    }
    wanted = Rotation(period=90 * DAY, due=ago(days=-10))
    assert records(aws, **KMS)[f"{HERE}/kms/{key_id}"].rotation == wanted


@pytest.mark.parametrize(
    "made",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ],
    ids=["asymmetric", "HMAC"],
)
def test_asymmetric_and_hmac_keys_are_not_asked_for_rotations_they_cannot_have(
    aws: Aws, made: Mapping[str, Any]
) -> None:
    key_id, _ = key(aws, **made)
    found = records(aws, **KMS)[f"{HERE}/kms/{key_id}"]
    assert found.dated == since(CREATED, "CreationDate")
    assert found.rotation is None
    assert not {"kms:ListKeyRotations", "kms:GetKeyRotationStatus"} & set(aws.asked)


def test_imported_material_is_at_most_as_old_as_its_key(aws: Aws) -> None:
    key_id, _ = key(aws, Origin="EXTERNAL")
    found = records(aws, **KMS)[f"{HERE}/kms/{key_id}"]
    assert found.dated == Dated(
        earliest=CREATED, latest=None, field="CreationDate", strength=Strength.BOUND
    )
    assert found.rotation is None


def test_imported_material_that_was_rotated_on_demand_has_a_date(aws: Aws) -> None:
    key_id, inside = key(aws, Origin="EXTERNAL")
    waiting = {"KeyId": key_id, "KeyMaterialState": "PENDING_ROTATION"}
    inside.rotations += [waiting, {"KeyId": key_id, "RotationDate": ago(days=3).timestamp()}]
    dated = records(aws, **KMS)[f"{HERE}/kms/{key_id}"].dated
    assert dated == since(ago(days=3), "RotationDate")


@pytest.mark.parametrize(
    ("origin", "dated"),
    [("AWS_CLOUDHSM", since(CREATED, "CreationDate")), ("EXTERNAL_KEY_STORE", None)],
)
def test_keys_of_custom_stores_are_dated_only_where_aws_made_them(
    aws: Aws, origin: str, dated: Dated | None
) -> None:
    key_id, inside = key(aws)
    inside.origin = origin
    found = records(aws, **KMS)[f"{HERE}/kms/{key_id}"]
    assert found.dated == dated
    assert bool(found.undated) is (dated is None)
    assert "kms:ListKeyRotations" not in aws.asked


def test_disabled_and_deleted_keys_and_those_that_aws_manages_are_left_out(aws: Aws) -> None:
    disabled, _ = key(aws)
    deleted, _ = key(aws)
    client = aws.client("kms")
    client.disable_key(KeyId=disabled)
    client.schedule_key_deletion(KeyId=deleted, PendingWindowInDays=7)
    _, inside = key(aws)
    inside.key_manager = "AWS"
    assert records(aws, **KMS) == {}


def test_a_replica_of_a_key_is_counted_where_its_primary_is(aws: Aws) -> None:
    key_id, _ = key(aws, MultiRegion=True)
    aws.client("kms").replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    assert set(records(aws, **KMS, regions=[REGION, "eu-west-1"])) == {f"{HERE}/kms/{key_id}"}
    notes = [one for one in read(aws, **KMS, regions=["eu-west-1"]) if isinstance(one, Note)]
    assert "replica" in {note.kind for note in notes}


# SSM

SSM: dict[str, Any] = {"services": ["ssm"]}


def test_a_secure_string_has_a_weak_date_since_the_same_value_moves_it(aws: Aws) -> None:
    client = aws.client("ssm")
    tags = [{"Key": "app", "Value": "shop"}]
    client.put_parameter(Name="/app/mail", Value=VALUE, Type="SecureString", Tags=tags)
    client.put_parameter(Name="/app/mail", Value=VALUE, Type="SecureString", Overwrite=True)
    client.put_parameter(Name="/app/host", Value="mail.example", Type="String")
    for one in state("ssm")._parameters["/app/mail"]:
        one.last_modified_date = ago(days=12)
    path = f"{HERE}/ssm/app/mail"
    dated = since(ago(days=12), "LastModifiedDate")._replace(strength=Strength.WEAK)
    assert records(aws, **SSM) == {
        path: Record(id=path, kind="ssm-securestring", dated=dated, tags={"app": "shop"})
    }


# Accounts, regions, rights


def test_every_region_and_service_that_is_named_is_read_and_iam_once(aws: Aws) -> None:
    for region in (REGION, "us-east-1"):
        aws.client("secretsmanager", region).create_secret(Name="x", SecretString=VALUE)
    user(aws, ago(days=1))
    assert set(records(aws, regions=[REGION, "us-east-1"])) == {
        f"{HERE}/secretsmanager/x",
        f"aws://prod/{ACCOUNT}/us-east-1/secretsmanager/x",
        f"{IAM}/deployer",
    }


ROLE = "arn:aws:iam::210987654321:role/audit/auditor"


def test_an_assumed_role_reads_its_own_account_and_may_do_no_more_than_an_audit_needs(
    aws: Aws,
) -> None:
    accounts = [{"role": ROLE, "external_id": "ours"}]
    found = read(aws, accounts=accounts, **SECRETS)
    assert {one.path for one in found if isinstance(one, Note)} == {"aws://prod/210987654321"}
    request = next(body for body in aws.bodies if "AssumeRole" in body)
    assert "ExternalId=ours" in request
    assert "ListSecretVersionIds" in request
    assert "GetSecretValue" not in request


def test_profiles_are_those_of_the_operators_own_configuration(
    aws: Aws, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    pair = f"aws_access_key_id = {'A' * 20}\naws_secret_access_key = {'b' * 40}\n"
    file.write_text(f"[one]\n{pair}[two]\n{pair}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    accounts = [{"profile": "one"}, {"profile": "two"}]
    read(aws, accounts=accounts, **SECRETS)
    assert aws.asked.count("secretsmanager:ListSecrets") == 2


def test_regions_and_services_are_read_at_once_and_told_in_order(aws: Aws) -> None:
    meeting = threading.Barrier(4, timeout=20)

    def meets(_asked: Any) -> tuple[int, str]:
        meeting.wait()
        return 200, '{"SecretList": [], "Parameters": []}'

    aws.answers |= dict.fromkeys(("secretsmanager:ListSecrets", "ssm:DescribeParameters"), meets)
    regions, services = [REGION, "us-east-1"], ["secretsmanager", "ssm"]
    found = read(aws, regions=regions, services=services)
    assert not [one for one in found if isinstance(one, Gap)]


def test_accounts_are_told_in_the_order_of_the_operators_file(
    aws: Aws, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"profile-{number}" for number in range(12)]
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    found = read(aws, accounts=[{"profile": name} for name in names], **SECRETS)
    told = [one for one in found if isinstance(one, Gap)]
    assert [one.reason.partition(":")[0] for one in told] == [f"profile {name}" for name in names]
    # Which account a profile belongs to is unknown, so each Gap covers all accounts.
    assert {one.path for one in told} == {"aws://prod"}


def simulated(decisions: Mapping[str, str]) -> tuple[int, str]:
    members = "".join(
        f"<member><EvalActionName>{action}</EvalActionName>"
        f"<EvalDecision>{decision}</EvalDecision></member>"
        for action, decision in decisions.items()
    )
    return 200, (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        "<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>"
        f"{members}</EvaluationResults></SimulatePrincipalPolicyResult>"
        "</SimulatePrincipalPolicyResponse>"
    )


def test_rights_beyond_need_are_told_where_aws_may_be_asked(aws: Aws) -> None:
    decisions = {"secretsmanager:GetSecretValue": "allowed", "kms:Decrypt": "implicitDeny"}
    aws.answers["iam:SimulatePrincipalPolicy"] = lambda _asked: simulated(decisions)
    settings = aws.settings(accounts=[{"role": ROLE}], **SECRETS)
    told = list(backend.connect(settings, NOW).excess())
    assert told == [f"{ROLE} may secretsmanager:GetSecretValue on all resources"]
    assert not [one for one in backend.connect(settings, NOW).read() if isinstance(one, Note)]


def test_a_session_is_asked_about_as_the_role_that_it_is_of(aws: Aws) -> None:
    answer = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<GetCallerIdentityResult>"
        f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/auditor/i-1</Arn><UserId>x</UserId>"
        f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    aws.answers["sts:GetCallerIdentity"] = lambda _asked: (200, answer)
    aws.answers["iam:SimulatePrincipalPolicy"] = lambda _asked: simulated(
        {"kms:Decrypt": "allowed"}
    )
    told = list(backend.connect(aws.settings(**SECRETS), NOW).excess())
    assert told == [f"arn:aws:iam::{ACCOUNT}:role/auditor may kms:Decrypt on all resources"]


def test_where_aws_may_not_be_asked_for_rights_one_note_says_so(aws: Aws) -> None:
    notes = [one for one in read(aws, **SECRETS) if isinstance(one, Note)]
    assert [(note.kind, note.path) for note in notes] == [
        ("excess-unknown", f"aws://prod/{ACCOUNT}")
    ]
    assert list(backend.connect(aws.settings(**SECRETS), NOW).excess()) == []


def test_the_policy_to_paste_allows_what_is_asked_and_nothing_else(aws: Aws) -> None:
    """All that the four services can be asked is asked once, and held against the policy."""
    aws.client("secretsmanager").create_secret(Name="x", SecretString=VALUE)
    first, second = user(aws, ago(days=9), ago(days=1))
    used(aws, **{first: None, second: None})
    key(aws)
    aws.client("ssm").put_parameter(Name="x", Value=VALUE, Type="SecureString")
    records(aws)
    text = backend.permissions(aws.settings())
    policy = json.loads("".join(line for line in text.splitlines() if not line.startswith("#")))
    (statement,) = policy["Statement"]
    assert set(aws.asked) - {"sts:GetCallerIdentity"} == set(statement["Action"])


def test_the_policy_is_that_of_the_services_that_are_read(aws: Aws) -> None:
    read(aws, **SSM)
    text = backend.permissions(aws.settings(**SSM))
    assert "ssm:DescribeParameters" in text
    assert "kms:ListKeys" not in text


@pytest.mark.parametrize("days", [20, -20])
def test_ages_are_right_although_this_machines_clock_is_wrong(aws: Aws, days: int) -> None:
    listed(aws)
    versions_of(aws, version(ago(days=100), "AWSCURRENT"))
    asked = aws.settings(**SECRETS)
    assert asked.clock
    wrong = asked._replace(clock=asked.clock - timedelta(days=days))
    found = list(backend.connect(wrong, NOW).read())
    (record,) = (one for one in found if isinstance(one, Record))
    assert record.dated
    assert record.dated.latest
    assert abs(record.dated.latest - ago(days=100 + days)) < timedelta(minutes=1)
    (note,) = (one for one in found if isinstance(one, Note) and one.kind == "clock-skew")
    assert "this machine's clock is 17" in note.text
    assert not [one for one in backend.connect(asked, NOW).read() if "clock-skew" in str(one)]
