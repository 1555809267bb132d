"""What stands for an action in a run by `act`: `python stand_in.py NAME`, in the job's own shell.

It notes what it was given, and does as much as a job sees of the action. STAND_IN is the test's
folder for it; what a test wants to go wrong, a file in there says.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(os.environ["STAND_IN"])


def main(name: str, given: Mapping[str, str]) -> int:
    with (HERE / "given.jsonl").open("a") as record:
        record.write(json.dumps([name, given]) + "\n")
    match name:
        case "actions/setup-python":
            _say("python-path", os.environ["STAND_IN_PYTHON"])
        case "actions/cache/restore" if given["path"].endswith("kept"):
            _copy(HERE / "kept", given["path"])
        case "actions/cache/restore":
            _say("cache-hit", str((HERE / "cached").exists()).lower())
        case "actions/cache/save" if given["path"].endswith("kept"):
            _copy(given["path"], HERE / "kept")
        case "github/codeql-action/upload-sarif":
            return _deliver(given["sarif_file"], "uploaded")
        case "actions/upload-artifact":
            return _deliver(given["path"], "artifact")
    return 0


def _deliver(folder: str, to: str) -> int:
    if (HERE / f"not-{to}").exists():
        sys.stderr.write("Resource not accessible by integration\n")
        return 1
    _copy(folder, HERE / to)
    return 0


def _copy(folder: str | Path, to: str | Path) -> None:
    if Path(folder).exists():
        shutil.copytree(folder, to, dirs_exist_ok=True)


def _say(name: str, value: str) -> None:
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as outputs:
        outputs.write(f"{name}={value}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(os.environ["GIVEN"])))
