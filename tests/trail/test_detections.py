"""Each detection fires on its attack trace, with the right subject, and not on what is like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.trail.rule_infos import detections
from tests.support.attack_traces import (
    API,
    DB,
    MINUTE,
    SECOND,
    TRACES,
    WORKER,
    Trace,
    aws_many,
    azure_many,
    calls,
    days,
    first_read,
    kubernetes_many,
    node,
    one,
)
from tests.support.audit_logs import DENIED, START, VaultLog, normal_day
from tests.support.trails import trail

ELSEWHERE = {"trail-source-not-allowed", "trail-vault-dead-token"}


def test_every_detection_has_a_trace() -> None:
    assert {each.info.id for each in detections()} == {*TRACES, *ELSEWHERE}


@pytest.mark.parametrize("rule", TRACES)
def test_a_detection_fires_on_its_attack(rule: str, tmp_path: Path) -> None:
    trace, subject = TRACES[rule]
    done = trail(tmp_path, trace())
    assert rule in done.rules
    assert done.code == 1
    if subject:
        assert (rule, subject) in done.found


def test_a_client_with_a_dead_token_is_a_note(tmp_path: Path) -> None:
    done = trail(tmp_path, calls(10, role="", token="dead", error="permission denied"))
    assert "Repeated use of an invalid token" in done.notes
    assert done.rules == set()


def test_a_call_from_outside_of_a_services_networks_is_found(tmp_path: Path) -> None:
    (tmp_path / "keywatch.yaml").write_text(
        "version: 1\nservices:\n"
        "  workers: {vault_role: worker-role, needs: ['*'], sources: [10.20.0.0/16]}\n"
    )
    lines = [*calls(1), *VaultLog(50).call(START, DB, address="203.0.113.9")]
    done = trail(tmp_path, lines)
    assert done.found == {("trail-source-not-allowed", WORKER)}


@pytest.mark.parametrize(
    "trace",
    [
        lambda: calls(9, "sys/mounts", error=DENIED),
        lambda: calls(10, "sys/mounts", error=DENIED, every=MINUTE),
        lambda: calls(49, "secret/data/agentaskit/api-keys"),
        lambda: calls(1, DB, version=3),
        lambda: one("sys/policies/acl/x", "read"),
        lambda: one("sys/policies/acl/x", error=DENIED),
        lambda: one("auth/approle/role/worker-role/secret-id"),
        lambda: aws_many(4, "GetSecretValue", error="AccessDenied"),
        lambda: azure_many(9, "SecretGet", code=401, secret="db"),
        lambda: kubernetes_many(4, "get", name="db"),
        lambda: days(20),
        lambda: first_read("prod/db"),
        lambda: node("system:node:a"),
    ],
)
def test_what_is_only_like_an_attack_is_not_found(
    trace: Callable[[], Trace], tmp_path: Path
) -> None:
    done = trail(tmp_path, trace(), "--heartbeat", "0s")
    assert done.rules == set()
    assert done.code == 0


def test_a_normal_day_has_no_findings(tmp_path: Path) -> None:
    done = trail(tmp_path, normal_day(20_000))
    assert done.found == set()
    assert done.gaps == {}
    assert done.code == 0


def test_a_finding_names_its_secret_owner_time_and_line(tmp_path: Path) -> None:
    lines = calls(2, API, role="someone", policies=("default", "people"))
    finding = trail(tmp_path, lines).finding("trail-read-unknown-identity")
    assert finding["resource"]["owner"] == "@sec-oncall"
    assert finding["location"]["line"] == 2
    assert finding["detail"].startswith("2 times from 2026-11-02T08:00:00Z to 2026-11-02T08:00:01Z")
    assert finding["severity"] == "medium"


def test_the_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    """Windows are by the events' own times."""
    lines = [*calls(12, "secret/data/try-#", error=DENIED, every=40 * SECOND)]
    pairs = [b"".join(lines[n : n + 2]) for n in range(0, len(lines), 2)]
    done = trail(tmp_path, reversed(pairs))
    assert "trail-vault-path-enumeration" in done.rules


def test_an_allow_entry_covers_a_finding(tmp_path: Path) -> None:
    lines = [*one("sys/policies/acl/workers")]
    finding = trail(tmp_path, lines).finding("trail-vault-policy-changed")
    entry = {
        "fingerprint": f"kw-{finding['fingerprint']}",
        "rule": finding["rule"],
        "path": finding["context"],
        "reason": "the planned deployment",
        "owner": "@sec",
        "until": "2027-01-01",
    }
    policy = tmp_path / "keywatch.yaml"
    policy.write_text(policy.read_text() + "allow:\n  - " + json.dumps(entry) + "\n")
    done = trail(tmp_path, lines)
    assert done.code == 0
    assert len(done.report["suppressed"]) == 1
