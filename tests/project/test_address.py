"""Every text that says how to install keywatch names the repository, not only the name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import scanner
from scanner import project

ROOT = Path(__file__).resolve().parents[2]
INSTALL = re.compile(r"pip install\b[^\n`]*?\bkeywatch\b[^\n]*")
# With the address, from a checkout, or from wheels that were built before.
ALLOWED = ("git+https://", "project.requirement", "-e ", "--no-index")
SOURCES = re.compile(r"https://github\.com/[\w.-]+/keywatch\b")


def texts() -> dict[str, str]:
    """Every text file that git tracks, by name."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    named = [name for name in listed.stdout.decode().split("\0") if name]
    found = {}
    for name in named:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".yml", ".yaml", ".toml", ".txt", ""}:
            found[name] = path.read_text(errors="replace")
    return found


def test_no_text_says_to_install_a_package_by_its_name_without_the_address() -> None:
    wrong = []
    for name, text in texts().items():
        if name in {"tests/project/test_address.py", "scanner/project.py"}:
            continue
        for found in INSTALL.finditer(text):
            line = found[0]
            if not any(part in line for part in ALLOWED):
                wrong.append(f"{name}: {line}")
    assert not wrong


def test_every_text_names_the_one_address_of_the_project() -> None:
    other = {
        (name, found)
        for name, text in texts().items()
        for found in SOURCES.findall(text)
        if found != project.REPOSITORY
    }
    assert not other


def test_the_requirement_names_this_release_and_an_extra() -> None:
    assert project.requirement() == f"git+{project.REPOSITORY}@v{scanner.__version__}"
    assert project.requirement("vault").startswith("'keywatch[vault] @ git+https://")
