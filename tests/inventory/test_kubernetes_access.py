"""How a cluster is reached, and which rights the audit needs and has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import jsonschema
import pytest
import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, incluster_config

from scanner.inventory.errors import ReadError
from scanner.inventory.kubernetes import OPTIONS, connect, permissions
from scanner.inventory.kubernetes.api import KubernetesApi
from scanner.model import Gap, Note
from scanner.records import Record
from tests.support.kubernetes_server import (
    NOW,
    TOKEN,
    Login,
    Object,
    Server,
    kubeconfig,
    manifest,
    secret,
    serving,
    settings,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as found:
        found.add("api/v1/secrets", secret("db"))
        yield found


def read(environ: dict[str, str], **options: object) -> list[Record | Gap | Note]:
    return list(connect(settings(**options)._replace(environ=environ), NOW).read())


def works(found: list[Record | Gap | Note]) -> bool:
    return [type(each) for each in found] == [Record]


def test_a_context_of_the_kubeconfig_that_is_named(server: Server, tmp_path: Path) -> None:
    assert works(read({}, kubeconfig=kubeconfig(server, tmp_path), context="test"))


def test_a_context_of_the_kubeconfig_of_the_environment(server: Server, tmp_path: Path) -> None:
    assert works(read({"KUBECONFIG": kubeconfig(server, tmp_path)}, context="test"))


def test_credentials_that_a_program_gives(server: Server, tmp_path: Path) -> None:
    program = tmp_path / "credentials"
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": TOKEN},
    }
    program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    program.chmod(0o700)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "interactiveMode": "Never",
        }
    }
    file = kubeconfig(server, tmp_path, Login(user=user))
    assert works(read({}, kubeconfig=file, exec=True))
    (gap,) = read({}, kubeconfig=file)
    assert isinstance(gap, Gap)
    assert gap.reason == f"{file} runs a program to log in: allow it with exec: true"


def test_a_pod_of_the_cluster_reaches_it_without_options(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"SERVICE_TOKEN_FILENAME": TOKEN + "\n", "SERVICE_CERT_FILENAME": server.ca.decode()}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(incluster_config, name, str(tmp_path / name))
    host, port = server.address.removeprefix("https://").split(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    assert works(read(environ))


def test_outside_a_cluster_a_context_must_be_named() -> None:
    assert read({}) == [
        Gap(
            kind="unconfigured",
            path="k8s://eks",
            reason="keywatch does not run in a pod, and no context of a kubeconfig is configured",
        )
    ]


def test_a_context_that_there_is_not_is_a_gap_that_quotes_nothing(
    server: Server, tmp_path: Path
) -> None:
    file = kubeconfig(server, tmp_path)
    assert read({}, kubeconfig=file, context="prod") == [
        Gap(
            kind="unconfigured",
            path="k8s://eks",
            reason=f"the context prod in the kubeconfig {file} cannot be used",
        )
    ]


NO_CLUSTER = (
    "{contexts: [{name: t, context: {cluster: c, user: u}}], current-context: t, "
    "clusters: [{name: c}], users: [{name: u, user: {token: TOKEN}}]}"
)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1, 2]",
        "users: [{name: x, user: {token: TOKEN}}]",
        NO_CLUSTER,
        "contexts: {a: TOKEN",
        "current-context: [TOKEN]",
        "contexts: 7",
    ],
)
def test_a_kubeconfig_that_is_none_is_a_gap_that_quotes_nothing(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content.replace("TOKEN", TOKEN))
    (gap,) = read({}, kubeconfig=str(file))
    assert isinstance(gap, Gap)
    assert gap.kind == "unconfigured"
    assert TOKEN not in gap.reason


def test_a_server_that_nobody_checks_gets_no_token(server: Server, tmp_path: Path) -> None:
    login = Login(cluster={"insecure-skip-tls-verify": True})
    (gap,) = read({}, kubeconfig=kubeconfig(server, tmp_path, login))
    assert isinstance(gap, Gap)
    assert "insecure-skip-tls-verify" in gap.reason
    assert not server.requests


class Unrenewable(Configuration):
    def auth_settings(self) -> NoReturn:
        raise ConfigException(TOKEN)


def test_credentials_that_cannot_be_renewed_are_a_failure_in_words(server: Server) -> None:
    api = KubernetesApi(Unrenewable(host=server.address), timeout=1)
    with pytest.raises(ReadError, match="credentials cannot be renewed"):
        api.get("/apis")


def test_a_kubeconfig_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    (gap,) = read({}, kubeconfig=str(tmp_path / "none"))
    assert isinstance(gap, Gap)
    assert "its current context" in gap.reason


@pytest.mark.parametrize("proxy", ["socks9://127.0.0.1:1", "127.0.0.1"])
def test_a_proxy_that_is_none_is_a_gap(server: Server, tmp_path: Path, proxy: str) -> None:
    login = Login(cluster={"proxy-url": proxy, "server": "https://192.0.2.1"})
    (gap,) = read({}, kubeconfig=kubeconfig(server, tmp_path, login))
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.reason) == ("unconfigured", "the address of its proxy is not valid")


def test_the_library_is_loaded_only_to_connect() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import scanner.inventory.kubernetes as it\n"
        "from scanner.inventory.interface import Settings\n"
        "it.permissions(Settings('eks', 'kubernetes', {}, 1, {}))\n"
        "assert not {'kubernetes', 'urllib3', 'yaml'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, env={})


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({}, True),
        ({"context": "prod", "kubeconfig": "/etc/kube", "namespaces": ["a", "kube-system"]}, True),
        ({"namespaces": []}, False),
        ({"namespaces": ["a", "a"]}, False),
        ({"namespaces": ["a/../b"]}, False),
        ({"namespaces": ["a?limit=1"]}, False),
        ({"namespaces": ["x" * 64]}, False),
        ({"context": ""}, False),
    ],
)
def test_options_are_checked(options: Object, *, valid: bool) -> None:
    schema = {"properties": OPTIONS, "additionalProperties": False}
    assert jsonschema.Draft202012Validator(schema).is_valid(options) == valid


# Rights.

LISTED = {
    ("", "secrets"),
    ("", "pods"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("external-secrets.io", "externalsecrets"),
    ("secrets.hashicorp.com", "vaultstaticsecrets"),
    ("secrets.hashicorp.com", "vaultdynamicsecrets"),
    ("secrets.hashicorp.com", "vaultpkisecrets"),
    ("bitnami.com", "sealedsecrets"),
    ("cert-manager.io", "certificates"),
    ("secrets-store.csi.x-k8s.io", "secretproviderclasses"),
    ("secrets-store.csi.x-k8s.io", "secretproviderclasspodstatuses"),
}


def granted(role: Object) -> set[tuple[str, str]]:
    for rule in role["rules"]:
        assert rule["verbs"] == ["list"]
    return {
        (group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_the_manifest_for_a_cluster_grants_the_lists_and_nothing_else() -> None:
    role, binding = yaml.safe_load_all(permissions(settings()))
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert granted(role) == LISTED
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_the_manifests_for_named_namespaces_are_roles_in_them() -> None:
    found = list(yaml.safe_load_all(permissions(settings(namespaces=["prod", "dev"]))))
    assert [(one["kind"], one["metadata"]["namespace"]) for one in found] == [
        ("Role", "prod"),
        ("RoleBinding", "prod"),
        ("Role", "dev"),
        ("RoleBinding", "dev"),
    ]
    assert granted(found[2]) == LISTED
    assert found[3]["roleRef"]["kind"] == "Role"


@pytest.mark.parametrize("namespaces", [None, ["prod"]])
def test_the_manifest_says_that_who_lists_secrets_can_read_values(
    namespaces: list[str] | None,
) -> None:
    text = permissions(settings(**({"namespaces": namespaces} if namespaces else {})))
    assert "CAN read their values" in text
    assert "kube-state-metrics" in text
    assert ("Roles\n# instead of a ClusterRole are enough" in text) == (namespaces is None)


def test_the_lists_of_a_run_are_those_of_the_manifest(server: Server, tmp_path: Path) -> None:
    server.groups = [f"{group}/v1" for group, _ in LISTED if "." in group]
    read({}, kubeconfig=kubeconfig(server, tmp_path))
    asked = {request.path for request in server.requests} - {"/apis"}
    groups = {path.split("/")[2] if path.startswith("/apis") else "" for path in asked}
    assert {path.rsplit("/", 1)[1] for path in asked} == {resource for _, resource in LISTED}
    assert groups == {group for group, _ in LISTED}


def excess(server: Server, folder: Path, **options: object) -> list[str]:
    asked = settings(kubeconfig=kubeconfig(server, folder), **options)
    return list(connect(asked, NOW).excess())


def test_an_identity_that_has_what_it_needs_has_no_excess(server: Server, tmp_path: Path) -> None:
    server.rights = manifest("selfsubjectrulesreview")
    assert excess(server, tmp_path) == []
    (asked,) = server.requests
    assert asked.body["spec"] == {"namespace": "default"}


def test_each_right_beyond_need_is_named(server: Server, tmp_path: Path) -> None:
    server.rights = manifest("selfsubjectrulesreview")
    server.rights["resourceRules"] += [
        {"verbs": ["get", "watch"], "apiGroups": [""], "resources": ["secrets", "pods/exec"]},
        {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]},
        {"verbs": ["get", 7, "\x1b"], "apiGroups": ["apps"], "resources": ["deployments"]},
    ]
    assert excess(server, tmp_path) == [
        "it may get, watch pods/exec in the namespace default",
        "it may get, watch secrets in the namespace default",
        "it may * *.apps in the namespace default",
        "it may get deployments.apps in the namespace default",
    ]


def test_a_server_that_lists_no_rights_is_asked_for_those_that_lead_to_values(
    server: Server, tmp_path: Path
) -> None:
    server.rights = {"resourceRules": [], "incomplete": True, "evaluationError": "webhook"}
    server.allowed = [
        {"namespace": "default", "verb": "get", "resource": "secrets", "subresource": ""},
        {"namespace": "default", "verb": "create", "resource": "pods", "subresource": "exec"},
    ]
    assert excess(server, tmp_path) == [
        "it may get secrets in the namespace default",
        "it may create pods/exec in the namespace default",
    ]


def test_a_right_to_all_namespaces_is_more_than_that_to_some(
    server: Server, tmp_path: Path
) -> None:
    server.rights = manifest("selfsubjectrulesreview")
    server.allowed = [{"namespace": "", "verb": "list", "resource": "secrets", "subresource": ""}]
    assert excess(server, tmp_path, namespaces=["prod", "dev"]) == [
        "it may list secrets in all namespaces, but only some are audited"
    ]


def test_rights_that_could_not_be_asked_for_are_told(server: Server, tmp_path: Path) -> None:
    login = Login(user={"token": "wrong"})
    file = kubeconfig(server, tmp_path, login)
    (said,) = connect(settings(kubeconfig=file), NOW).excess()
    assert said.startswith("its excess permissions are unknown: HTTP 401")
