"""AWS that cannot be read, or answers what it should not: gaps that say why, and nothing secret."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pytest
from botocore import exceptions

from scanner.errors import ConfigError
from scanner.inventory import aws as backend
from scanner.inventory.aws.accounts import Accounts
from scanner.inventory.aws.errors import explain
from scanner.model import Gap, Note
from scanner.records import Record
from tests.support.aws_server import ACCOUNT, NOW, REGION, Aws, ago, refusal, serving, watched
from tests.support.tls_server import PAGE, portal

HERE = f"aws://prod/{ACCOUNT}/{REGION}"
SECRETS: dict[str, Any] = {"services": ["secretsmanager"]}
ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
TOKEN = "tok" * 9
"""Stands in the texts of all that goes wrong, as tokens do."""


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with serving() as aws:
        yield aws


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with watched(server, monkeypatch) as aws:
        monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
        yield aws


def read(aws: Aws, **options: Any) -> list[Record | Gap | Note]:
    found = list(backend.connect(aws.settings(**options), NOW).read())
    assert TOKEN not in str(found)
    assert "html" not in str(found)
    return found


def gaps(aws: Aws, **options: Any) -> dict[str, str]:
    return {one.path: one.kind for one in read(aws, **options) if isinstance(one, Gap)}


def reason(aws: Aws, **options: Any) -> str:
    (gap,) = (one for one in read(aws, **options) if isinstance(one, Gap))
    return gap.reason


def refuse(aws: Aws, asked: str, code: str, message: str = "", status: int = 400) -> None:
    """As the services that speak JSON do."""
    body = json.dumps({"__type": code, "message": f"{message} {TOKEN}"})
    aws.answers[asked] = lambda _asked: (status, body)


def some_secrets(aws: Aws, *names: str) -> None:
    listed = [{"Name": name, "ARN": ARN + name} for name in names]
    current = {"CreatedDate": ago(days=1), "VersionStages": ["AWSCURRENT"]}
    aws.answers["secretsmanager:ListSecrets"] = lambda _asked: {"SecretList": listed}
    aws.answers["secretsmanager:ListSecretVersionIds"] = lambda _asked: {"Versions": [current]}


# Who asks


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch", "AuthFailure"]
)
def test_credentials_that_are_not_accepted_make_a_gap_of_the_account(aws: Aws, code: str) -> None:
    aws.answers["sts:GetCallerIdentity"] = lambda _asked: (403, refusal(code, TOKEN))
    assert gaps(aws) == {"aws://prod": "unauthenticated"}
    assert aws.asked == ["sts:GetCallerIdentity"]


def test_credentials_that_expire_meanwhile_leave_what_was_read(aws: Aws) -> None:
    some_secrets(aws, "one")
    refuse(aws, "secretsmanager:ListSecretVersionIds", "ExpiredTokenException")
    assert gaps(aws, **SECRETS) == {f"{HERE}/secretsmanager/one": "unauthenticated"}


def test_no_credentials_at_all(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    assert gaps(aws) == {"aws://prod": "unauthenticated"}
    assert list(backend.connect(aws.settings(), NOW).excess()) == []


def test_an_account_that_cannot_be_opened_does_not_keep_the_others_from_being_read(
    aws: Aws,
) -> None:
    some_secrets(aws, "one")
    role = "arn:aws:iam::210987654321:role/auditor"
    aws.answers["sts:AssumeRole"] = lambda _asked: (403, refusal("AccessDenied", TOKEN))
    accounts = [{"profile": "none of that name"}, {"role": role}]
    assert gaps(aws, **SECRETS, accounts=accounts) == {
        "aws://prod": "unauthenticated",
        "aws://prod/210987654321": "denied",
    }
    del aws.answers["sts:AssumeRole"]
    found = read(aws, **SECRETS, accounts=accounts)
    assert [one.id for one in found if isinstance(one, Record)] == [
        f"aws://prod/210987654321/{REGION}/secretsmanager/one"
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", ""),
        ("RequestExpired", ""),
        ("InvalidSignatureException", "Signature expired: 20250615T120000Z is now earlier than"),
        ("SignatureDoesNotMatch", "Signature not yet current: 20250615T120000Z is still later"),
    ],
)
def test_a_wrong_clock_is_told_from_wrong_credentials(aws: Aws, code: str, message: str) -> None:
    refuse(aws, "secretsmanager:ListSecrets", code, message, 403)
    assert gaps(aws, **SECRETS) == {f"{HERE}/secretsmanager": "clock-skew"}


# What it may ask


def test_a_denied_service_is_a_gap_and_the_others_go_on(aws: Aws) -> None:
    some_secrets(aws, "one")
    refuse(aws, "kms:ListKeys", "AccessDeniedException")
    found = read(aws)
    denied = "the auditor may not call ListKeys"
    assert Gap(kind="denied", path=f"{HERE}/kms", reason=denied) in found
    assert f"{HERE}/secretsmanager/one" in {one.id for one in found if isinstance(one, Record)}
    assert "ssm:DescribeParameters" in aws.asked


def test_a_denied_secret_is_a_gap_and_the_others_go_on(aws: Aws) -> None:
    some_secrets(aws, "one", "two")
    body = json.dumps({"__type": "AccessDeniedException"})
    current = {"CreatedDate": ago(days=1), "VersionStages": ["AWSCURRENT"]}
    aws.answers["secretsmanager:ListSecretVersionIds"] = lambda asked: (
        (400, body) if asked["SecretId"] == ARN + "one" else {"Versions": [current]}
    )
    found = read(aws, **SECRETS)
    assert gaps(aws, **SECRETS) == {f"{HERE}/secretsmanager/one": "denied"}
    assert f"{HERE}/secretsmanager/two" in {one.id for one in found if isinstance(one, Record)}


def test_a_denial_without_a_code_is_one_by_its_status(aws: Aws) -> None:
    aws.answers["secretsmanager:ListSecrets"] = lambda _asked: (403, PAGE.decode())
    assert gaps(aws, **SECRETS) == {f"{HERE}/secretsmanager": "denied"}


def test_what_was_deleted_in_between_is_a_note(aws: Aws) -> None:
    some_secrets(aws, "one")
    refuse(aws, "secretsmanager:ListSecretVersionIds", "ResourceNotFoundException")
    gone = "it was deleted while the store was read"
    note = Note(kind="gone", path=f"{HERE}/secretsmanager/one", text=gone)
    assert note in read(aws, **SECRETS)
    assert gaps(aws, **SECRETS) == {}


def test_a_list_that_is_not_there_is_no_empty_list(aws: Aws) -> None:
    refuse(aws, "secretsmanager:ListSecrets", "ResourceNotFoundException")
    assert list(gaps(aws, **SECRETS)) == [f"{HERE}/secretsmanager"]


# What comes back


@pytest.mark.parametrize("asked", ["secretsmanager:ListSecrets", "kms:ListKeys", "iam:ListUsers"])
def test_a_proxy_that_answers_html_is_a_gap_and_no_empty_store(aws: Aws, asked: str) -> None:
    service = asked.partition(":")[0]
    aws.answers[asked] = lambda _asked: (200, PAGE.decode())
    region = "global" if service == "iam" else REGION
    assert gaps(aws, services=[service]) == {
        f"aws://prod/{ACCOUNT}/{region}/{service}": "unreadable"
    }


def test_a_proxy_that_answers_html_from_the_start(aws: Aws) -> None:
    aws.answers["sts:GetCallerIdentity"] = lambda _asked: (200, PAGE.decode())
    assert gaps(aws) == {"aws://prod": "unreadable"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        '{"SecretList": 5}',
        '{"SecretList": [5]}',
        '{"SecretList": [{}]}',
        '{"SecretList": [{"Name": 5}]}',
        '{"SecretList": [{"Name": "x"}]}',
        '{"SecretList": [], "NextToken": "same"}',
        '{"SecretList": [{"Name": "x", "ARN": "y", "NextRotationDate": 1e300}]}',
    ],
)
def test_answers_of_another_shape_are_gaps(aws: Aws, body: str) -> None:
    some_secrets(aws)
    aws.answers["secretsmanager:ListSecrets"] = lambda _asked: (200, body)
    assert "unreadable" in gaps(aws, **SECRETS).values()


@pytest.mark.parametrize("created", ["1e300", '"yesterday"', "-1e18", "null"])
def test_times_beyond_the_calendar_are_gaps(aws: Aws, created: str) -> None:
    some_secrets(aws, "one")
    body = f'{{"Versions": [{{"VersionStages": ["AWSCURRENT"], "CreatedDate": {created}}}]}}'
    aws.answers["secretsmanager:ListSecretVersionIds"] = lambda _asked: (200, body)
    assert gaps(aws, **SECRETS) == {f"{HERE}/secretsmanager/one": "unreadable"}


def test_nobody_is_sent_elsewhere(aws: Aws) -> None:
    aws.answers["secretsmanager:ListSecrets"] = lambda _asked: (302, "")
    assert reason(aws, **SECRETS) == "AWS answers ListSecrets with an error (HTTP 302)"


def test_an_error_that_is_not_known_is_told_by_its_status_alone(aws: Aws) -> None:
    refuse(aws, "secretsmanager:ListSecrets", f"Trouble{TOKEN}", status=418)
    assert reason(aws, **SECRETS) == "AWS answers ListSecrets with an error (HTTP 418)"


def test_names_with_odd_characters_stay_one_line_and_one_path(aws: Aws) -> None:
    some_secrets(aws, "/a b#c\x1b[31m\n::error::%2F/ü", "n" * 5000)
    ids = [one.id for one in read(aws, **SECRETS) if isinstance(one, Record)]
    assert ids[0] == f"{HERE}/secretsmanager/a%20b%23c%1B%5B31m%0A::error::%252F/%C3%BC"
    assert len(ids[1]) < 2200


# How it is reached


def elsewhere(aws: Aws, address: str) -> dict[str, Any]:
    """Only what is read is asked there; who asks is answered by moto."""
    endpoints = {"secretsmanager": address, "sts": aws.url, "iam": aws.url}
    return {**SECRETS, "endpoints": endpoints}


def test_a_name_that_does_not_resolve_is_told_with_the_name(aws: Aws) -> None:
    wanted = "no connection to aws.invalid: check the name, the network and the proxy"
    assert reason(aws, **elsewhere(aws, "https://aws.invalid")) == wanted


def test_a_certificate_of_another_authority_is_not_trusted(aws: Aws, tmp_path: Path) -> None:
    with portal(tmp_path) as (address, ca):
        told = reason(aws, **elsewhere(aws, address))
        assert (
            told == "the certificate of localhost is not trusted: does the option ca name its CA?"
        )
        told = reason(aws, **elsewhere(aws, address), ca=str(ca))
        assert told == "the answer does not come from AWS: is there a proxy?"


def test_a_file_of_authorities_that_is_not_there(aws: Aws, tmp_path: Path) -> None:
    with portal(tmp_path) as (address, _):
        told = reason(aws, **elsewhere(aws, address), ca=str(tmp_path / "none.pem"))
    assert told == "the certificate of localhost is not trusted: does the option ca name its CA?"


def test_a_server_that_does_not_answer_in_time() -> None:
    """Five times ten seconds, in earnest."""
    address = f"https://kms.{REGION}.amazonaws.com/?{TOKEN}"
    late = exceptions.ReadTimeoutError(endpoint_url=address, error=TimeoutError())
    explained = explain(late)
    wanted = ("unreachable", f"no answer from kms.{REGION}.amazonaws.com")
    assert (explained.kind, explained.reason) == wanted


def test_a_proxy_that_is_down_is_told_without_its_password(aws: Aws) -> None:
    by = {"proxy": f"http://me:{TOKEN}@127.0.0.1:9"}
    told = reason(aws, **elsewhere(aws, "https://aws.invalid"), **by)
    assert told == "the proxy cannot be reached"


def test_a_proxy_of_the_environment_is_not_asked(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    some_secrets(aws, "one")
    assert gaps(aws, **SECRETS) == {}


def test_what_leads_to_credentials_is_asked_where_the_operator_says(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    core = Accounts(aws.settings(ca=str(tmp_path)))._core()
    assert core.get_config_variable("ca_bundle") == str(tmp_path)
    sts = core.create_client("sts", region_name=REGION)
    assert sts.meta.endpoint_url == f"https://sts.{REGION}.amazonaws.com"


def test_addresses_that_the_environment_names_are_ignored(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://attacker.invalid")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "https://attacker.invalid")
    client = Accounts(aws.settings(endpoints={})).client(boto3.Session(), "kms", REGION)
    assert client.meta.endpoint_url == f"https://kms.{REGION}.amazonaws.com"


# How long it takes


def test_throttling_is_waited_out(aws: Aws) -> None:
    some_secrets(aws, "one")
    answer = aws.answers["secretsmanager:ListSecrets"]
    refusals = iter([1, 2])
    body = json.dumps({"__type": "ThrottlingException"})
    aws.answers["secretsmanager:ListSecrets"] = lambda asked: (
        (400, body) if next(refusals, 0) else answer(asked)
    )
    assert gaps(aws, **SECRETS) == {}
    assert aws.asked.count("secretsmanager:ListSecrets") == 3


def test_throttling_that_does_not_end_is_a_gap(aws: Aws) -> None:
    refuse(aws, "secretsmanager:ListSecrets", "ThrottlingException")
    assert gaps(aws, **SECRETS, timeout=60) == {f"{HERE}/secretsmanager": "throttled"}
    assert aws.asked.count("secretsmanager:ListSecrets") == 5


def test_no_wait_goes_beyond_the_deadline(aws: Aws) -> None:
    refuse(aws, "secretsmanager:ListSecrets", "ThrottlingException")
    start = time.monotonic()
    assert gaps(aws, **SECRETS, timeout=2) == {f"{HERE}/secretsmanager": "throttled"}
    assert time.monotonic() - start < 10


def test_after_the_deadline_nothing_is_asked_and_all_that_was_listed_is_a_gap(aws: Aws) -> None:
    some_secrets(aws, "one", "two", "three")
    answer = aws.answers["secretsmanager:ListSecretVersionIds"]

    def slow(asked: Any) -> Any:
        time.sleep(3.2)
        return answer(asked)

    aws.answers["secretsmanager:ListSecretVersionIds"] = slow
    found = gaps(aws, **SECRETS, timeout=3)
    listed = {f"{HERE}/secretsmanager/{name}": "timeout" for name in ("two", "three")}
    assert found.items() >= listed.items()
    assert aws.asked.count("secretsmanager:ListSecretVersionIds") == 1


# What the operator's file may say


def test_a_backend_without_regions_is_refused(aws: Aws) -> None:
    settings = aws.settings()
    with pytest.raises(ConfigError, match="has no regions"):
        backend.connect(settings._replace(options={}), NOW)


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({"regions": ["eu-central-1", "us-gov-west-1"]}, True),
        ({"regions": []}, False),
        ({"regions": ["evil.example/"]}, False),
        ({"services": ["iam"], "accounts": [{"profile": "audit"}]}, True),
        ({"services": ["s3"]}, False),
        (
            {"accounts": [{"role": "arn:aws-cn:iam::123456789012:role/a/b", "external_id": "x1"}]},
            True,
        ),
        ({"accounts": [{}]}, False),
        ({"accounts": [{"role": "auditor"}]}, False),
        ({"endpoints": {"kms": "https://vpce-1.kms.eu-central-1.vpce.amazonaws.com"}}, True),
        ({"endpoints": {"kms": "http://127.0.0.1:5000"}}, True),
        ({"endpoints": {"kms": "http://127.0.0.1.evil.example"}}, False),
        ({"endpoints": {"kms": "https://me:password@kms.example"}}, False),
        ({"ca": "/etc/ssl/ours.pem"}, True),
    ],
)
def test_the_schema_takes_what_can_be_used(options: dict[str, Any], valid: bool) -> None:
    schema = {"type": "object", "additionalProperties": False, "properties": backend.OPTIONS}
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema.Draft202012Validator(schema).is_valid(options) is valid
