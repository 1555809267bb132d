"""Who can read Secrets of a cluster: RBAC objects as a real 1.34 server gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.kubernetes import access
from scanner.inventory.kubernetes.access import Rbac
from scanner.policy.access import kubernetes
from tests.support.access import reviewed
from tests.support.kubernetes_server import Server, kubeconfig, recording, serving, settings

GROUP = "apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as found:
        for name in ("clusterroles", "roles", "rolebindings"):
            items = recording(name)["body"]["items"]
            for item in items:
                item["metadata"].setdefault("namespace", "")
            found.add(f"{GROUP}/{name}", *items)
        yield found


def named(name: str, namespace: str = "", **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "labels": labels}


def role(name: str, *rules: tuple[str, str], namespace: str = "", **labels: str) -> Any:
    return {
        "metadata": named(name, namespace, **labels),
        "rules": [
            {"verbs": verbs.split(), "apiGroups": ["*"], "resources": resources.split()}
            for verbs, resources in rules
        ],
    }


def binding(of: str, account: str, namespace: str = "", kind: str = "ClusterRole") -> Any:
    return {
        "metadata": named(f"{of}-{account}", namespace),
        "roleRef": {"kind": kind, "name": of},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "prod"}],
    }


def read(server: Server, folder: Path, **options: object) -> Rbac:
    return access.read(settings(kubeconfig=kubeconfig(server, folder), **options))


def found(server: Server, folder: Path) -> set[tuple[str, str, str]]:
    seen = read(server, folder)
    assert seen.gaps == ()
    rights = kubernetes.rights(seen.roles, seen.bindings)
    return {(right.subject, right.about, right.namespace) for right in rights}


def test_a_role_that_reads_secrets_and_its_binding_are_found(
    server: Server, tmp_path: Path
) -> None:
    assert found(server, tmp_path) == {("ServiceAccount prod/auditor", "secrets", "prod")}


def test_the_roles_that_a_cluster_role_aggregates_count(server: Server, tmp_path: Path) -> None:
    aggregated = role("all") | {
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]}
    }
    server.add(f"{GROUP}/clusterroles", aggregated, role("part", ("get", "secrets"), to="all"))
    server.add(f"{GROUP}/clusterrolebindings", binding("all", "app"))
    assert ("ServiceAccount prod/app", "secrets", "") in found(server, tmp_path)


@pytest.mark.parametrize(
    ("verbs", "resources", "about"),
    [
        ("*", "*", "secrets"),
        ("watch", "secrets", "secrets"),
        ("create", "serviceaccounts/token", "tokens"),
        ("create", "pods", "workloads"),
        ("patch", "deployments", "workloads"),
        ("create", "pods/exec", "commands"),
        ("impersonate", "users", "identities"),
        ("escalate", "clusterroles", "roles"),
        ("create", "rolebindings", "bindings"),
    ],
)
def test_each_way_to_a_secret_is_found(
    server: Server, tmp_path: Path, verbs: str, resources: str, about: str
) -> None:
    server.add(f"{GROUP}/clusterroles", role("way", (verbs, resources)))
    server.add(f"{GROUP}/clusterrolebindings", binding("way", "app"))
    assert ("ServiceAccount prod/app", about, "") in found(server, tmp_path)


def test_a_role_for_other_objects_is_no_way(server: Server, tmp_path: Path) -> None:
    server.add(f"{GROUP}/clusterroles", role("no", ("create", "secrets"), ("get", "pods")))
    server.add(f"{GROUP}/clusterrolebindings", binding("no", "app"))
    assert not [one for one in found(server, tmp_path) if "app" in one[0]]


def test_a_list_that_is_refused_is_a_gap(server: Server, tmp_path: Path) -> None:
    server.denied.add(("", "clusterrolebindings"))
    seen = read(server, tmp_path)
    assert [gap.path for gap in seen.gaps] == ["k8s://eks/*/clusterrolebindings"]


def test_the_review_of_a_cluster_reports_subjects(server: Server, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "keywatch.yaml").write_text("version: 1\n")
    config = tmp_path / "operator.yaml"
    file = kubeconfig(server, tmp_path)
    config.write_text(f"backends:\n  eks: {{kind: kubernetes, kubeconfig: {file}}}\n")
    review = reviewed(root, "--operator", str(config))
    assert review.code == 1
    assert review.rules == ["access-kubernetes-secrets"]
    assert "ServiceAccount prod/auditor may get, list secrets" in review.details[0][1]
