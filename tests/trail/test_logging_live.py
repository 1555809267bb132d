"""Is everything logged? AWS, Azure and Kubernetes answer for themselves. Vault is in
test_real_vault.py.

AWS is moto. Azure Resource Manager is a server whose answers are held against the published
definitions of its API. The API server is the one of kubernetes_server.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from scanner.audit import backends
from scanner.inventory.aws.required_permissions import TRAILS
from scanner.inventory.interface import Settings
from tests.support import aws_server, azure_cloud, kubernetes_server
from tests.support.aws_server import ACCOUNT, REGION, Aws
from tests.support.azure_cloud import MANAGER, TENANT, Asked, Azure, refused, said
from tests.support.helpers import alone
from tests.support.kubernetes_server import Server, kubeconfig
from tests.support.trails import POLICY, Done, run


def asked_live(folder: Path, backend: str, *options: str) -> Done:
    """`keywatch trail --operator` for a config with this one backend."""
    (folder / "operator.yaml").write_text(f"backends:\n  prod: {backend}\n")
    (folder / "work").mkdir()
    (folder / "work" / "keywatch.yaml").write_text(POLICY)
    return run(folder / "work", "--operator", str(folder / "operator.yaml"), *options)


# AWS

US = "us-east-1"


@pytest.fixture(scope="module")
def moto() -> Iterator[Aws]:
    with aws_server.serving() as server:
        yield server


@pytest.fixture
def aws(moto: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An account with a bucket for logs. At the end: did the check only ask what it may?"""
    alone(monkeypatch, "AWS_")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test" * 5)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    moto.reset()
    moto.client("s3", US).create_bucket(Bucket="logs")
    yield moto
    assert {*moto.asked} <= {*TRAILS, "sts:GetCallerIdentity"}


def trail(aws: Aws, name: str, *, region: str = REGION, wide: bool = False, **selector: Any) -> str:
    client = aws.client("cloudtrail", region)
    options = {"IsMultiRegionTrail": wide, "IncludeGlobalServiceEvents": wide}
    arn: str = client.create_trail(Name=name, S3BucketName="logs", **options)["TrailARN"]
    client.start_logging(Name=name)
    chosen = {"ReadWriteType": "All", "IncludeManagementEvents": True, **selector}
    client.put_event_selectors(TrailName=name, EventSelectors=[chosen])
    return arn


def in_aws(aws: Aws, folder: Path, *regions: str) -> Done:
    endpoints = ", ".join(f'{each}: "{aws.url}"' for each in aws_server.PROTOCOLS)
    named = ", ".join(regions or (REGION,))
    return asked_live(folder, f"{{kind: aws, regions: [{named}], endpoints: {{{endpoints}}}}}")


def subject(region: str = REGION) -> str:
    return f"aws://prod/{ACCOUNT}/{region}/cloudtrail"


def test_a_trail_of_all_regions_records_each_of_them(aws: Aws, tmp_path: Path) -> None:
    trail(aws, "all", region=US, wide=True)
    done = in_aws(aws, tmp_path, REGION, US)
    assert (done.code, done.found, done.gaps) == (0, set(), {})


def test_a_region_without_a_trail_is_found(aws: Aws, tmp_path: Path) -> None:
    trail(aws, "here")
    done = in_aws(aws, tmp_path, REGION, US)
    assert done.found == {("trail-logging-cloudtrail", subject(US))}
    assert "has no trail" in done.report["findings"][0]["detail"]


def test_trails_that_record_everything_together_are_enough(aws: Aws, tmp_path: Path) -> None:
    trail(aws, "reads", ReadWriteType="ReadOnly")
    trail(aws, "writes", ReadWriteType="WriteOnly")
    assert in_aws(aws, tmp_path).found == set()


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({"ReadWriteType": "WriteOnly"}, "reads of KMS, reads of Secrets Manager, reads of Para"),
        (
            {"ExcludeManagementEventSources": ["kms.amazonaws.com"]},
            "no trail records reads and writes of KMS",
        ),
    ],
)
def test_events_that_no_trail_records_are_named(
    aws: Aws, tmp_path: Path, selector: dict[str, Any], said: str
) -> None:
    trail(aws, "some", **selector)
    done = in_aws(aws, tmp_path)
    assert done.found == {("trail-logging-cloudtrail", subject())}
    assert said in done.report["findings"][0]["detail"]


def test_a_trail_that_is_stopped_or_cannot_deliver_is_found(aws: Aws, tmp_path: Path) -> None:
    trail(aws, "stopped")
    trail(aws, "full")
    aws.client("cloudtrail").stop_logging(Name="stopped")
    status = {"IsLogging": True, "LatestDeliveryError": "NoSuchBucket"}
    answer = aws.client("cloudtrail").get_trail_status
    aws.answers["cloudtrail:GetTrailStatus"] = lambda asked: (
        status if asked["Name"].endswith("full") else {"IsLogging": answer(**asked)["IsLogging"]}
    )
    detail = in_aws(aws, tmp_path).finding("trail-logging-cloudtrail")["detail"]
    assert "the trail stopped is not logging" in detail
    assert "the trail full cannot deliver its log" in detail


@pytest.mark.parametrize("action", TRAILS)
def test_a_right_that_the_auditor_of_aws_lacks_is_a_gap(
    aws: Aws, tmp_path: Path, action: str
) -> None:
    trail(aws, "some", ReadWriteType="WriteOnly")
    denied = (400, '{"__type": "AccessDeniedException", "Message": "no"}')
    aws.answers[action] = lambda _: denied
    done = in_aws(aws, tmp_path)
    assert (done.code, done.found) == (3, set())
    assert action.partition(":")[2] in done.gaps["denied"]


def test_a_trail_that_cannot_be_read_is_no_gap_if_another_one_records_all(
    aws: Aws, tmp_path: Path
) -> None:
    arn = trail(aws, "theirs")
    trail(aws, "own")
    answer = aws.client("cloudtrail").get_event_selectors
    denied = (400, '{"__type": "AccessDeniedException", "Message": "no"}')
    aws.answers["cloudtrail:GetEventSelectors"] = lambda asked: (
        denied
        if asked["TrailName"] == arn
        else {"EventSelectors": answer(**asked)["EventSelectors"]}
    )
    assert in_aws(aws, tmp_path).code == 0


# Azure

VAULT = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-prod"
SETTINGS = f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings"
STORAGE = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/logs"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure_cloud.serving(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture
def azure(cloud: Azure, monkeypatch: pytest.MonkeyPatch) -> Azure:
    alone(monkeypatch, "AZURE_")
    for kept in (cloud.vaults, cloud.more, cloud.answers, cloud.asked):
        kept.clear()
    return cloud


def _object(required: str = "", **fields: Any) -> dict[str, Any]:
    kinds = {
        name: {"type": each} if isinstance(each, str) else each for name, each in fields.items()
    }
    more = {"additionalProperties": False, "required": required.split()}
    return {"type": "object", "properties": kinds, **more}


_KEPT = _object("enabled days", enabled="boolean", days="integer")
_LOG = _object(
    "enabled", category="string", categoryGroup="string", enabled="boolean", retentionPolicy=_KEPT
)
_METRIC = _object(
    "enabled", timeGrain="string", category="string", enabled="boolean", retentionPolicy=_KEPT
)
_TEXTS = (
    *("storageAccountId", "serviceBusRuleId", "eventHubAuthorizationRuleId", "eventHubName"),
    *("workspaceId", "marketplacePartnerId", "logAnalyticsDestinationType"),
)
_SETTINGS = _object(
    logs={"type": "array", "items": _LOG},
    metrics={"type": "array", "items": _METRIC},
    **dict.fromkeys(_TEXTS, "string"),
)
PUBLISHED = Draft202012Validator(
    _object(
        value={
            "type": "array",
            "items": _object(id="string", type="string", name="string", properties=_SETTINGS),
        }
    )
)
"""DiagnosticSettingsResourceCollection of diagnosticsSettings_API.json, API version
2021-05-01-preview, in Azure/azure-rest-api-specs at commit 029741f."""


def setting(*, enabled: bool = True, group: str = "audit", **where: str) -> dict[str, Any]:
    """A diagnostic setting in the form of the example listDiagnosticSettings.json of API version
    2021-05-01-preview in Azure/azure-rest-api-specs, at commit a995fe5."""
    kept = {"enabled": False, "days": 0}
    return {
        "id": f"{SETTINGS}/audit",
        "type": "Microsoft.Insights/diagnosticSettings",
        "name": "audit",
        "properties": {
            "workspaceId": "",
            **where,
            "metrics": [{"category": "AllMetrics", "enabled": True, "retentionPolicy": kept}],
            "logs": [{"categoryGroup": group, "enabled": enabled, "retentionPolicy": kept}],
        },
    }


def in_azure(azure: Azure, folder: Path, *settings: dict[str, Any]) -> Done:
    answer = {"value": [*settings]}
    PUBLISHED.validate(answer)
    vault = {"id": VAULT, "properties": {"vaultUri": "https://kv-prod.vault.azure.net/"}}
    paths: dict[str, Any] = {
        "/subscriptions": {"value": [{"subscriptionId": "s1"}]},
        "/subscriptions/s1/providers/Microsoft.KeyVault/vaults": {"value": [vault]},
        SETTINGS: answer,
    }
    azure.answers.setdefault(
        MANAGER,
        lambda asked: said(paths[asked.path]) if asked.path in paths else refused(404, "NotFound"),
    )
    login = {"method": "service-principal", "tenant_id": TENANT, "client_id": "auditor"}
    backend = {
        "kind": "azure",
        "vaults": ["https://kv-prod.vault.azure.net"],
        "proxy": azure.proxy,
        "ca": str(azure.ca),
        "auth": {**login, "client_secret": azure_cloud.SECRET},
    }
    return asked_live(folder, json.dumps(backend))


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ([setting(storageAccountId=STORAGE)], ""),
        ([setting(group="allLogs", storageAccountId=STORAGE)], ""),
        ([setting(enabled=False, storageAccountId=STORAGE)], "no setting has"),
        ([setting()], "no destination is set"),
        ([], "no setting has"),
    ],
)
def test_the_diagnostic_settings_of_a_vault_are_judged(
    azure: Azure, tmp_path: Path, settings: list[dict[str, Any]], detail: str
) -> None:
    done = in_azure(azure, tmp_path, *settings)
    assert done.gaps == {}
    assert done.code == (1 if detail else 0)
    if detail:
        assert done.found == {("trail-logging-azure", "azure://prod/kv-prod")}
        assert detail in done.report["findings"][0]["detail"]


def test_a_right_that_the_auditor_of_azure_lacks_is_a_gap(azure: Azure, tmp_path: Path) -> None:
    in_azure(azure, tmp_path, setting())
    (asked,) = (one for one in azure.asked if one.path == SETTINGS)
    assert asked.query["api-version"] == ["2021-05-01-preview"]
    before = azure.answers[MANAGER]

    def denied(one: Asked) -> azure_cloud.Answer:
        return refused(403, "AuthorizationFailed") if one.path == SETTINGS else before(one)

    azure.answers[MANAGER] = denied
    again = tmp_path / "again"
    again.mkdir()
    done = in_azure(azure, again, setting())
    assert (done.code, done.found, [*done.gaps]) == (3, set(), ["denied"])


# Kubernetes

FILES = ("--audit-policy-file=/etc/kubernetes/audit.yaml", "--audit-log-path=/var/log/audit.log")
GOOD = {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with kubernetes_server.serving() as server:
        server.add("api/v1/pods", pod("coredns-1", "coredns", "/coredns"))
        yield server


def pod(name: str, container: str, *command: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"containers": [{"name": container, "command": [*command]}]},
    }


def in_kubernetes(cluster: Server, folder: Path, *options: str) -> Done:
    config = kubeconfig(cluster, folder)
    return asked_live(folder, f'{{kind: kubernetes, kubeconfig: "{config}"}}', *options)


NO_POLICY, NO_LOG = "no --audit-policy-file", "neither --audit-log-path nor"
ARGUMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    "usual": (FILES, ""),
    "shell": (("/bin/sh", "-c", " ".join(("exec kube-apiserver", *FILES))), ""),
    "two-words": (("--audit-policy-file", "/a", "--audit-webhook-config-file", "/hook"), ""),
    "stdout": (("--audit-policy-file=/audit.yaml", "--audit-log-path=-"), ""),
    "no-policy": (FILES[1:], NO_POLICY),
    "no-log": (FILES[:1], NO_LOG),
    "empty-log": ((FILES[0], "--audit-log-path=", "--authorization-mode=RBAC"), NO_LOG),
    "empty-policy": (("--audit-policy-file", "--audit-log-path=/x"), NO_POLICY),
}


def test_the_arguments_of_each_api_server_say_whether_it_logs(
    cluster: Server, tmp_path: Path
) -> None:
    for name, (arguments, _) in ARGUMENTS.items():
        cluster.add("api/v1/pods", pod(name, "kube-apiserver", *arguments))
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [GOOD]}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    done = in_kubernetes(cluster, tmp_path, "--logging", str(tmp_path / "policy.yaml"))
    assert done.gaps == {}
    assert done.rules == {"trail-logging-kubernetes-off"}
    found = {each["context"].rpartition("/")[2]: each["detail"] for each in done.report["findings"]}
    assert found.keys() == {name for name, (_, detail) in ARGUMENTS.items() if detail}
    assert all(ARGUMENTS[name][1] in detail for name, detail in found.items())


def test_a_policy_that_nobody_gave_is_a_gap(cluster: Server, tmp_path: Path) -> None:
    cluster.add("api/v1/pods", pod("kube-apiserver-a", "kube-apiserver", *FILES))
    done = in_kubernetes(cluster, tmp_path)
    assert (done.code, done.found) == (3, set())
    assert "give it by --logging" in done.gaps["not-knowable"]


def test_a_managed_control_plane_is_a_gap(cluster: Server, tmp_path: Path) -> None:
    done = in_kubernetes(cluster, tmp_path)
    assert (done.code, done.found) == (3, set())
    assert "managed" in done.gaps["not-knowable"]


def test_pods_that_may_not_be_listed_are_a_gap(cluster: Server, tmp_path: Path) -> None:
    cluster.add("api/v1/pods", pod("kube-apiserver-a", "kube-apiserver"))
    cluster.denied.add(("kube-system", "pods"))
    done = in_kubernetes(cluster, tmp_path)
    assert (done.code, done.found, [*done.gaps]) == (3, set(), ["denied"])
    (asked,) = (one for one in cluster.requests if one.path != "/apis")
    assert asked.path == "/api/v1/namespaces/kube-system/pods"


# The rights


@pytest.mark.parametrize(
    ("kind", "options", "right"),
    [
        ("aws", {"regions": [REGION]}, "cloudtrail:GetEventSelectors"),
        ("azure", {"vaults": ["https://kv.vault.azure.net"]}, "Insights/diagnosticSettings/read"),
        ("kubernetes", {"namespaces": ["prod"]}, "pods in kube-system"),
        ("vault", {"mounts": ["secret"]}, 'path "sys/audit" { capabilities = ["read", "sudo"] }'),
    ],
)
def test_the_printed_permissions_name_the_right_of_this_check(
    kind: str, options: dict[str, Any], right: str
) -> None:
    store = Settings(name="prod", kind=kind, options=options, timeout=1, environ={})
    assert right in backends.permissions(store, backends.BACKENDS)
