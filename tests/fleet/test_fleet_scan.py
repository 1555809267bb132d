"""`keywatch fleet scan` on a real cluster: what is found, what is scanned again, exit codes."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support import fleets
from tests.support.fleets import Cluster, Fleet, places, results, values
from tests.support.helpers import Keywatch, git, leak, scan, token


@pytest.fixture(scope="session")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleets.clones(tmp_path_factory.mktemp("clones"))


@pytest.fixture(scope="session")
def scanned(
    few_rules: Path, cluster: Cluster, clones: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The results of a first run."""
    output = tmp_path_factory.mktemp("output") / "out"
    done = Fleet(few_rules, clones, *cluster.options, "--unit-commits=12").run(output)
    assert done.code == 1, done.err
    return output


@pytest.fixture
def fleet(few_rules: Path, cluster: Cluster, clones: Path, tmp_path: Path) -> Fleet:
    """A fleet with clones that a test may change."""
    shutil.copytree(clones, tmp_path / "clones")
    return Fleet(few_rules, tmp_path / "clones", *cluster.options)


def commits_scanned(output: Path) -> int:
    with contextlib.closing(sqlite3.connect(output / "state.sqlite")) as state:
        (number,) = state.execute("SELECT count(*) FROM scanned").fetchone()
    return int(number)


def test_a_fleet_finds_what_a_scan_of_each_history_finds(
    scanned: Path, clones: Path, keywatch_with_few_rules: Keywatch
) -> None:
    for name in ("a/app", "a/lib", "a/clean", "b/web", "b/fork"):
        alone = scan(keywatch_with_few_rules, "--history", cwd=clones / name).report["findings"]
        found = {(each["location"]["path"], each["since"]["commit"]) for each in alone}
        assert places(scanned, name) == found
        sarif = json.loads((scanned / "sarif" / f"{name}.sarif").read_text())
        assert len(sarif["runs"][0]["results"]) == len(alone)


def test_a_commit_that_a_fork_shares_is_scanned_once(scanned: Path, clones: Path) -> None:
    different = set()
    for name in ("a/app", "a/lib", "a/clean", "b/web", "b/fork"):
        different |= {*git(clones / name, "rev-list", "--all").split()}
    assert commits_scanned(scanned) == len(different)


def test_a_private_forks_finding_is_only_the_forks(scanned: Path) -> None:
    (own,) = (value for value in values(scanned) if value["places"][0]["path"] == "private.py")
    assert own["repositories"] == ["b/fork"]
    assert "private.py" not in (scanned / "sarif/a/app.sarif").read_text()


def test_the_same_value_in_two_repositories_is_one_line(scanned: Path) -> None:
    (shared,) = (value for value in values(scanned) if value["places"][0]["path"] == "shared.py")
    assert shared["repositories"] == ["a/lib", "b/web"]
    assert "in 2 repositories" in (scanned / "overview.txt").read_text()


def test_the_overview_counts_by_team_class_age_and_severity(scanned: Path) -> None:
    overview = json.loads((scanned / "overview.json").read_text())
    assert overview["values"] == len(values(scanned))
    assert overview["teams"]["a"]["repositories"] == 3
    assert sum(overview["severities"].values()) == overview["values"]
    assert sum(sum(levels.values()) for levels in overview["ages"].values()) == overview["values"]
    assert overview["complete"] is True
    assert "keywatch_fleet_repositories 5\n" in (scanned / "metrics.prom").read_text()


def test_the_parquet_file_has_a_row_for_each_place(scanned: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    rows = pq.read_table(scanned / "findings.parquet").to_pylist()
    every = [place["fingerprint"] for value in values(scanned) for place in value["places"]]
    assert sorted(row["fingerprint"] for row in rows) == sorted(every)


def test_the_html_report_lists_repositories_and_each_value_once(
    fleet: Fleet, tmp_path: Path
) -> None:
    page = tmp_path / "fleet.html"
    done = fleet.run(tmp_path / "out", f"--report=html={page}")
    assert done.code == 1, done.err
    text = page.read_text()
    found = values(tmp_path / "out")
    assert f"{len(found)} findings" in text
    for value in found:
        for name in value["repositories"]:
            assert name in text
    assert token(99) not in text
    assert "Scan of many repositories" in text
    refused = fleet.run(tmp_path / "out", "--report=csv=x")
    assert (refused.code, "write it as html=FILE" in refused.err) == (2, True)


def test_only_the_owner_can_read_the_results(scanned: Path) -> None:
    modes = {oct(path.stat().st_mode & 0o777) for path in scanned.rglob("*") if path.is_file()}
    assert modes == {"0o600"}


def test_no_secret_is_in_the_results_or_in_the_logs_of_the_cluster(
    scanned: Path, cluster: Cluster
) -> None:
    written = b"".join(path.read_bytes() for path in scanned.rglob("*") if path.is_file())
    for seed in (0, 10, 50, 99, 1010):
        assert token(seed).encode() not in written + cluster.log.read_bytes()


def test_a_second_run_scans_only_new_commits(fleet: Fleet, tmp_path: Path) -> None:
    fleet.run(tmp_path / "out")
    before, commits = results(tmp_path / "out"), commits_scanned(tmp_path / "out")
    again = fleet.run(tmp_path / "out")
    assert "5 unchanged" in again.err
    assert results(tmp_path / "out") == before
    fleets.add(fleet.folder / "a/clean", {"new.py": leak(7)})
    assert "4 unchanged" in fleet.run(tmp_path / "out").err
    assert commits_scanned(tmp_path / "out") == commits + 1
    assert {path for path, _ in places(tmp_path / "out", "a/clean")} == {"new.py"}


def test_new_rules_scan_only_the_repositories_that_they_are_for(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.run(tmp_path / "out")
    commits = commits_scanned(tmp_path / "out")
    policy = "version: 1\nscan: {exclude: [secret2*]}\n"
    fleets.add(fleet.folder / "b/web", {"keywatch.yaml": policy})
    fleet.run(tmp_path / "out")
    own = int(git(fleet.folder / "b/web", "rev-list", "--count", "--all"))
    assert commits_scanned(tmp_path / "out") == commits + own
    assert "secret20.py" not in {path for path, _ in places(tmp_path / "out", "b/web")}


def test_a_clean_fleet_exits_with_0_and_an_unreadable_repository_with_3(
    fleet: Fleet, tmp_path: Path
) -> None:
    for name in ("a/app", "a/lib", "b/web", "b/fork"):
        shutil.rmtree(fleet.folder / name)
    assert fleet.run(tmp_path / "out").code == 0
    broken = fleets.write_repository(fleet.folder / "c/broken", 9, 30, secrets=False)
    tree = git(broken, "rev-parse", "HEAD~5^{tree}").strip()
    (broken / ".git/objects" / tree[:2] / tree[2:]).unlink()
    done = fleet.run(tmp_path / "out")
    assert done.code == 3
    assert "c/broken" in done.out
    fleets.write_repository(fleet.folder / "c/web", 8, 30)
    assert fleet.run(tmp_path / "out").code == 1
    assert fleet.run(tmp_path / "out", "--require-complete").code == 3


def test_two_fleets_cannot_use_one_state_file(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    state = sqlite3.connect(tmp_path / "out/state.sqlite")
    state.execute("BEGIN EXCLUSIVE")
    done = fleet.run(tmp_path / "out")
    state.close()
    assert done.code == 2
    assert "another keywatch fleet uses the state" in done.err


def test_a_scheduler_without_tls_is_refused_unless_it_is_on_loopback(
    few_rules: Path, clones: Path, tmp_path: Path
) -> None:
    done = Fleet(few_rules, clones, "--scheduler=tcp://10.0.0.1:8786").run(tmp_path / "out")
    assert done.code == 2
    assert "can execute code" in done.err
