"""Packages of npm that only tests use: tests/package.json names them."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.helpers import unavailable

HERE = Path(__file__).resolve().parents[1]


def installed(name: str, environ: Mapping[str, str]) -> Path:
    """The main file of a package. All packages are installed when one of them is missing.

    `environ` has the user's settings of npm.
    """
    if shutil.which("npm") is None:
        unavailable(f"npm is not installed: {name} comes from it")
    with (HERE / "package.json").open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        wanted = list(json.load(file)["devDependencies"])
        if not all(map(_main, wanted)):
            install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                install, cwd=HERE, env=environ, capture_output=True, text=True, check=False
            )
            if done.returncode:
                unavailable(f"npm ci failed in tests/: {done.stderr[-500:]}")
    return Path(_main(name))


def _main(name: str) -> str:
    """The path of the package's main file, "" if it is not installed."""
    argv = ["node", "-p", f"require.resolve({json.dumps(name)})"]
    done = subprocess.run(argv, cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip()
