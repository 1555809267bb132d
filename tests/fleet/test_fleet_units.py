"""Units of a fleet, done in this process: what travels, and under which conditions it is done."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

import scanner
from scanner.fleet.cluster import work, worker_key
from scanner.fleet.cluster.units import (
    Answer,
    Compared,
    CompareUnit,
    Failure,
    Judged,
    JudgeUnit,
    Listed,
    ListUnit,
    Place,
    Scanned,
    ScanUnit,
    Settings,
    Spot,
    Unit,
)
from scanner.fleet.request import CloneLimits
from scanner.fleet.targets import Target
from tests.support import fleets
from tests.support.helpers import git, token

SETTINGS = Settings(
    version=scanner.__version__,
    clones=CloneLimits(folder="/nonexistent"),
    now=datetime(2026, 12, 1, tzinfo=UTC),
    seconds=60,
    matcher="re",
)


def place_of(root: Path) -> Place:
    refs = {"HEAD": git(root, "rev-parse", "HEAD").strip()}
    return Place(Target(root.name, str(root)), refs | {"refs/heads/main": refs["HEAD"]})


class Worker:
    """Does units, and remembers all that travelled."""

    def __init__(self) -> None:
        self.travelled: list[Unit | Answer] = []

    def do(self, unit: Unit) -> Answer:
        answer = work.do(unit)
        self.travelled += [unit, answer]
        return answer

    def judged(self, place: Place) -> Judged:
        listed = self.do(ListUnit(SETTINGS, place))
        assert isinstance(listed, Listed)
        scanned = self.do(ScanUnit(SETTINGS, place, listed.rules, listed.commits))
        assert isinstance(scanned, Scanned)
        judged = self.do(JudgeUnit(SETTINGS, place, scanned.items))
        assert isinstance(judged, Judged)
        return judged


def spots(judged: Judged) -> tuple[Spot, ...]:
    rows = judged.rows
    return tuple(Spot(row.source, row.path, row.rule, row.line, row.column) for row in rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fleets.write_repository(tmp_path / "app", 0, 21)


def test_units_and_their_results_hold_no_secret_and_no_key(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleets.add(root, {f"{token(5)}.py": "", "copy.py": (root / "secret10.py").read_text()})
    git(root, "commit", "--quiet", "--allow-empty", "-m", f"uses {token(6)}")
    worker, place = Worker(), place_of(root)
    judged = worker.judged(place)
    key = os.urandom(32)
    plugin = worker_key.KeyPlugin(key)
    plugin.setup(None)
    compared = worker.do(CompareUnit(SETTINGS, place, spots(judged)))
    plugin.teardown(None)
    assert isinstance(compared, Compared)
    by_path = {row.path: mac for row, mac in zip(judged.rows, compared.macs, strict=True)}
    assert by_path["secret10.py"] == by_path["copy.py"] != by_path["secret20.py"]
    travelled = b"".join(pickle.dumps(each, protocol=0) for each in worker.travelled)
    for seed in (0, 5, 6, 10, 20):
        assert token(seed).encode() not in travelled
    assert key not in b"".join(pickle.dumps(each) for each in worker.travelled)
    assert key.hex() not in repr(plugin)
    assert isinstance(worker.do(CompareUnit(SETTINGS, place, spots(judged))), Failure)


def test_a_ref_that_moves_during_the_run_changes_nothing(root: Path) -> None:
    place = place_of(root)
    listed = work.do(ListUnit(SETTINGS, place))
    assert isinstance(listed, Listed)
    git(root, "checkout", "--quiet", "--orphan", "other")
    git(root, "commit", "--quiet", "-m", "other")
    git(root, "branch", "--quiet", "--force", "main", "other")
    scanned = work.do(ScanUnit(SETTINGS, place, listed.rules, listed.commits))
    assert isinstance(scanned, Scanned)
    judged = work.do(JudgeUnit(SETTINGS, place, scanned.items))
    assert isinstance(judged, Judged)
    assert {row.path for row in judged.rows} == {"secret0.py", "secret10.py", "secret20.py"}


def test_a_worker_with_another_version_does_not_work(root: Path) -> None:
    answer = work.do(ListUnit(SETTINGS._replace(version="0.0"), place_of(root)))
    assert isinstance(answer, Failure)
    assert "install the same version" in answer.reason


def test_a_unit_that_takes_too_long_says_how_far_it_came(root: Path) -> None:
    place = place_of(root)
    listed = work.do(ListUnit(SETTINGS, place))
    assert isinstance(listed, Listed)
    many = (listed.commits * 20)[:300]
    answer = work.do(ScanUnit(SETTINGS._replace(seconds=0), place, listed.rules, many))
    assert isinstance(answer, Failure)
    assert "after 250 of 300 commits" in answer.reason
