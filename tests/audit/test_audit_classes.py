"""`keywatch audit --class`: what it judges, and what stays as it was for the other classes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.evidence import controls, history
from scanner.evidence.controls import NOT_TESTED, WORKED, Period
from scanner.evidence.ledger import Ledger
from tests.support.audits import NOW, Audited, audited, denied, gives, place, record

POLICY = """\
version: 1
classes:
  quick: {rotate_every: 24h, grace: 1h}
  slow: {rotate_every: 90d, grace: 7d}
secrets:
  - {match: "vault://*/*/secret/quick/**", class: quick}
  - {match: "vault://*/*/secret/slow/**", class: slow}
"""
DECLARED = """\
vault:
  address: ${VAULT_ADDR}
  secrets:
    - {path: secret/data/slow/gone}
    - {path: secret/data/quick/gone}
"""
QUICK, SLOW = "vault://prod/-/secret/quick/a", "vault://prod/-/secret/slow/a"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return place(tmp_path, POLICY, "backends:\n  prod: {kind: vault, script: prod}\n")


def quick(repository: Path, *options: str, hours: float = 0) -> Audited:
    return audited(repository, "--class=quick", *options, now=NOW + timedelta(hours=hours))


def both(days: float = 200) -> None:
    gives(prod=[record("quick/a", days), record("slow/a", days), record("none/a", days)])


def test_only_secrets_of_the_class_are_judged(repository: Path) -> None:
    both()
    done = quick(repository)
    assert done.findings == [("rotation-overdue", QUICK)]
    assert done.verdicts.keys() == {QUICK}
    assert done.report["live"]["classes"] == ["quick"]
    assert any("only secrets of these classes" in each["text"] for each in done.report["notes"])
    assert audited(repository, "--class=quick", "--class=slow").verdicts.keys() == {QUICK, SLOW}


def test_a_store_without_secrets_of_the_class_was_read(repository: Path) -> None:
    gives(prod=[record("slow/a")])
    done = quick(repository)
    assert (done.code, done.gaps, done.verdicts) == (0, [], {})


def test_a_missing_secret_is_reported_with_its_class(repository: Path) -> None:
    folder = repository / "configs" / "secrets"
    folder.mkdir(parents=True)
    (folder / "vault.yaml").write_text(DECLARED)
    gives(prod=[record("quick/a", 0.1)])
    missing = [("secret-missing", "vault://prod/-/secret/quick/gone")]
    assert [each for each in quick(repository).findings if each[0] == "secret-missing"] == missing


def test_what_could_not_be_read_may_be_of_the_class(repository: Path) -> None:
    gives(prod=[record("quick/a", 0.1), denied("slow/b")])
    assert quick(repository).code == 3


def test_the_state_keeps_what_the_last_whole_run_said(repository: Path, tmp_path: Path) -> None:
    state = f"--state={tmp_path / 'state.json'}"
    both()
    audited(repository, state)
    metrics = tmp_path / "metrics"
    done = quick(repository, state, "--since-last", f"--report=prometheus={metrics}", hours=1)
    assert done.changes == []
    text = metrics.read_text()
    success = 'keywatch_backend_last_success_timestamp_seconds{backend="prod",kind="vault"}'
    assert f"{success} {NOW.timestamp():.0f}" in text  # of the whole run
    for name, hours in ((QUICK, 1), (SLOW, 0)):
        at = (NOW + timedelta(hours=hours)).timestamp()
        (line,) = [
            each
            for each in text.splitlines()
            if name in each and each.startswith("keywatch_secret_last_read")
        ]
        assert line.endswith(f" {at:.0f}")
    saved = json.loads((tmp_path / "state.json").read_bytes())["secrets"]
    assert {QUICK, SLOW} <= saved.keys()
    assert audited(repository, state, "--since-last", now=NOW + timedelta(hours=2)).changes == []


def test_a_class_that_does_not_exist_is_refused(repository: Path) -> None:
    both()
    done = audited(repository, "--class=quik")
    assert done.code == 2
    assert "did you mean quick?" in done.err


def test_an_audit_of_a_class_is_no_evidence_for_a_control(repository: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    gives(prod=[record("quick/a", 0.1), record("slow/a")])
    period = Period(NOW - timedelta(days=1), NOW + timedelta(days=1))

    def result() -> str:
        entries = Ledger(str(ledger), "keywatch").entries()
        assessed = controls.assess(controls.load(), entries, period)
        (one,) = [each for each in assessed if each.control.by == ("audit",)][:1]
        return one.result

    quick(repository, f"--evidence={ledger}")
    assert result() == NOT_TESTED
    audited(repository, f"--evidence={ledger}")
    assert result() == WORKED
    entries = [*Ledger(str(ledger), "keywatch").entries()]
    assert [each["data"].get("classes") for each in entries] == [["quick"], None]
    assert len([*history.trend(entries)]) == 1
