"""Without any one permission of an auditor, no secret becomes missing, gone or resolved.

test_audit_unread.py asks a real Vault the same; here are servers of the other stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.audit.test_audit_unread import Night, nothing_is_lost
from tests.support import aws_server, azure_cloud, kubernetes_server
from tests.support.aws_server import Aws
from tests.support.azure_cloud import Asked, Azure
from tests.support.helpers import write_files
from tests.support.kubernetes_server import Server, kubeconfig, recording, secret

POLICY = """\
version: 1
classes:
  quick: {rotate_every: 1h, grace: 1m}
secrets:
  - {match: "SCHEME://**", class: quick, owner: "@sec-oncall"}
"""


def night(root: Path, scheme: str, operator: str, declared: str) -> Night:
    """Audits of a store that holds what `declared` names, and more."""
    found = Night(root, f"backends:\n  prod: {operator}\n", {})
    policy = POLICY.replace("SCHEME", scheme)
    files = {"keywatch.yaml": policy, f"configs/secrets/{scheme}.yaml": declared}
    write_files(root / "repository", files)
    return found


# Kubernetes

ESO = "apis/external-secrets.io/v1"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with kubernetes_server.serving() as server:
        server.add("api/v1/secrets", secret("db"), secret("web"), secret("app", "dev"))
        server.add(f"{ESO}/externalsecrets", *recording("externalsecrets")["body"]["items"])
        yield server


def _lists(server: Server) -> set[tuple[str, str]]:
    """Namespace and resource of each list that was asked for."""
    asked = (one.path.strip("/").split("/") for one in server.requests if one.method == "GET")
    lists = (parts[2:] if parts[0] == "api" else parts[3:] for parts in asked)
    return {(parts[1] if len(parts) == 3 else "", parts[-1]) for parts in lists if parts}


@pytest.mark.parametrize(
    "namespaces", [pytest.param("", marks=pytest.mark.slow), ", namespaces: [prod, dev]"]
)
def test_without_any_one_permission_in_kubernetes_nothing_is_lost(
    cluster: Server, tmp_path: Path, namespaces: str
) -> None:
    config = kubeconfig(cluster, tmp_path)
    operator = f'{{kind: kubernetes, kubeconfig: "{config}", context: test{namespaces}}}'
    declared = "kubernetes:\n  namespace: prod\n  secrets: [{name: db}, {name: web}]\n"
    run = night(tmp_path, "k8s", operator, declared)
    first = run("first")
    assert ("rotation-overdue", "k8s://prod/dev/secret/app") in first.findings
    lists = _lists(cluster)
    assert len(lists) > 5
    for number, denied in enumerate(sorted(lists)):
        cluster.denied = {denied}
        nothing_is_lost(first, run(f"run-{number}"))


# Azure


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure_cloud.serving(tmp_path_factory.mktemp("azure")) as azure:
        yield azure


def test_without_any_one_permission_in_azure_nothing_is_lost(
    cloud: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with azure_cloud.watched(cloud, monkeypatch) as azure:
        for kind in ("secrets", "keys", "certificates"):
            for name in ("one", "two"):
                azure.holds(kind, name, azure_cloud.version(azure_cloud.ago(days=9)))
        login = "{method: service-principal, tenant_id: T, client_id: C, client_secret: S}"
        operator = (
            f'{{kind: azure, vaults: ["https://kv-prod.vault.azure.net"], ca: "{azure.ca}",'
            f' proxy: "{azure.proxy}", auth: {login.replace("T", azure_cloud.TENANT)}}}'
        )
        secrets = "[{name: one}, {name: two, kind: key}, {name: two, kind: certificate}]"
        declared = "azure:\n  vault_url: ${URL}\n  secrets: " + secrets + "\n"
        run = night(tmp_path, "azure", operator, declared)
        first = run("first")
        paths = sorted({one.path for one in azure.asked if "vault.azure.net" in one.host})
        assert len([one for one in first.findings if one[0] == "rotation-overdue"]) == 6
        assert len(paths) > 10

        def denied(_asked: Asked) -> azure_cloud.Answer:
            return azure_cloud.refused(403, "Forbidden", "ForbiddenByRbac")

        for number, path in enumerate(paths):
            azure.answers = {path: denied}
            nothing_is_lost(first, run(f"run-{number}"))


# AWS


@pytest.fixture(scope="module")
def moto() -> Iterator[Aws]:
    with aws_server.serving() as aws:
        yield aws


def _refused(answer: tuple[int, str], _asked: object) -> tuple[int, str]:
    return answer


@pytest.mark.slow
def test_without_any_one_permission_in_aws_nothing_is_lost(
    moto: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws_server.watched(moto, monkeypatch) as aws:
        for name in ("app/db", "app/web"):
            aws.client("secretsmanager").create_secret(Name=name, SecretString="made up")
        aws.client("ssm").put_parameter(Name="/app/key", Value="x", Type="SecureString")
        aws.client("kms").create_key()
        aws.client("iam").create_user(UserName="ci")
        aws.client("iam").create_access_key(UserName="ci")
        endpoints = ", ".join(f'{each}: "{aws.url}"' for each in aws_server.PROTOCOLS)
        operator = f"{{kind: aws, regions: [{aws_server.REGION}], endpoints: {{{endpoints}}}}}"
        declared = (
            f"aws:\n  region: {aws_server.REGION}\n  secrets:\n    - {{name: app/db}}\n"
            "    - {name: app/key, service: ssm}\n"
        )
        run = night(tmp_path, "aws", operator, declared)
        first = run("first")
        found = [one[1].rsplit("/", 3)[-3:] for one in first.findings]
        assert {each[0] for each in found} >= {"secretsmanager", "ssm"}
        actions = sorted({*aws.asked} - {"iam:SimulatePrincipalPolicy"})
        assert len(actions) > 8
        for number, action in enumerate(actions):
            denied = (403, aws_server.refusal("AccessDenied"))
            if aws_server.PROTOCOLS[action.partition(":")[0]] != "text/xml":
                denied = (400, '{"__type": "AccessDeniedException", "Message": "no"}')
            kept = dict(aws.answers)
            aws.answers[action] = partial(_refused, denied)
            nothing_is_lost(first, run(f"run-{number}"))
            aws.answers = kept
