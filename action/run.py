"""The action: runs one step of action.yml, started with `python -I` from outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def main(step: str, environ: Mapping[str, str]) -> int:
    """Run a step (plan, install, run or conclude) and return its exit code."""
    sys.path.insert(
        0, str(Path(__file__).resolve().parents[1])
    )  # `python -I` does not add this folder
    from action import install, plan, results
    from action.job import Job, RefusedError, error

    steps = {
        "plan": plan.make,
        "install": install.install,
        "run": results.run,
        "conclude": results.conclude,
    }
    job = Job.of(environ)
    try:
        return steps[step](job) or 0
    except RefusedError as refusal:
        error(str(refusal))
        job.output({"exit-code": "2"})
        return 2
    except subprocess.CalledProcessError as failure:
        error(f"the installation failed with exit code {failure.returncode}; see the log above")
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ))
