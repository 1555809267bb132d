"""What a hook costs beside its work: what a warm start loads, opens and starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from scanner.detect.detect_secrets import DetectSecretsSettings, default_settings, empty_document
from scanner.detect.detect_secrets.settings import EXCLUDE_LINE, Component, dumped, loaded
from tests.support.archives import zipped
from tests.support.helpers import Keywatch
from tests.support.repositories import Repository, password

ROOT = Path(__file__).resolve().parents[2]
# Exact work, and what costs a hook milliseconds to load.
ARCHIVES = ("scanner.inputs.archives",)
DEAR = (
    *("hashlib", "multiprocessing", "yaml", "re2", "rich", "jsonschema", "detect_secrets"),
    *(
        "scanner.detect.engine.engine",
        "scanner.detect.rules.model",
        "scanner.detect.rules.compiler",
    ),
    *(
        "scanner.detect.structure.value_paths",
        "scanner.detect.structure",
        "scanner.detect.structure.config_detector",
    ),
    *("scanner.detect.detect_secrets.baseline", "scanner.detect.detect_secrets.plugin_patterns"),
    *("scanner.detect.detect_secrets.search", "scanner.policy"),
    *ARCHIVES,
    *("zipfile", "tarfile", "lzma", "bz2"),
)
CODE = """
import json, sys
sys.path.insert(0, {root!r})
opened, started = [], []
def watch(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))
    if event == "subprocess.Popen":
        started.append(arguments[1][-1])
sys.addaudithook(watch)
from scanner.cli import main
code = main({arguments!r})
print(json.dumps([code, sorted(sys.modules), opened, started]))
"""


class Start(NamedTuple):
    """What one run did: its exit code, and what it loaded, opened and started."""

    code: int
    modules: list[str]
    opened: list[str]
    started: list[str]


def start(folder: Path, arguments: Sequence[str], root: Path = ROOT) -> Start:
    """One run of the command, isolated; without variables, so no coverage is measured in it."""
    code = CODE.format(root=str(root), arguments=list(arguments))
    kept = {name: os.environ[name] for name in ("HOME", "PATH")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=folder, env=kept, capture_output=True, check=True
    )
    return Start(*json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    """A clean file is staged."""
    made = Repository(tmp_path / "repo", keywatch)
    made.write({"app.py": "x = 1\n"})
    made.commit()
    made.write({"app.py": "x = 2\n"})
    made.git("add", "app.py")
    return made


def with_baseline(repo: Repository) -> None:
    """500 secrets that are known, none of them in the staged file."""
    row = {"type": "Secret Keyword", "is_verified": False, "line_number": 1}
    rows = [row | {"filename": "b.py", "hashed_secret": f"{n:040x}"} for n in range(500)]
    document = empty_document(default_settings()) | {"results": {"b.py": rows}}
    repo.write({".secrets.baseline": json.dumps(document, indent=2)})
    repo.git("add", ".secrets.baseline")


@pytest.mark.parametrize("baseline", [False, True], ids=["alone", "baseline"])
def test_a_clean_hook_loads_nothing_for_exact_work(repo: Repository, *, baseline: bool) -> None:
    if baseline:
        with_baseline(repo)
    arguments = ("hook", "pre-commit", "app.py")
    start(repo.root, arguments)
    warm = start(repo.root, arguments)
    assert warm.code == 0
    assert not set(warm.modules) & set(DEAR)
    assert not [path for path in warm.opened if path.endswith(".yaml")]
    assert len(warm.started) == 2  # git: what is staged, and the bytes of it


def test_archives_cost_nothing_where_nobody_asks_for_them(repo: Repository) -> None:
    (repo.root / "a.zip").write_bytes(zipped({"a.py": b"x = 1\n"}))
    for arguments in (("scan",), ("scan", "a.zip")):
        assert not set(start(repo.root, arguments).modules) & set(ARCHIVES)
    assert set(start(repo.root, ("scan", "--archives", "a.zip")).modules) >= set(ARCHIVES)


def test_a_baseline_that_switches_something_off_counts_at_once(repo: Repository) -> None:
    with_baseline(repo)
    repo.write({"app.py": password(3)})
    repo.git("add", "app.py")
    assert "filter-added" not in {each["by"] for each in repo.report("--staged")["register"]}
    document = json.loads(repo.text(".secrets.baseline"))
    document["filters_used"].append({"path": EXCLUDE_LINE, "pattern": ["no such line"]})
    repo.write({".secrets.baseline": json.dumps(document)})
    repo.git("add", ".secrets.baseline")
    assert "filter-added" in {each["by"] for each in repo.report("--staged")["register"]}


def test_settings_are_the_same_when_they_come_from_the_cache() -> None:
    patterns = Component(EXCLUDE_LINE, (("pattern", ("one", "two")),))
    settings = DetectSecretsSettings(default_settings().plugins, (patterns,), ".secrets.baseline")
    assert loaded(dumped(settings)) == settings


def test_a_rule_file_that_was_changed_is_noticed(tmp_path: Path) -> None:
    for part in ("scanner", "rules"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    rules = tmp_path / "rules/secrets/github.yaml"

    def listed() -> bytes:
        command = [sys.executable, "-m", "scanner", "rules", "list"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout

    before = listed()
    assert listed() == before
    changed = rules.read_text().replace("title: GitHub OAuth", "title: GitHub HtuaO")
    rules.write_text(changed)  # of the same size
    assert listed() == before.replace(b"GitHub OAuth", b"GitHub HtuaO") != before
