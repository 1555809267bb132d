"""Files, globs, compression, standard input, rotation, state and following."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.errors import ConfigError, UsageError
from scanner.report import formats, saved
from tests.support.audit_logs import (
    DENIED,
    START,
    VaultLog,
    aws,
    azure,
    kubernetes,
    line,
    normal_day,
)
from tests.support.trails import NOW, POLICY, run, trail

DB = "secret/data/agentaskit/db-credentials"
BURST = "trail-vault-denied-burst"
ROOT = Path(__file__).resolve().parents[2]


def denials(count: int, first: int = 0) -> list[bytes]:
    log = VaultLog(first)
    return [
        part
        for number in range(first, first + count)
        for part in log.call(START + timedelta(seconds=number), "sys/mounts", error=DENIED)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keywatch.yaml").write_text(POLICY)
    return tmp_path


def test_rotated_and_compressed_logs_are_one(folder: Path) -> None:
    lines = denials(10)
    (folder / "audit.log").write_bytes(b"".join(lines[12:]))
    (folder / "audit.log.1").write_bytes(b"".join(lines[6:12]))
    (folder / "audit.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:6])))
    done = run(folder, str(folder / "audit.log*"))
    assert done.rules == {BURST}
    assert done.report["coverage"]["files"] == 3


def test_zstd_is_read(folder: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    (folder / "a.zst").write_bytes(zstd.compress(b"".join(denials(10))))
    assert run(folder, str(folder / "a.zst")).rules == {BURST}


def test_standard_input_is_read(folder: Path) -> None:
    assert run(folder, "-", stdin=b"".join(denials(10))).rules == {BURST}


def test_whole_documents_of_clouds_are_read(folder: Path) -> None:
    records = [aws(START, "RotationFailed", number=n) for n in range(1, 4)]
    (folder / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    (folder / "b.json").write_bytes(line({"records": [azure(START, "SecretPurge")]}))
    event = kubernetes(START, "list", user="ann")
    (folder / "c.json").write_bytes(line({"kind": "EventList", "items": [event]}))
    (folder / "d.json").write_text(json.dumps({"Records": records}, indent=2))
    done = run(folder, *(str(folder / f"{name}") for name in ("a.json.gz", "b.json", "c.json")))
    assert done.finding("trail-aws-rotation-failed")["detail"].startswith("3 times")
    assert {"trail-azure-secret-deleted", "trail-kubernetes-secrets-listed"} <= done.rules
    assert run(folder, str(folder / "d.json")).rules == {"trail-aws-rotation-failed"}


@pytest.mark.parametrize("given", ["none-*.log", "."])
def test_a_name_that_means_no_log_is_an_error(given: str, folder: Path) -> None:
    with pytest.raises(UsageError):
        run(folder, str(folder / given) if given != "." else str(folder))


def test_a_run_goes_on_where_the_last_one_stopped(folder: Path) -> None:
    """Six denials in one run and four in the next are a burst; neither run counts one twice."""
    lines, state = denials(10), str(folder / "state")
    first = trail(folder, lines[:12], "--state", state)
    assert first.rules == set()
    again = trail(folder, lines[:12], "--state", state)
    assert again.rules == set()
    assert again.report["coverage"]["bytes"] == 0
    os.rename(folder / "audit.log", folder / "audit.log.1")
    (folder / "audit.log.2.gz").write_bytes(gzip.compress((folder / "audit.log.1").read_bytes()))
    (folder / "audit.log").write_bytes(b"".join(lines[12:]))
    done = run(folder, str(folder / "audit.log*"), "--state", state)
    assert done.rules == {BURST}
    assert done.finding(BURST)["detail"].startswith("at ")


def test_a_line_that_is_being_written_is_left_to_the_next_run(folder: Path) -> None:
    state = str(folder / "state")
    made = b"".join(VaultLog().call(START, "sys/policies/acl/x", "update", role="admin"))
    assert trail(folder, [made[:-700]], "--state", state).rules == set()
    assert trail(folder, [made], "--state", state).rules == {"trail-vault-policy-changed"}


def test_a_response_in_a_later_run_counts(folder: Path) -> None:
    state = str(folder / "state")
    request, response = VaultLog().call(START, "sys/policies/acl/x", "update", role="admin")
    assert trail(folder, [request], "--state", state).rules == set()
    done = trail(folder, [request, response], "--state", state)
    assert done.rules == {"trail-vault-policy-changed"}


def test_a_state_is_readable_by_its_owner_only_and_refused_if_broken(folder: Path) -> None:
    state = folder / "state"
    trail(folder, denials(1), "--state", str(state))
    assert state.stat().st_mode & 0o777 == 0o600
    state.write_text('{"schema_version": 1, "positions": [], "analysis": {"recent": 5}}')
    with pytest.raises(ConfigError):
        trail(folder, denials(1), "--state", str(state))


def test_what_is_known_of_an_identity_outlives_a_run(folder: Path) -> None:
    state = str(folder / "state")
    log = VaultLog()
    days = [
        part
        for day in range(9)
        for part in log.call(START.replace(hour=9) + timedelta(days=day), DB)
    ]
    assert trail(folder, days, "--state", state, "--heartbeat", "0s").rules == set()
    night = log.call(START.replace(hour=2) + timedelta(days=9), DB, address="203.0.113.1")
    done = trail(folder, [*days, *night], "--state", state, "--heartbeat", "0s")
    assert done.rules == {"trail-unusual-time", "trail-new-source"}


def test_last_use_and_rotations_are_written(folder: Path) -> None:
    log = VaultLog()
    lines = log.call(START, DB, version=1) + log.call(START, DB, "update", role="admin", version=2)
    lines += log.call(
        START, "database/rotate-root/main", "update", role="admin", mount_type="database"
    )
    trail(folder, lines, "--last-used", str(folder / "used.json"))
    used = json.loads((folder / "used.json").read_bytes())
    secret = "vault://prod/-/secret/agentaskit/db-credentials"
    assert used["secrets"][secret]["last_read"] == "2026-11-02T08:00:00Z"
    assert used["secrets"][secret]["last_rotated"] == "2026-11-02T08:00:00Z"
    assert used["secrets"]["vault://prod/-/database/config/main"]["last_rotated"]
    assert {"worker-role", "admin"} == {each["identity"] for each in used["grants"]}


def test_a_live_log_is_followed_across_its_rotation(folder: Path) -> None:
    log, lines = folder / "audit.log", denials(10)
    log.write_bytes(b"".join(lines[:8]))
    command = [sys.executable, "-m", "scanner", "trail", str(log), "--follow", "--now", NOW]
    command += ["--repository", str(folder), "--report", f"json={folder / 'report.json'}"]
    running = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        time.sleep(3)
        with log.open("ab") as file:
            file.write(b"".join(lines[8:14])[:-40])
            file.flush()
            time.sleep(1)
            file.write(b"".join(lines[8:14])[-40:])
        os.rename(log, folder / "audit.log.1")
        log.write_bytes(b"".join(lines[14:]))
        assert running.stdout is not None
        shown = running.stdout.readline()
        assert BURST in shown
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    report = json.loads((folder / "report.json").read_bytes())
    assert [each["rule"] for each in report["findings"]] == [BURST]
    assert running.returncode == 1


def test_the_same_log_gives_the_same_report(folder: Path) -> None:
    lines = [*normal_day(500, hours=1), *denials(10, 10**6)]
    first = trail(folder, lines)
    assert first.report == trail(folder, lines).report


def test_all_reports_hold_the_findings_and_a_saved_run_gives_the_same(folder: Path) -> None:
    names = ("terminal", "sarif", "csv", "markdown", "prometheus", "junit")
    reports = [f"--report={each}={folder / each}" for each in names]
    done = trail(folder, denials(10), *reports)
    assert done.rules == {BURST}
    for each in names:
        text = (folder / each).read_text()
        assert BURST in text or "Many denied requests by one identity" in text, each
    outcome, context = saved.read((folder / "report.json").read_bytes(), "report.json")
    again = "".join(formats.reporter("sarif")(outcome, context))
    assert again == (folder / "sarif").read_text()
