"""A defect of keywatch ends a run with exit code 4 and shows what to report, but no content."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scanner
from scanner.errors import ExitCode

PACKAGE = Path(scanner.__file__).parent
LEAK = "hunter2" + "-is-in-the-text-of-the-error"
DEFECT = f"""
def run(args, console):
    console.write("before the defect\\n")
    raise ValueError("{LEAK}")
"""


@pytest.fixture
def defective(tmp_path: Path) -> Path:
    """A copy of keywatch in which the command init has a defect."""
    copy = tmp_path / "copy"
    shutil.copytree(PACKAGE, copy / "scanner", ignore=shutil.ignore_patterns("__pycache__"))
    with open(copy / "scanner" / "cli" / "init.py", "a", encoding="utf-8") as file:
        file.write(DEFECT)
    return copy


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scanner", *arguments],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_names_the_kind_and_the_place_but_not_the_text(defective: Path) -> None:
    done = run(defective, "init")
    assert done.returncode == 4
    assert done.stdout == "before the defect\n"
    first, second, third = done.stderr.splitlines()
    assert first == "keywatch: internal error ValueError; this is a defect of keywatch"
    python = sys.version.split()[0]
    assert second.startswith(f"  keywatch {scanner.__version__}, Python {python}: init.py:")
    assert " run < __init__.py:" in second
    assert third == "  please report these two lines; the run has no result (exit code 4)"
    assert LEAK not in done.stderr
    assert "Traceback" not in done.stderr


def test_so_does_a_module_that_cannot_be_loaded(defective: Path) -> None:
    (defective / "scanner" / "repository" / "create_policy.py").unlink()
    done = run(defective, "init")
    assert done.returncode == ExitCode.INTERNAL
    assert "internal error ImportError" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_commands_still_work(defective: Path) -> None:
    assert run(defective, "--version").stdout == f"keywatch {scanner.__version__}\n"
