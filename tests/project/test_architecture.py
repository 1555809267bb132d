"""docs/architecture.md names only files and folders that exist, and names every package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FOLDERS = "scanner|rules|docs|tests|action|bench|hooks|examples"
NAMED = re.compile(rf"`((?:{FOLDERS})/[^`\s]*)`")
VARIABLE = re.compile(r"<[^>]+>")


def test_every_path_in_the_contributor_docs_exists() -> None:
    named = {*NAMED.findall(PAGE), *NAMED.findall(CONTRIBUTING)}
    assert len(named) > 60
    assert {path for path in named if not list(ROOT.glob(VARIABLE.sub("*", path)))} == set()


def test_every_package_is_named() -> None:
    folders = {path.parent for path in (ROOT / "scanner").glob("*/__init__.py")}
    assert {path.name for path in folders if f"{path.name}/`" not in PAGE} == set()


def test_every_table_in_a_row_exists() -> None:
    tables = re.findall(r"`([A-Z_]+)` of `([\w/.]+\.py)`", PAGE)
    assert len(tables) >= 3
    wrong = {
        (name, path)
        for name, path in tables
        if "/" in path and name not in (ROOT / path).read_text(encoding="utf-8")
    }
    assert wrong == set()
