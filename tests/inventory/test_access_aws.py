"""Who AWS lets read secrets: resource policies from moto, and simulations as IAM answers them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from scanner.inventory.aws import resource_policies
from scanner.inventory.aws.resource_policies import ResourcePolicy, Simulated
from scanner.model import Gap, Location
from scanner.policy.access import aws as policy
from tests.support.aws_server import ACCOUNT, REGION, Aws, serving
from tests.support.helpers import alone

OPEN = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue"}


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with serving() as found:
        yield found


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    alone(monkeypatch, "AWS_")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test" * 5)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server.reset()
    return server


def made(aws: Aws, name: str, *statements: Any) -> str:
    client = aws.client("secretsmanager")
    arn = str(client.create_secret(Name=name, SecretString="made up")["ARN"])
    if statements:
        text = json.dumps({"Version": "2012-10-17", "Statement": [*statements]})
        client.put_resource_policy(SecretId=arn, ResourcePolicy=text)
    return arn


def read(aws: Aws) -> list[Any]:
    return list(resource_policies.read(aws.settings()))


def test_a_resource_policy_for_everybody_is_found(aws: Aws) -> None:
    made(aws, "app/db", OPEN)
    (item,) = [one for one in read(aws) if isinstance(one, ResourcePolicy) and one.text]
    assert item.id == f"aws://prod/{ACCOUNT}/{REGION}/secretsmanager/app/db"
    (found,) = policy.open_policy(item.id, item.account, item.text, Location.at("keywatch.yaml", 1))
    assert "everybody" in found.detail
    assert found.severity.label == "critical"


def test_the_session_of_an_assumed_role_may_do_what_the_review_needs(aws: Aws) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/auditor"
    list(resource_policies.read(aws.settings(accounts=[{"role": role}])))
    request = next(body for body in aws.bodies if "AssumeRole" in body)
    (statement,) = json.loads(parse_qs(request)["Policy"][0])["Statement"]
    assert "secretsmanager:GetResourcePolicy" in statement["Action"]
    assert "secretsmanager:GetSecretValue" not in statement["Action"]


def text(**changes: Any) -> str:
    return json.dumps({"Statement": {**OPEN, **changes}})


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (text(), 1),
        (text(Principal={"AWS": "*"}), 1),
        (text(Principal={"AWS": "arn:aws:iam::999999999999:root"}), 1),
        (text(Principal={"AWS": [f"arn:aws:iam::{ACCOUNT}:root", "999999999999"]}), 1),
        (text(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"}), 0),
        (text(Principal={"Service": "lambda.amazonaws.com"}), 0),
        (text(Effect="Deny"), 0),
        (text(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), 0),
        (text(Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}), 1),
    ],
)
def test_whom_a_statement_lets_in(said: str, count: int) -> None:
    assert (
        len(list(policy.open_policy("aws://x", ACCOUNT, said, Location.at("keywatch.yaml", 1))))
        == count
    )


def test_what_is_not_a_policy_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a policy"):
        list(policy.open_policy("aws://x", ACCOUNT, "[]", Location.at("keywatch.yaml", 1)))


def simulation(arn: str, decision: str) -> str:
    return f"""<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>
<EvalActionName>secretsmanager:GetSecretValue</EvalActionName>
<EvalResourceName>{arn}</EvalResourceName><EvalDecision>{decision}</EvalDecision>
</member></EvaluationResults></SimulatePrincipalPolicyResult>
<ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"""


@pytest.mark.parametrize(("decision", "count"), [("allowed", 1), ("implicitDeny", 0)])
def test_what_iam_simulates_is_reported(aws: Aws, decision: str, count: int) -> None:
    arn = made(aws, "app/db")
    aws.client("iam").create_user(UserName="app")
    aws.answers["iam:SimulatePrincipalPolicy"] = lambda _: (200, simulation(arn, decision))
    allowed = [one for one in read(aws) if isinstance(one, Simulated)]
    assert len(allowed) == count
    assert len(list(policy.simulated(allowed, Location.at("keywatch.yaml", 1)))) == count


def test_iam_that_does_not_simulate_is_a_gap(aws: Aws) -> None:
    made(aws, "app/db")
    aws.client("iam").create_user(UserName="app")
    gaps = [one for one in read(aws) if isinstance(one, Gap)]
    assert [gap.path for gap in gaps] == [f"aws://prod/{ACCOUNT}/global/iam"]


def test_a_policy_that_may_not_be_read_is_a_gap(aws: Aws) -> None:
    made(aws, "app/db")
    denied = json.dumps({"__type": "AccessDeniedException", "message": "no"})
    aws.answers["secretsmanager:GetResourcePolicy"] = lambda _: (400, denied)
    gaps = [one for one in read(aws) if isinstance(one, Gap)]
    assert gaps[0].kind == "denied"


def test_no_value_is_asked_for(aws: Aws) -> None:
    made(aws, "app/db", OPEN)
    read(aws)
    assert "secretsmanager:GetSecretValue" not in aws.asked
