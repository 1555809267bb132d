"""`keywatch audit` as a process of its own, with a real server of Vault's API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import Keywatch, write_files
from tests.support.openbao import Bao, wait
from tests.support.relay import Relay

ROOT = Path(__file__).resolve().parents[2]
POLICY = """\
version: 1
secrets:
  - {match: "vault://*/*/live/app/**", class: api-key, owner: "@sec-oncall"}
"""
OPERATOR = """\
backends:
  prod: {kind: vault, address: "${VAULT_ADDR}", auth: {method: token, env: TOKEN}, mounts: [live]}
"""
AUDIT = (sys.executable, "-m", "scanner", "audit", "--operator=../operator.yaml")
# What the document that the policy comes from grants: values, and no more of metadata than names.
SOURCE = """\
path "live/data/*" { capabilities = ["read"] }
path "live/metadata/*" { capabilities = ["list"] }
path "live/metadata" { capabilities = ["list"] }
path "sys/internal/ui/mounts/live" { capabilities = ["read"] }
"""


@pytest.fixture(scope="module")
def store(bao: Bao) -> Bao:
    """One with three secrets in the mount `live`."""
    bao.mount("live", "kv", options={"version": "2"})
    for name in ("a", "b", "c/d"):
        bao.put(f"live/app/{name}", api_key="made up")
    return bao


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_files(tmp_path, {"repository/keywatch.yaml": POLICY, "operator.yaml": OPERATOR})
    return tmp_path / "repository"


class Auditor:
    """Runs `keywatch audit` of a repository against a store."""

    def __init__(self, keywatch: Keywatch, repository: Path, address: str) -> None:
        self._keywatch = keywatch
        self._repository = repository
        self._address = address

    def __call__(self, token: str, *arguments: str) -> tuple[int, Any, str]:
        """Exit code, JSON report (None where there is none) and all that it said."""
        done = self._keywatch(
            *("audit", "--operator=../operator.yaml", "--report=json=-", *arguments),
            cwd=self._repository,
            VAULT_ADDR=self._address,
            TOKEN=token,
        )
        said = (done.stdout + done.stderr).decode()
        assert "Traceback" not in said
        assert token not in said
        report = json.loads(done.stdout) if done.stdout.startswith(b"{") else None
        return done.returncode, report, said


@pytest.fixture
def audit(keywatch: Keywatch, repository: Path, store: Bao) -> Auditor:
    return Auditor(keywatch, repository, store.address)


@pytest.fixture
def granted(audit: Auditor, store: Bao) -> str:
    """A token with what `--permissions` prints, and no other right."""
    code, _, policy = audit(_looking(store), "--permissions")
    assert code == 0
    return store.token(policy)


def _looking(store: Bao) -> str:
    """A token that may see that the mount exists, and no more."""
    return store.token('path "live/none" { capabilities = ["list"] }')


def test_the_printed_permissions_are_enough_for_a_whole_run(audit: Auditor, granted: str) -> None:
    code, report, _ = audit(granted)
    assert (code, report["gaps"], report["findings"]) == (0, [], [])
    assert {each["id"]: each["verdict"] for each in report["live"]["secrets"]} == {
        "vault://prod/-/live/app/a": "ok",
        "vault://prod/-/live/app/b": "ok",
        "vault://prod/-/live/app/c/d": "ok",
    }
    assert report["notes"] == []


def test_a_secret_is_as_old_as_it_is_when_the_audit_runs(audit: Auditor, granted: str) -> None:
    code, report, _ = audit(granted, "--now=2099-01-01")
    assert code == 1
    assert {each["rule"] for each in report["findings"]} == {"rotation-overdue"}
    assert "created_time" in report["findings"][0]["detail"]


def test_with_the_policy_of_the_source_document_no_date_can_be_read_and_it_says_why(
    audit: Auditor, store: Bao
) -> None:
    code, report, said = audit(store.token(SOURCE))
    assert (code, report["live"]["secrets"]) == (3, [])
    assert [gap["kind"] for gap in report["gaps"]] == ["denied"] * 3
    assert "not enough to read a date" in said


def test_a_wrong_token_is_a_gap_and_shows_nowhere(audit: Auditor) -> None:
    code, report, _ = audit("s.made-up-and-wrong")
    assert (code, report["live"]["secrets"]) == (3, [])
    assert [gap["path"] for gap in report["gaps"]] == ["vault://prod"]


def test_a_terminal_says_first_that_the_token_is_not_accepted_and_how_to_log_in_again(
    keywatch: Keywatch, repository: Path, store: Bao
) -> None:
    over = store.token(ttl="1s")
    time.sleep(1.1)
    arguments = ("audit", "--operator=../operator.yaml")
    done = keywatch(*arguments, cwd=repository, VAULT_ADDR=store.address, TOKEN=over)
    why, how, *_ = done.stdout.decode().splitlines()
    assert done.returncode == 3
    assert why == (
        '! Vault "prod" was not audited: the token is not accepted: it is wrong, expired or revoked'
    )
    login = f"vault login -address={store.address} -method=oidc -token-only"
    assert how == f'  log in again, for example with export TOKEN="$({login})"'


def test_a_terminal_says_first_that_the_server_does_not_answer(
    keywatch: Keywatch, repository: Path
) -> None:
    with socket.socket() as nobody:  # bound, and never listening
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        arguments = ("audit", "--operator=../operator.yaml", "--timeout=2s")
        done = keywatch(*arguments, cwd=repository, VAULT_ADDR=address, TOKEN="x")
    why, how, *_ = done.stdout.decode().splitlines()
    assert done.returncode == 3
    assert why.startswith('! Vault "prod" was not audited: no connection: ')
    assert how == f"  check that the server runs and that its address {address} is right"


@pytest.mark.unmeasured
def test_the_hints_of_an_audit_run_as_they_are_printed(
    repository: Path, granted: str, store: Bao, tmp_path: Path
) -> None:
    """One audit without a SARIF report, and one with a report whose name has a space."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "keywatch").write_text(f'#!/bin/sh\nexec {sys.executable} -m scanner "$@"\n')
    (tools / "keywatch").chmod(0o755)
    own = {"VAULT_ADDR": store.address, "TOKEN": granted, "PYTHONPATH": str(ROOT)}
    environ = os.environ | own | {"PATH": f"{tools}:{os.environ['PATH']}"}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        shell = ["sh", "-c", command]
        return subprocess.run(
            shell, cwd=repository, env=environ, capture_output=True, text=True, check=False
        )

    start = "keywatch audit --operator=../operator.yaml --now=2099-01-01 --report csv=/dev/null"
    shown = run(f"{start} -f terminal").stdout.splitlines()
    again, allow = (line for line in shown if "keywatch a" in line)
    assert "csv" not in again
    assert run(again.partition(":")[2]).returncode == 1
    assert run(allow).returncode == 0
    shown = run(f"{start} --report 'sarif=my audit.sarif'").stdout.splitlines()
    (allow,) = (line for line in shown if "keywatch a" in line)
    assert run(allow.partition(":")[2]).returncode == 0


def test_a_server_that_is_not_there_is_a_gap(keywatch: Keywatch, repository: Path) -> None:
    with socket.socket() as nobody:  # bound, and never listening
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        code, report, said = Auditor(keywatch, repository, address)("x", "--timeout=2s")
    assert code == 3
    assert [gap["kind"] for gap in report["gaps"]] == ["unreachable"]
    assert "prod: nothing read; 1 unreachable" not in said  # that is for the terminal


def test_what_a_run_that_met_a_gap_has_read_is_not_asked_for_again(
    audit: Auditor, granted: str, store: Bao, tmp_path: Path
) -> None:
    _, _, policy = audit(_looking(store), "--permissions")
    closed = policy + 'path "live/metadata/app/b" { capabilities = ["deny"] }\n'
    options = (f"--state={tmp_path}/audit.state", "--since-last")
    code, report, _ = audit(store.token(closed), *options)
    assert (code, [gap["path"] for gap in report["gaps"]]) == (3, ["vault://prod/-/live/app/b"])
    before = len([*store.asked()])
    code, report, _ = audit(granted, *options, "--resume")
    assert code == 0
    asked = [one.path for one in [*store.asked()][before:] if one.operation == "read"]
    assert [path for path in asked if "/metadata/app/" in path] == ["live/metadata/app/b"]
    assert len(report["live"]["secrets"]) == 3
    assert [(each["how"], each["id"]) for each in report["live"]["changes"]] == [
        ("new", "vault://prod/-/live/app/b")
    ]


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.unmeasured
def test_ctrl_c_leaves_a_state_with_what_was_read(
    repository: Path, granted: str, store: Bao, silent: str, tmp_path: Path
) -> None:
    hanging = OPERATOR.replace("backends:\n", "").replace("prod", "hangs")
    (tmp_path / "operator.yaml").write_text(OPERATOR + hanging.replace("${VAULT_ADDR}", silent))
    state, before = tmp_path / "audit.state", len([*store.asked()])
    process = subprocess.Popen(
        [*AUDIT, f"--state={state}"],
        cwd=repository,
        env=os.environ | {"VAULT_ADDR": store.address, "TOKEN": granted, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait(lambda: "sys/capabilities-self" in [one.path for one in [*store.asked()][before:]])
    time.sleep(0.2)  # until the answer is there, too
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert err == b"keywatch: interrupted; the run has no result\n"
    kept = json.loads(state.read_bytes())
    assert [*kept["successes"]] == ["prod"]
    assert len(kept["secrets"]) == 3


@pytest.fixture(scope="module")
def approle(store: Bao) -> Mapping[str, str]:
    """The IDs of an AppRole that may do what the audit of `live` needs."""
    policy = 'path "live/metadata/*" { capabilities = ["list", "read"] }\n'
    store.call("POST", "sys/policies/acl/ended", {"policy": policy})
    store.call("POST", "sys/auth/ended", {"type": "approle"})
    store.call("POST", "auth/ended/role/auditor", {"token_policies": "ended"})
    role = store.call("GET", "auth/ended/role/auditor/role-id")["data"]["role_id"]
    secret = store.call("POST", "auth/ended/role/auditor/secret-id", {})["data"]["secret_id"]
    return {"ROLE_ID": role, "TOKEN": secret}


def _logins(store: Bao) -> list[str]:
    """The accessors of the tokens that the AppRole has given and nobody has revoked."""
    found = []
    for accessor in store.call("LIST", "auth/token/accessors")["data"]["keys"]:
        data = store.call("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
        found += [accessor] if data["path"] == "auth/ended/login" else []
    return found


@pytest.mark.unmeasured
@pytest.mark.parametrize("end", ["time limit", "ctrl-c"])
def test_the_auditors_login_ends_with_a_run_that_does_not_end_by_itself(
    repository: Path, approle: Mapping[str, str], store: Bao, end: str
) -> None:
    login = 'auth: {method: approle, mount: ended, role_id: "${ROLE_ID}", env: TOKEN}'
    text = OPERATOR.replace("auth: {method: token, env: TOKEN}", login)
    (repository.parent / "operator.yaml").write_text(text)
    with Relay(store.address) as relay:
        relay.holds = "live/metadata"
        process = subprocess.Popen(
            [*AUDIT, f"--timeout={'1s' if end == 'time limit' else '60s'}"],
            cwd=repository,
            env=os.environ | approle | {"VAULT_ADDR": relay.address, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert relay.held.wait(30)
        assert len(_logins(store)) == 1
        if end == "ctrl-c":
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == (130 if end == "ctrl-c" else 3), out + err
    assert _logins(store) == []
