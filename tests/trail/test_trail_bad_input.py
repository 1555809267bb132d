"""Damaged, mixed and hostile logs: counted and reported, never a crash and never a silent skip."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.detect.rules.samples import expand
from scanner.trail.reading import lines
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
from tests.support.trails import run, trail

DB = "secret/data/agentaskit/db-credentials"
ATTACK = b"".join(VaultLog(900_000).call(START, "sys/policies/acl/x", "update", role="admin"))
ATTACKED = "trail-vault-policy-changed"


def test_broken_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    good = [*normal_day(100)]
    done = trail(tmp_path, [*good[:50], b'{"time":"2026', b"\n\xff\xfe\x00\n{}\n[1]\n", ATTACK])
    assert ATTACKED in done.rules
    assert done.gaps["corrupt-lines"].startswith("3 lines are not a whole JSON object (line 51)")
    assert done.gaps["unknown-format"].startswith("1 line is in no known format")
    assert done.code == 1


def test_a_last_line_that_is_cut_off_is_a_gap(tmp_path: Path) -> None:
    done = trail(tmp_path, [ATTACK, ATTACK[:300]])
    assert done.gaps["corrupt-lines"].startswith("1 line is")
    assert done.rules == {ATTACKED}


def test_a_log_with_gaps_and_without_findings_exits_with_3(tmp_path: Path) -> None:
    assert trail(tmp_path, [b"not a log\n"]).code == 3


def test_formats_may_be_mixed_in_one_file(tmp_path: Path) -> None:
    mixed = [
        line(kubernetes(START, "list", user="ann")),
        line(aws(START, "RotationFailed")),
        *VaultLog().call(START, DB),
        line(azure(START, "SecretPurge")),
        ATTACK,
        line(aws(START, "DeleteSecret")),
    ]
    done = trail(tmp_path, mixed)
    assert done.gaps == {}
    assert done.rules == {
        ATTACKED,
        "trail-kubernetes-secrets-listed",
        "trail-aws-rotation-failed",
        "trail-aws-secret-deleted",
        "trail-azure-secret-deleted",
    }


@pytest.mark.parametrize("raw", [True, False])
def test_values_of_a_raw_log_reach_no_output(tmp_path: Path, *, raw: bool) -> None:
    log = VaultLog(raw=raw)
    made = [*log.call(START, DB, version=1)]
    made += log.call(START, "auth/token/revoke", "update", role="admin", names_token="the-token")
    made += log.call(START, DB, role="", token="the-token", error=DENIED)
    state, used = tmp_path / "state", tmp_path / "used"
    done = trail(tmp_path, made, "--state", str(state), "--last-used", str(used))
    assert ("trail-raw-values" in done.rules) is raw
    assert "trail-vault-revoked-token" in done.rules
    outputs = (done.printed, json.dumps(done.report), state.read_text(), used.read_text())
    for secret in ("value-of-a-raw-log", "hvs.", "the-token"):
        assert [secret in each for each in outputs] == [False] * 4, secret


def test_a_path_with_a_secret_in_it_is_masked_everywhere(tmp_path: Path) -> None:
    secret = expand("ghp_{base62:30}{crc32}", 7)
    made = VaultLog().call(START, f"sys/policies/acl/{secret}", "update", role="admin")
    made += VaultLog(50).call(START, f"secret/data/{secret}", version=1)
    state, used = tmp_path / "state", tmp_path / "used"
    done = trail(tmp_path, made, "--state", str(state), "--last-used", str(used))
    assert ATTACKED in done.rules
    outputs = (done.printed, json.dumps(done.report), state.read_text(), used.read_text())
    assert [secret in each for each in outputs] == [False] * 4


@pytest.mark.parametrize("hostile", ["\x1b[2J", "[link](http://x)", "::error::", "<b>", "=1+1|x"])
def test_hostile_names_are_shown_harmless(hostile: str, tmp_path: Path) -> None:
    made = VaultLog().call(START, f"sys/policies/acl/{hostile}", "update", role=hostile)
    done = trail(tmp_path, made)
    finding = done.finding(ATTACKED)
    assert "\x1b" not in done.printed
    assert not any(each.lstrip().startswith("::") for each in done.printed.splitlines())
    assert not set("\x1b[]()<>|") & set(finding["context"].partition("?by=")[2])


def test_a_line_that_is_too_long_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_LINE", 1 << 20)
    long = b'{"type":"response","x":"' + b"x" * (3 << 20) + b'"}\n'
    done = trail(tmp_path, [long, ATTACK, b"y" * (2 << 20)])
    assert done.rules == {ATTACKED}
    assert done.finding(ATTACKED)["location"]["line"] == 3
    assert "passed over: 2" in done.gaps["too-large"]


@pytest.mark.unmeasured
def test_a_line_of_100_megabytes_takes_bounded_memory(tmp_path: Path) -> None:
    done = trail(tmp_path, [b'{"type":"' + b"x" * 100_000_000 + b'"}\n', ATTACK])
    assert done.rules == {ATTACKED}
    assert "too-large" in done.gaps


def test_a_clock_that_jumps_is_a_gap(tmp_path: Path) -> None:
    log = VaultLog()
    made = log.call(START, DB) + log.call(START + timedelta(days=400), DB)
    made += log.call(START + timedelta(minutes=20), DB) + log.call(START, DB)
    done = trail(tmp_path, made)
    reasons = [each["reason"] for each in done.report["gaps"] if each["kind"] == "clock-jump"]
    assert any("a time after the run" in each for each in reasons)
    assert any("older than one before" in each for each in reasons)


def test_a_missing_stretch_is_a_gap_and_a_finding(tmp_path: Path) -> None:
    log = VaultLog()
    made = log.call(START, DB) + log.call(START + timedelta(hours=5), DB)
    done = trail(tmp_path, made)
    assert done.rules == {"trail-log-silence"}
    assert "2026-11-02T13:00:00Z" in done.gaps["missing-stretch"]
    assert trail(tmp_path, made, "--heartbeat", "6h").code == 0


def test_two_devices_count_once(tmp_path: Path) -> None:
    lines = [
        *normal_day(2_000, hours=1),
        *VaultLog(10**6).call(START, "sys/policies/acl/x", "update"),
    ]
    trail(tmp_path, lines)
    (tmp_path / "second.log").write_bytes(b"".join(lines))
    done = run(tmp_path, str(tmp_path / "audit.log"), str(tmp_path / "second.log"))
    assert "from another device or file: 2,001" in done.notes
    assert done.finding(ATTACKED)["detail"].startswith("at ")


def test_a_call_without_a_response_is_noted_and_still_judged(tmp_path: Path) -> None:
    request, _ = VaultLog(10**6).call(START, "sys/generate-root/attempt", "update", role="admin")
    done = trail(tmp_path, [*normal_day(50, hours=0.1), request])
    assert "without a response in the logs: 1" in done.notes
    assert done.rules == {"trail-vault-generate-root"}


def test_a_truncated_gzip_is_read_up_to_the_damage(tmp_path: Path) -> None:
    whole = gzip.compress(ATTACK + b"".join(normal_day(2_000, hours=1)))
    done = trail(tmp_path, [whole[: len(whole) // 2]])
    assert ATTACKED in done.rules
    assert "damaged or cut off" in done.gaps["archive-damaged"]


def test_records_with_unexpected_types_do_not_stop_the_run(tmp_path: Path) -> None:
    odd = [
        {"type": "response", "time": 5, "request": {}},
        {"type": "response", "time": "2026-11-02T08:00:00Z", "request": {"path": ["x"]}},
        {"eventSource": 1, "eventName": {}, "eventTime": "never"},
        {"auditID": None, "verb": []},
        {"operationName": "SecretGet", "category": "AuditEvent", "time": "x"},
        {"time": "2026-11-02T08:00:00Z", "type": "response", "request": {}, "auth": None},
        {
            "time": "2026-11-02T08:00:00Z",
            "type": "response",
            "request": {},
            "auth": {"policies": 3},
        },
    ]
    done = trail(tmp_path, [*map(line, odd), b'{"a":' * 3_000 + b"\n", ATTACK])
    assert ATTACKED in done.rules
    assert {"unknown-format", "corrupt-lines"} <= done.gaps.keys()


def test_an_empty_log_says_that_nothing_was_read(tmp_path: Path) -> None:
    assert "empty" in trail(tmp_path, []).gaps
