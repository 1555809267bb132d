"""What the action installs: locks that hold all that pyproject.toml asks for, by hashes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.helpers import leak, write_files
from tests.support.workflows import PINNED, ROOT, YAML

SCAN = ("archives", "history")
EXTRAS = {"scan": SCAN, "audit": (*SCAN, "aws", "azure", "kubernetes", "vault")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(name: str) -> dict[str, Requirement]:
    """What a lock pins, by name. Each with at least one hash of SHA-256."""
    text = (ROOT / "action" / f"{name}.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}( |$)", line) for line in lines)
    found = [Requirement(line.partition(" --hash")[0].strip()) for line in lines]
    return {canonicalize_name(each.name): each for each in found}


@pytest.mark.parametrize("name", EXTRAS)
def test_a_lock_satisfies_what_the_project_asks_for(name: str) -> None:
    held = locked(name)
    asked = [*PROJECT["dependencies"]]
    for extra in EXTRAS[name]:
        asked += PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, asked):
        (pin,) = held[canonicalize_name(requirement.name)].specifier
        assert (pin.operator, requirement.specifier.contains(pin.version)) == ("==", True)


def test_the_lock_of_an_audit_holds_all_of_a_scans() -> None:
    small, large = locked("scan"), locked("audit")
    assert {name: each.specifier for name, each in small.items()} == {
        name: large[name].specifier for name in small
    }


@pytest.mark.slow
def test_what_the_locks_name_is_complete_and_runs(tmp_path: Path) -> None:
    """pip looks at what each package needs, since nothing tells it not to."""
    write_files(tmp_path, {"keywatch/plan.json": "", "app/config.py": leak()})
    _install("scan", tmp_path)
    python = [str(tmp_path / "keywatch" / "venv" / "bin" / "python"), "-I"]
    scan = [*python, "-m", "scanner", "scan", "--quiet"]
    assert subprocess.run(scan, cwd=tmp_path / "app", check=False).returncode == 1
    _install("audit", tmp_path)
    libraries = "import hvac, kubernetes, boto3, azure.identity, azure.keyvault.secrets"
    subprocess.run([*python, "-c", libraries], check=True)


def _install(lock: str, folder: Path) -> None:
    (folder / "keywatch" / "plan.json").write_text(json.dumps([[], lock]))
    environ = os.environ | {
        "GITHUB_EVENT_PATH": os.devnull,
        "INPUTS": "{}",
        "RUNNER_TEMP": str(folder),
        "PIP_INDEX_URL": "https://packages.example.org/simple",
    }
    step = [sys.executable, "-I", str(ROOT / "action" / "run.py"), "install"]
    done = subprocess.run(step, cwd="/", env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_action_of_somebody_else_is_pinned_by_its_commit_with_its_version() -> None:
    for path in YAML:
        text = path.read_text()
        uses = re.findall(r"uses: (?!\./).*", text)
        assert len(PINNED.findall(text)) == len(uses) > 0


def test_no_expression_is_pasted_into_a_script() -> None:
    for path in YAML:
        scripts = re.findall(r"run: (.*(?:\n +.*)*?)(?=\n *-|\n *\w+:|\n\n|\Z)", path.read_text())
        assert not [script for script in scripts if "${{" in script]
