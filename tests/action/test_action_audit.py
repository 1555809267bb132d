"""The action's audit of live secrets: by `act`, with a real server of Vault's API, which knows the
role that docs/ci.md gives, and an issuer of tokens as GitHub is one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.helpers import git, repository, write_files
from tests.support.http_answers import said, serving
from tests.support.issuer import Signer, certified
from tests.support.openbao import Bao, free_port
from tests.support.workflows import ACTION, ROOT, Ran, WorkflowRunner

DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
PAYLOAD = {"repository": {"full_name": "example/app", "default_branch": "main"}}
POLICY = """\
version: 1
secrets:
  - {match: "vault://*/*/nightly/app/**", class: api-key, owner: "@sec-oncall"}
"""
# What GitHub says of a run of the documented workflow.
CLAIMS = {
    "iss": "https://token.actions.githubusercontent.com",
    "aud": "https://vault.example.org",
    "sub": "repo:example/app:environment:keywatch-audit",
    "ref": "refs/heads/main",
    "job_workflow_ref": "example/app/.github/workflows/nightly-audit.yml@refs/heads/main",
}
UNMANAGED = ("secret-unmanaged", "keywatch.yaml")


class Night(NamedTuple):
    """A repository with a nightly audit, and what its job may ask for a token."""

    root: Path
    workflow_runner: WorkflowRunner
    variables: Mapping[str, str]
    claims: dict[str, Any]

    def run(self, event: str = "schedule", mode: str = "audit", **variables: str) -> Ran:
        """The documented workflow, in a mode."""
        text = re.sub(r"example/keywatch@\S+", ACTION, workflow())
        text = text.replace("mode: audit", f"mode: {mode}")
        write_files(self.root, {".github/workflows/nightly-audit.yml": text})
        arguments = [f"--var={name}={value}" for name, value in self._vars(variables).items()]
        return self.workflow_runner.run(self.root, event, PAYLOAD, *arguments, **self.variables)

    def _vars(self, variables: Mapping[str, str]) -> dict[str, str]:
        operator = block("yaml", "backends:").replace("vault,", "vault, mounts: [nightly],")
        return {"KEYWATCH_OPERATOR": operator, **variables}


def block(language: str, start: str) -> str:
    """The one of the documentation that begins so."""
    found = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    (text,) = [each for each in found if each.startswith(start)]
    return str(text)


def workflow() -> str:
    return block("yaml", "# .github/workflows/nightly-audit.yml")


@pytest.fixture(scope="module")
def store(bao: Bao, signer: Signer) -> Bao:
    """One with a secret that the policy knows and one that it does not, and the documented role."""
    bao.mount("nightly", "kv", options={"version": "2"})
    bao.put("nightly/app/a", api_key="made up")
    bao.put("nightly/elsewhere", api_key="made up")
    rule = 'path "nightly/metadata/*" { capabilities = ["read", "list"] }\n'
    rule += 'path "sys/internal/ui/mounts/nightly" { capabilities = ["read"] }'
    bao.call("POST", "sys/policies/acl/keywatch-audit", {"policy": rule})
    bao.call("POST", "sys/auth/jwt", {"type": "jwt"})
    issuer = {"bound_issuer": CLAIMS["iss"], "jwt_validation_pubkeys": [signer.public]}
    bao.call("POST", "auth/jwt/config", issuer)
    bao.call("POST", "auth/jwt/role/keywatch-audit", json.loads(block("json", "{")))
    return bao


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def night(
    tmp_path: Path, workflow_runner: WorkflowRunner, store: Bao, signer: Signer
) -> Iterator[Night]:
    root = repository(tmp_path / "app")
    write_files(root, {"keywatch.yaml": POLICY})
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "policy")
    ca, tls = certified()
    (tmp_path / "ca.pem").write_bytes(ca)
    claims: dict[str, Any] = dict(CLAIMS)

    def github(_request: object) -> Any:
        now = int(time.time())
        return said({"value": signer.token(**claims, iat=now, exp=now + 600)})

    with serving(github, tls) as address:
        variables = {
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "made-up",
        }
        yield Night(root, workflow_runner, variables, claims)


def test_the_documented_job_logs_in_and_audits(night: Night, store: Bao) -> None:
    ran = night.run(VAULT_ADDR=store.address)
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["complete"]) == (1, "1", "true")
    assert ran.results("audit") == [UNMANAGED]
    assert ran.categories() == ["keywatch/audit/", "keywatch/audit/prod/"]
    assert "vault://prod/-/nightly/elsewhere" in ran.summary.replace("\\", "")
    locks = [given["key"] for name, given in ran.given if name == "actions/cache/save"]
    assert [key[: key.index("-", 9)] for key in locks] == ["keywatch-pip", "keywatch-audit"]


def test_a_store_that_is_down_closes_no_alert(night: Night, store: Bao) -> None:
    assert night.run(VAULT_ADDR=store.address).code == 1
    ran = night.run(VAULT_ADDR=f"http://127.0.0.1:{free_port()}")
    assert (ran.outputs["exit-code"], ran.outputs["complete"]) == ("3", "false")
    assert ran.results("audit") == [UNMANAGED]
    assert "Not checked again since" in json.dumps(ran.sarif("audit"))
    assert night.run(VAULT_ADDR=store.address).outputs["exit-code"] == "1"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", "repo:example/app:ref:refs/heads/pull"),
        ("sub", "repo:stranger/app:environment:keywatch-audit"),
        ("aud", "https://elsewhere.example.org"),
        ("job_workflow_ref", "example/app/.github/workflows/x.yml@refs/heads/main"),
        ("job_workflow_ref", "example/app/.github/workflows/nightly-audit.yml@refs/heads/pull"),
        ("ref", "refs/heads/pull"),
        ("iss", "https://issuer.example.org"),
    ],
)
def test_the_documented_role_lets_no_other_job_in(
    store: Bao, signer: Signer, claim: str, value: str
) -> None:
    now = int(time.time())
    login = {"role": "keywatch-audit"}
    good = signer.token(**CLAIMS, iat=now, exp=now + 60)
    assert store.call("POST", "auth/jwt/login", {**login, "jwt": good})["auth"]["client_token"]
    bad = signer.token(**CLAIMS | {claim: value}, iat=now, exp=now + 60)
    with pytest.raises(AssertionError, match="auth/jwt/login"):
        store.call("POST", "auth/jwt/login", {**login, "jwt": bad})


def test_all_is_a_scan_and_an_audit_with_a_report_each(night: Night, store: Bao) -> None:
    ran = night.run(mode="all", VAULT_ADDR=store.address)
    assert (ran.results("scan"), ran.results("audit")) == ([], [UNMANAGED])
    assert (ran.code, ran.outputs["exit-code"]) == (1, "1")
    assert ran.categories() == ["keywatch/audit/", "keywatch/audit/prod/", "keywatch/scan/"]
    assert ran.used.count("github/codeql-action/upload-sarif") == 1


def test_a_dispatch_audits_the_default_branch_alone(night: Night, store: Bao) -> None:
    assert night.run("workflow_dispatch", VAULT_ADDR=store.address).outputs["exit-code"] == "1"
    git(night.root, "checkout", "--quiet", "-b", "other")
    ran = night.run("workflow_dispatch", VAULT_ADDR=store.address)
    assert (ran.code, ran.outputs["exit-code"]) == (1, "2")
    assert "default branch" in ran.commands("error")[0][1]
    ran = night.run("workflow_dispatch", mode="all", VAULT_ADDR=store.address)
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["findings"]) == (0, "0", "0")
