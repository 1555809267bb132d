"""The example: exactly its planted faults are found. This whole repository is clean."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench import peers
from examples import plant
from examples.plant import Expected, Lookalike
from tests.support.helpers import Keywatch

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = plant.load_manifest()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("planted") / "agentaskit"
    plant.plant(copy, MANIFEST)
    return copy


@pytest.fixture(scope="module")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this repository holds: tracked files and new ones that git does not ignore."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    copy = tmp_path_factory.mktemp("own")
    for name in listed.stdout.decode().split("\0")[:-1]:
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


def scan(keywatch: Keywatch, tree: Path, out: Path, *more: str, cwd: Path) -> tuple[int, Path]:
    done = keywatch(
        "scan", str(tree), f"--now={MANIFEST.now}", f"--report=json={out}", *more, cwd=cwd
    )
    return done.returncode, out


@pytest.mark.parametrize("matcher", ["hyperscan", "re"])
def test_a_scan_of_the_copy_finds_exactly_the_planted_faults(
    keywatch: Keywatch, planted: Path, tmp_path: Path, matcher: str
) -> None:
    more = ("--matcher", matcher)
    code, report = scan(keywatch, planted, tmp_path / "out.json", *more, cwd=tmp_path)
    assert plant.compare(plant.reported_in(report), MANIFEST.expected) == []
    assert code == 1


def test_a_scan_from_inside_the_copy_finds_the_same(
    keywatch: Keywatch, planted: Path, tmp_path: Path
) -> None:
    inside = planted / "services" / "workers"
    code, report = scan(keywatch, planted, tmp_path / "out.json", cwd=inside)
    assert plant.compare(plant.reported_in(report), MANIFEST.expected) == []
    assert code == 1


def test_the_tree_as_it_stands_here_is_clean(keywatch: Keywatch, tmp_path: Path) -> None:
    copy = tmp_path / "agentaskit"
    plant.plant(copy, replace(MANIFEST, plants=()))
    code, report = scan(keywatch, copy, tmp_path / "out.json", cwd=tmp_path)
    assert plant.reported_in(report) == []
    assert code == 0


@pytest.mark.parametrize("one", MANIFEST.lookalikes, ids=lambda one: f"{one.file}: {one.text}")
def test_every_harmless_lookalike_still_stands_in_the_tree(one: Lookalike) -> None:
    assert one.text in (plant.TREE / one.file).read_bytes().decode(one.encoding)


def test_the_same_manifest_plants_the_same_bytes(planted: Path, tmp_path: Path) -> None:
    again = tmp_path / "agentaskit"
    plant.plant(again, MANIFEST)
    for one in MANIFEST.plants:
        assert (again / one.file).read_bytes() == (planted / one.file).read_bytes()


def test_the_check_of_a_report_names_what_is_missing_and_what_is_too_much() -> None:
    wanted = Expected(path="a.py", line=3, rule="generic-password")
    moved = replace(wanted, line=4)
    assert plant.compare([moved], [wanted]) == [
        "missing:    a.py:3 generic-password",
        "unexpected: a.py:4 generic-password",
    ]
    assert plant.compare([wanted, wanted], [wanted]) == ["unexpected: a.py:3 generic-password"]


def test_this_repository_is_clean_by_its_own_rules(
    keywatch: Keywatch, own_files: Path, tmp_path: Path
) -> None:
    code, report = scan(keywatch, own_files, tmp_path / "out.json", cwd=tmp_path)
    assert plant.reported_in(report) == []
    assert code == 0


@pytest.mark.slow
def test_this_repository_is_clean_by_gitleaks(
    own_files: Path, outer_environ: Mapping[str, str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", outer_environ.get("HOME", "/"))
        gitleaks = peers.gitleaks().binary
    argv = [str(gitleaks), "dir", ".", "--no-banner", "--no-color", "--redact", "--verbose"]
    done = subprocess.run(argv, cwd=own_files, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_summary_of_the_demo_says_what_was_found_and_what_to_try(tmp_path: Path) -> None:
    (tmp_path / "keywatch.json").write_text('{"findings": [{"severity": "high"}]}')
    command = [sys.executable, "examples/story.py", "summary", str(tmp_path)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"1 finding (1 high); reports: {tmp_path}/keywatch.json" in shown
    assert "explain .env:3" in shown
