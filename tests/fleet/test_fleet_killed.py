"""Processes of a running fleet are killed: the result is that of an undisturbed run."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import fleets
from tests.support.fleets import Cluster, Fleet, results

pytestmark = pytest.mark.unmeasured
SMALL_UNITS = "--unit-commits=5"


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleets.clones(tmp_path_factory.mktemp("clones"), commits=120)


@pytest.fixture(scope="module")
def undisturbed(
    few_rules: Path, hermetic: None, clones: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    assert Fleet(few_rules, clones, "--workers=2", SMALL_UNITS).run(output).code == 1
    return output


@pytest.fixture
def own_cluster(few_rules: Path, tmp_path: Path) -> Iterator[Cluster]:
    with fleets.cluster(few_rules, tmp_path / "cluster") as made:
        yield made


def assert_same(output: Path, undisturbed: Path) -> None:
    """The same results, and each commit is scanned once."""
    assert results(output) == results(undisturbed)
    with sqlite3.connect(output / "state.sqlite") as state:
        items = state.execute("SELECT oid, kind, data, count(*) FROM item GROUP BY oid, kind, data")
        assert {count for *_, count in items} == {1}
    state.close()


def wait_for_units(output: Path, process: subprocess.Popen[str], number: int) -> None:
    """Wait until the run has done so many units: what SQLite has written to its log grows."""
    log, deadline = output / "state.sqlite-wal", time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and log.stat().st_size > 130_000 + number * 60_000:
            return
        time.sleep(0.02)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_client_that_is_killed_continues_when_it_is_run_again(
    seed: int, few_rules: Path, clones: Path, undisturbed: Path, tmp_path: Path
) -> None:
    fleet = Fleet(few_rules, clones, "--workers=2", SMALL_UNITS)
    process = fleet.start(tmp_path / "out")
    wait_for_units(tmp_path / "out", process, random.Random(seed).randrange(12))
    workers = fleets.children(process.pid)
    process.kill()
    process.communicate()
    done = fleet.run(tmp_path / "out", "--resume")
    assert done.code == 1
    assert_same(tmp_path / "out", undisturbed)
    assert not [each for each in workers if fleets.runs(each)]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_workers_that_are_killed_lose_nothing(  # noqa: PLR0913, PLR0917 - fixtures
    seed: int,
    few_rules: Path,
    own_cluster: Cluster,
    clones: Path,
    undisturbed: Path,
    tmp_path: Path,
) -> None:
    fleet = Fleet(few_rules, clones, *own_cluster.options, SMALL_UNITS)
    process = fleet.start(tmp_path / "out")
    choice = random.Random(seed)
    for number in range(3):
        wait_for_units(tmp_path / "out", process, 3 * number)
        running = own_cluster.worker_processes()
        if running:
            fleets.kill(choice.choice(running))
        time.sleep(choice.random() / 2)
    assert fleets.ended(process).code == 1
    assert_same(tmp_path / "out", undisturbed)


def test_a_scheduler_that_is_restarted_loses_nothing(
    few_rules: Path, own_cluster: Cluster, clones: Path, undisturbed: Path, tmp_path: Path
) -> None:
    process = Fleet(few_rules, clones, *own_cluster.options, SMALL_UNITS).start(tmp_path / "out")
    wait_for_units(tmp_path / "out", process, 5)
    own_cluster.kill_scheduler()
    own_cluster.start()
    done = fleets.ended(process)
    assert "the scheduler is gone" in done.err
    assert done.code == 1, done.err
    assert_same(tmp_path / "out", undisturbed)
