"""Rotations in AWS (moto) and in Azure Key Vault (a fake that answers the real SDK)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.rotate.model import State
from tests.support import aws_server, azure_cloud
from tests.support.aws_server import ACCOUNT, REGION, Aws
from tests.support.azure_vault import WritableVault
from tests.support.openbao import ROOT_TOKEN, Bao
from tests.support.rotations import ROTATES, Rotator, vault_backend


@pytest.fixture(scope="module")
def moto() -> Iterator[Aws]:
    with aws_server.serving() as aws:
        yield aws


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azure_cloud.Azure]:
    with azure_cloud.serving(tmp_path_factory.mktemp("azure")) as cloud:
        yield cloud


@pytest.fixture
def aws(moto: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test" * 5)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    moto.reset()
    return moto


@pytest.fixture
def clouds(
    tmp_path: Path,
    vault: Bao,
    aws: Aws,
    azure: azure_cloud.Azure,
) -> Rotator:
    azure.answers.clear()
    auth = azure.settings().options["auth"]
    made = Rotator(
        tmp_path / "clouds",
        {
            "prod": vault_backend(vault.address, "app"),
            "aws": {
                "kind": "aws",
                "regions": [REGION],
                "services": ["iam", "secretsmanager"],
                "endpoints": dict.fromkeys(("iam", "secretsmanager", "sts"), aws.url),
            },
            "kv": {
                "kind": "azure",
                "vaults": ["https://kv-prod.vault.azure.net"],
                "auth": auth,
                "ca": str(azure.ca),
                "proxy": azure.proxy,
            },
        },
        {
            "prod": ROTATES,
            "aws": {"regions": [REGION]},
            "kv": {"auth": {**auth, "client_id": "rotator"}},
        },
        lock="vault://prod/-/keywatch/clouds",
    )
    made.environ |= {"AUDITOR": ROOT_TOKEN, "ROTATOR": ROOT_TOKEN}
    return made


@pytest.fixture
def user(clouds: Rotator, aws: Aws) -> str:
    """An IAM user with one key, which is stored in Secrets Manager."""
    iam = aws.client("iam")
    iam.create_user(UserName="ci")
    iam.create_access_key(UserName="ci")
    aws.client("secretsmanager").create_secret(Name="ci-key", SecretString='{"region": "x"}')
    secret = f"aws://aws/{ACCOUNT}/global/iam/ci"
    fields = {"access_key_id": "id", "secret_access_key": "secret"}
    store = f"aws://aws/{ACCOUNT}/{REGION}/secretsmanager/ci-key"
    clouds.entries.append({"match": secret, "store": store, "fields": fields})
    return secret


def stored(aws: Aws, name: str) -> Any:
    return aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]


@pytest.mark.slow
def test_a_crash_at_any_moment_leaves_the_user_one_key_and_it_is_the_stored_one(
    clouds: Rotator, aws: Aws, user: str
) -> None:
    iam = aws.client("iam")
    moments = clouds.crashed(user, "none")
    for moment in moments[::3]:  # all of them: make bench
        clouds.crashed(user, moment)
        (key,) = iam.list_access_keys(UserName="ci")["AccessKeyMetadata"]
        held = json.loads(stored(aws, "ci-key"))
        assert held.keys() == {"region", "id", "secret"}
        assert (held["id"], key["Status"]) == (key["AccessKeyId"], "Active"), moment
    assert {each["result"] for each in clouds.records} == {State.FINISHED}


def test_a_user_with_two_keys_is_left_to_the_operator(clouds: Rotator, aws: Aws, user: str) -> None:
    aws.client("iam").create_access_key(UserName="ci")
    (stopped,) = clouds.apply(user).results
    assert stopped.progress.state is State.NEEDS_OPERATOR
    assert len(aws.client("iam").list_access_keys(UserName="ci")["AccessKeyMetadata"]) == 2


@pytest.mark.slow
def test_a_crash_at_any_moment_lets_secrets_manager_rotate_once(clouds: Rotator, aws: Aws) -> None:
    manager = aws.client("secretsmanager")
    manager.create_secret(Name="own", SecretString="made-up")
    manager.rotate_secret(SecretId="own", RotationRules={"AutomaticallyAfterDays": 30})
    secret = f"aws://aws/{ACCOUNT}/{REGION}/secretsmanager/own"
    moments = clouds.crashed(secret, "none")
    for moment in moments[::3]:
        before = manager.describe_secret(SecretId="own")["VersionIdsToStages"]
        clouds.crashed(secret, moment)
        after = manager.describe_secret(SecretId="own")["VersionIdsToStages"]
        new = [each for each in after if each not in before]
        assert len(new) == 1, moment
        assert "AWSCURRENT" in after[new[0]]


@pytest.fixture
def key_vault(azure: azure_cloud.Azure, clouds: Rotator) -> WritableVault:
    return WritableVault(azure, int(time.time()) - 1000)


@pytest.mark.slow
def test_a_crash_at_any_moment_leaves_one_enabled_version_of_a_secret_in_azure(
    clouds: Rotator, key_vault: WritableVault
) -> None:
    (clouds.issued / "first").write_text("issued-first")
    key_vault.set("api", "issued-first", team="web")
    secret = "azure://kv/kv-prod/secret/api"
    clouds.entries.append({"match": secret, "issuer": "theirs"})
    moments = clouds.crashed(secret, "none")
    for number, moment in enumerate(moments, start=1):
        clouds.crashed(secret, number)
        (one,) = key_vault.enabled("api")
        assert {path.read_text() for path in clouds.issued.iterdir()} == {one["value"]}, moment
        assert one["tags"]["team"] == "web"


@pytest.mark.slow
def test_a_crash_at_any_moment_makes_one_new_version_of_a_key_in_azure(
    clouds: Rotator, key_vault: WritableVault
) -> None:
    key_vault.key("wrap")
    secret = "azure://kv/kv-prod/key/wrap"
    clouds.entries.append({"match": secret})
    moments = clouds.crashed(secret, "none")
    for number, moment in enumerate(moments, start=1):
        before = len(key_vault.held["keys"]["wrap"])
        clouds.crashed(secret, number)
        assert len(key_vault.held["keys"]["wrap"]) == before + 1, moment
