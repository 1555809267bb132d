"""A checkout of keywatch with a few rules, for tests that start without a cache.

All rules together take seconds to compile.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ("secrets/github.yaml", "config/dotenv.yaml")


def checkout(folder: Path) -> Path:
    """Copy the product into `folder`, with only the rule files RULES."""
    skipped = shutil.ignore_patterns("__pycache__", "secrets", "config")
    shutil.copytree(
        ROOT / "scanner", folder / "scanner", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "rules", folder / "rules", ignore=skipped)
    for name in RULES:
        (folder / "rules" / name).parent.mkdir()
        shutil.copy(ROOT / "rules" / name, folder / "rules" / name)
    return folder
