"""`keywatch fleet audit`: several stores, each read by a worker of a real cluster."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import yaml

from scanner import __version__
from scanner.fleet.cluster import audit_work
from scanner.fleet.cluster.audit_work import AuditUnit
from scanner.fleet.cluster.units import Failure
from tests.support import kubernetes_server
from tests.support.fleets import Cluster
from tests.support.helpers import repository, write_files
from tests.support.kubernetes_server import NOW, TOKEN, kubeconfig, secret

OWNED = {"class": "db-credential", "owner": "@team"}


def audited(checkout: Path, place: Path, *command: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "scanner", *command, str(place / "repo"), "--report=json=-"),
            *(f"--operator={place}/operator.yaml", "--now=2026-11-24T12:30:00Z"),
        ],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    # A minute may pass between two runs, and notes on the servers' clocks name this machine's time.
    report = re.sub(r"(?<=\d\d-\d\d \d\d:)\d\d(?= UTC)", "", done.stdout)
    return done.returncode, json.loads(report), done.stderr


def test_stores_that_workers_read_give_the_report_of_one_audit(
    few_rules: Path, cluster: Cluster, tmp_path: Path
) -> None:
    with kubernetes_server.serving() as server:
        server.add("api/v1/secrets", secret("db"), secret("api", "staging"))
        server.date = format_datetime(kubernetes_server.NOW, usegmt=True)
        write_files(tmp_path, {"one/x": "", "gone/x": ""})
        config = kubeconfig(server, tmp_path / "one")
        gone = kubeconfig(server, tmp_path / "gone")
        Path(gone).write_text(Path(gone).read_text().replace(server.address, "https://127.0.0.1:9"))
        backends = {
            "prod": {"kind": "kubernetes", "kubeconfig": config},
            "staging": {"kind": "kubernetes", "kubeconfig": config, "namespaces": ["staging"]},
            "gone": {"kind": "kubernetes", "kubeconfig": gone},
        }
        repository(tmp_path / "repo")
        declared = {"version": 1, "secrets": [{"match": "k8s://*/prod/secret/db", **OWNED}]}
        (tmp_path / "repo/keywatch.yaml").write_text(yaml.safe_dump(declared))
        operator = {"version": 1, "backends": backends}
        (tmp_path / "operator.yaml").write_text(yaml.safe_dump(operator))
        code, report, _ = audited(few_rules, tmp_path, "audit")
        again, merged, err = audited(few_rules, tmp_path, "fleet", "audit", *cluster.options)
    for each in (report, merged):
        del each["command"]
        for status in each["live"]["secrets"]:
            del status["oldest"]  # the server's clock stands still, ours does not
    assert (again, merged) == (code, report)
    assert code == 3
    assert {gap["path"].split("/")[2] for gap in merged["gaps"]} == {"gone"}
    assert "3 of 3 stores" in err
    assert TOKEN not in json.dumps(merged) + err + cluster.log.read_text()


def test_a_store_whose_library_or_config_a_worker_lacks_is_a_gap(tmp_path: Path) -> None:
    unit = AuditUnit(
        __version__, str(tmp_path / "gone.yaml"), str(tmp_path / "repo"), "prod", 1, NOW, None
    )
    answer = audit_work.do(unit)
    assert isinstance(answer, Failure)
    assert "cannot be read" in answer.reason
