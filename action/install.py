"""The action: installs the dependencies of keywatch, and keywatch from the action's own commit."""

from __future__ import annotations

import os
import subprocess
import sys

from action.job import Job
from action.plan import HERE, Plan


def install(job: Job) -> None:
    """Install the locked packages and this commit's keywatch into a virtual environment.

    pip checks the hashes of the packages. Raises CalledProcessError.

    pip gets its settings only from the command line, because the checkout or the job could provide
    hostile ones."""
    home = job.folder / "venv"
    clean = {
        name: value
        for name, value in job.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    }
    here = [sys.executable, "-I", "-m"]
    subprocess.run([*here, "venv", "--without-pip", str(home)], check=True, env=clean)
    pip = ["pip", "--isolated", f"--python={job.python}", "install", "--quiet", "--no-input"]
    pip += ["--disable-pip-version-check", f"--cache-dir={job.folder / 'pip'}"]
    pip += ["--only-binary=:all:", "--require-hashes", f"--requirement={Plan.of(job).file}"]
    clean["PIP_CONFIG_FILE"] = os.devnull
    subprocess.run([*here, *pip], check=True, cwd=job.folder, env=clean)
    (packages,) = home.glob("lib/python3*/site-packages")
    (packages / "keywatch.pth").write_text(f"{HERE.parent}\n")
