"""Build hook: put the compiled rules into the wheel, so that the first scan need not compile them.

A Hyperscan database is only for processors with the same features and for one version of
Hyperscan. Elsewhere the first scan compiles the rules and stores them in the user's cache.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledRules(BuildHookInterface[Any]):
    """Adds the folder `scanner/compiled` to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # its rules may change
            return
        folder = os.path.join(self.root, "build", "compiled")
        sys.path.insert(0, self.root)
        build_data["force_include"] |= {
            os.path.join(folder, name): f"scanner/compiled/{name}" for name in _compile(folder)
        }


def _compile(folder: str) -> list[str]:
    """Write the compiled rules to a new folder, and return the names of its files.

    There are no databases if Hyperscan is not installed.
    """
    from scanner.detect.detector import matcher_for
    from scanner.detect.prefilter.matcher import DATABASES
    from scanner.detect.rules import rulebook

    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    book = rulebook.load(cache_folder=folder)
    for table in rulebook.TABLES:
        book.shipped_table(table)
    matcher_for(book, "auto", folder).load(DATABASES)
    return sorted(name for name in os.listdir(folder) if not name.endswith(".key"))
