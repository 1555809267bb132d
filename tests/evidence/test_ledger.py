"""The ledger: appending, and finding every change."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import ExitCode, OutputError
from scanner.evidence import ledger as ledger_module
from scanner.evidence.ledger import FIRST, Head, Ledger, sealed
from scanner.evidence.verify import verify

NOW = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


def filled(folder: Path, entries: int = 6) -> tuple[Ledger, Head]:
    """A ledger over two months."""
    ledger = Ledger(str(folder))
    head = Head()
    for number in range(entries):
        data = {"complete": True, "number": number}
        head = ledger.append("audit", data, NOW + timedelta(minutes=number))
    return ledger, head


def rewritten(entry: dict[str, Any]) -> bytes:
    """An entry with a hash that fits its new text."""
    rest = {key: value for key, value in entry.items() if key != "hash"}
    return sealed(json.dumps(rest, separators=(",", ":"))[1:].encode())[0]


def test_entries_are_in_one_file_a_month_and_each_follows_the_one_before(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path)
    assert [os.path.basename(path) for path in ledger.files()] == ["2026-11.jsonl", "2026-12.jsonl"]
    entries = list(ledger.entries())
    assert [entry["previous"] for entry in entries] == [
        FIRST,
        *(entry["hash"] for entry in entries[:-1]),
    ]
    assert head == Head(number=6, hash=entries[-1]["hash"], at="2026-12-01T00:04:00Z")


def test_a_ledger_without_an_anchor_is_consistent_and_not_verified(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path)
    assert verify(ledger).exit_code is ExitCode.INCOMPLETE
    result = verify(ledger, [Head(hash=head.hash)])
    assert (result.exit_code, result.anchored, result.problems) == (ExitCode.CLEAN, 6, ())


def test_an_empty_ledger_proves_nothing(tmp_path: Path) -> None:
    assert verify(Ledger(str(tmp_path / "none"))).exit_code is ExitCode.INCOMPLETE


def test_entries_after_the_anchor_are_not_verified(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path)
    ledger.append("audit", {}, NOW + timedelta(days=1))
    result = verify(ledger, [head])
    assert (result.anchored, result.head.number, result.exit_code) == (6, 7, ExitCode.INCOMPLETE)


@pytest.mark.parametrize("change", ["changed", "removed", "swapped", "doubled", "file removed"])
def test_a_change_is_found_without_an_anchor(tmp_path: Path, change: str) -> None:
    ledger, _ = filled(tmp_path)
    second = Path(ledger.files()[1])
    lines = second.read_bytes().splitlines(keepends=True)
    if change == "changed":
        lines[2] = lines[2].replace(b'"complete":true', b'"complete":null')
    elif change == "removed":
        del lines[2]
    elif change == "swapped":
        lines[2:4] = lines[3:1:-1]
    elif change == "doubled":
        lines.insert(2, lines[2])
    else:
        os.unlink(ledger.files()[0])
    second.write_bytes(b"".join(lines))
    assert verify(ledger).exit_code is ExitCode.FINDINGS


def test_a_cut_off_end_is_found_only_with_an_anchor(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path)
    second = Path(ledger.files()[1])
    second.write_bytes(b"".join(second.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(ledger).exit_code is ExitCode.INCOMPLETE
    assert verify(ledger, [head]).exit_code is ExitCode.FINDINGS


def test_a_ledger_that_was_computed_again_is_found_only_with_an_anchor(tmp_path: Path) -> None:
    _, head = filled(tmp_path / "real")
    forged = Ledger(str(tmp_path / "forged"))
    for number in range(6):
        forged.append("audit", {"number": -number}, NOW + timedelta(minutes=number))
    assert verify(forged).problems == ()
    assert verify(forged, [head]).exit_code is ExitCode.FINDINGS


def test_every_random_change_of_one_entry_is_found_against_an_anchor(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path, entries=4)
    path = Path(ledger.files()[1])
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(300):
        place = chance.randrange(len(whole))
        other = bytes([chance.choice([byte for byte in range(256) if byte != whole[place]])])
        path.write_bytes(whole[:place] + other + whole[place + 1 :])
        assert verify(ledger, [head]).exit_code is ExitCode.FINDINGS, place


def test_a_line_that_is_not_an_entry_is_damage(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path)
    path = Path(ledger.files()[1])
    whole = path.read_bytes()
    for old, new in ((b'"number"', b'"numbex"'), (b'"data":{', b'"data":[{'), (b'"at"', b'"a"')):
        path.write_bytes(whole.replace(old, new, 1))
        assert verify(ledger, [head]).exit_code is ExitCode.FINDINGS
    for text in (b"\n", b"[]\n", b'{"hash":"' + b"0" * 64 + b'",' + b"[" * 100_000 + b"\n"):
        path.write_bytes(text)
        assert verify(ledger, [head]).exit_code is ExitCode.FINDINGS


def test_a_changed_entry_with_a_new_hash_breaks_the_chain(tmp_path: Path) -> None:
    ledger, _ = filled(tmp_path)
    second = Path(ledger.files()[1])
    lines = second.read_bytes().splitlines(keepends=True)
    lines[1] = rewritten(json.loads(lines[1]) | {"kind": "scan"})
    second.write_bytes(b"".join(lines))
    (problem,) = verify(ledger).problems
    assert problem.where == "2026-12.jsonl:3"


def test_a_line_that_a_crash_cut_off_is_kept_and_reported(tmp_path: Path) -> None:
    ledger, _ = filled(tmp_path)
    path = Path(ledger.files()[-1])
    path.write_bytes(path.read_bytes() + b'{"hash":"12')
    assert verify(ledger).exit_code is ExitCode.FINDINGS
    head = ledger.append("audit", {}, NOW + timedelta(days=1))
    assert head.number == 8
    result = verify(ledger, [head])
    assert (result.exit_code, len(result.notes)) == (ExitCode.CLEAN, 1)
    (torn,) = tmp_path.glob("torn-*.bin")
    assert torn.read_bytes() == b'{"hash":"12'


def test_nothing_is_appended_to_a_damaged_entry(tmp_path: Path) -> None:
    ledger, _ = filled(tmp_path)
    path = Path(ledger.files()[-1])
    path.write_bytes(path.read_bytes().replace(b'"number":6', b'"number":7'))
    with pytest.raises(OutputError, match="damaged"):
        ledger.append("audit", {}, NOW + timedelta(days=1))


def test_a_clock_that_moved_back_is_recorded(tmp_path: Path) -> None:
    ledger, _ = filled(tmp_path)
    head = ledger.append("audit", {}, NOW - timedelta(days=40))
    assert not (tmp_path / "2026-10.jsonl").exists()
    result = verify(ledger, [head])
    assert result.exit_code is ExitCode.CLEAN
    assert "moved back" in result.notes[0].what


def test_an_entry_that_is_longer_than_a_block_is_read_back(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.append("audit", {"text": "x" * 300_000}, NOW)
    head = ledger.append("audit", {}, NOW)
    assert verify(ledger, [head]).exit_code is ExitCode.CLEAN


def _append(folder: str, number: int) -> None:
    for _ in range(20):
        Ledger(folder).append("audit", {"writer": number}, NOW)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(str(tmp_path), number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    result = verify(Ledger(str(tmp_path)))
    assert (result.head.number, result.problems) == (60, ())


def test_a_writer_does_not_wait_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_PATIENCE", 0.1)
    with (
        ledger_module.locked(str(tmp_path / ".lock")),
        pytest.raises(OutputError, match="another"),
    ):
        Ledger(str(tmp_path)).append("audit", {}, NOW)


@pytest.mark.unmeasured
def test_a_full_disk_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    ledger, head = filled(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OutputError, match="could not be written"):
            ledger.append("audit", {"text": "x" * 5000}, NOW + timedelta(days=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert verify(ledger, [head]).exit_code is ExitCode.CLEAN
