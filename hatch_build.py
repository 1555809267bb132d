"""Build hook: put the compiled rules into the wheel, so that the first scan need not compile them.

A Hyperscan database is only for processors with the same features and for one version of
Hyperscan. Elsewhere the first scan compiles the rules and stores them in the user's cache.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledRules(BuildHookInterface[Any]):
    """Adds the folder `scanner/compiled` to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # its rules may change
            return
        sys.path.insert(0, self.root)
        from scanner.detect import prebuild

        folder = os.path.join(self.root, "build", "compiled")
        build_data["force_include"] |= {
            os.path.join(folder, name): f"scanner/compiled/{name}"
            for name in prebuild.write(folder)
        }
