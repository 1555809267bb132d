"""Runs of workflows by `act`, a runner of GitHub Actions, on this machine and without a container.

It takes no action from the network: for each that action.yml and the workflows pin stands
tests/support/stand_in.py. For pip stands, in all tests but one, a module that gives the packages
of the
tests' own environment.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.support.helpers import git, write_files

ROOT = Path(__file__).resolve().parents[2]
ACT = Path(sys.executable).parent / "act"
ACTION = "example/keywatch@v0.1.0"
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # v[0-9]+\.[0-9]+\.[0-9]+$", re.MULTILINE)
YAML = (ROOT / "action.yml", *sorted((ROOT / ".github" / "workflows").iterdir()))
_PARTS = ("action.yml", "action", "scanner", "rules", "hooks")
_STAND_IN = """\
name: stand-in
description: notes what it is given
inputs: {inputs}
outputs:
  python-path: {{description: as, value: "${{{{ steps.it.outputs.python-path }}}}"}}
  cache-hit: {{description: as, value: "${{{{ steps.it.outputs.cache-hit }}}}"}}
runs:
  using: composite
  steps:
    - id: it
      shell: bash
      env:
        GIVEN: ${{{{ toJSON(inputs) }}}}
      run: '"{python}" -I "{script}" "{name}"'
"""
_PIP = """\
import json, os, pathlib, sys
(target,) = [each.partition("=")[2] for each in sys.argv if each.startswith("--python=")]
(packages,) = pathlib.Path(target).parents[1].glob("lib/python3*/site-packages")
(packages / "theirs.pth").write_text({theirs!r} + "\\n")
with open(os.path.join(os.environ["STAND_IN"], "pip.json"), "w") as file:
    json.dump([sys.argv[1:], dict(os.environ), os.getcwd()], file)
"""


class Ran(NamedTuple):
    """A workflow's run: its exit code, what act logged, and what each stand-in was given, in order.
    `folder` holds what they took: uploaded/, artifact/, kept/."""

    code: int
    log: list[Any]
    given: list[tuple[str, Any]]
    folder: Path

    @property
    def used(self) -> list[str]:
        return [name for name, _ in self.given]

    def of(self, name: str) -> Any:
        (found,) = [given for used, given in self.given if used == name]
        return found

    @property
    def outputs(self) -> dict[str, str]:
        """Those of the step that uses the action."""
        found = (line for line in self.log if line.get("step") == ACTION)
        found = (line for line in found if len(line["stepID"]) == 1)
        return {line["name"]: line["arg"] for line in found if line.get("command") == "set-output"}

    @property
    def text(self) -> str:
        """What the steps printed."""
        return "".join(line["msg"] for line in self.log if line.get("raw_output"))

    @property
    def summary(self) -> str:
        pages = (line["content"] for line in self.log if line.get("command") == "summary")
        return "".join(pages)

    def commands(self, name: str) -> list[tuple[str, str]]:
        """(place, words) of each command of the kind that the runner obeyed."""
        found = (line for line in self.log if line.get("command") == name and "kvPairs" in line)
        return [(line["kvPairs"].get("file", ""), line["arg"]) for line in found]

    def results(self, name: str, where: str = "uploaded") -> list[tuple[str, str]]:
        """(rule, path) of each result of a SARIF report."""
        found = [each for run in self.sarif(name, where)["runs"] for each in run["results"]]
        places = [(each["ruleId"], each["locations"][0]["physicalLocation"]) for each in found]
        return [(rule, place["artifactLocation"]["uri"]) for rule, place in places]

    def categories(self) -> list[str]:
        """Those of all reports that were uploaded."""
        logs = [json.loads(path.read_bytes()) for path in (self.folder / "uploaded").iterdir()]
        return sorted(run["automationDetails"]["id"] for log in logs for run in log["runs"])

    def sarif(self, name: str, where: str = "uploaded") -> Any:
        return json.loads((self.folder / where / f"keywatch-{name}.sarif").read_bytes())


class WorkflowRunner:
    """The stand-ins, this checkout's action, and a Python for it; made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._local: dict[str, Path] = {ACTION: folder / "ours"}
        for name in _PARTS:
            _copy(ROOT / name, folder / "ours" / name)
        self.python = self._python()
        for name, commit in PINNED.findall("".join(path.read_text() for path in YAML)):
            self._stand_in(name)
            repository = "/".join(name.split("/")[:2])
            self._local[f"{repository}@{commit}"] = folder / repository

    def _stand_in(self, name: str) -> None:
        given = (step["with"] for step in _steps() if step["uses"].startswith(f"{name}@"))
        text = _STAND_IN.format(
            inputs=json.dumps({key: {"description": "as given"} for each in given for key in each}),
            python=sys.executable,
            script=ROOT / "tests" / "support" / "stand_in.py",
            name=name,
        )
        write_files(self._folder / name, {"action.yml": text})

    def _python(self) -> Path:
        home = self._folder / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
        (packages,) = home.glob("lib/python3*/site-packages")
        theirs = sysconfig.get_path("purelib")
        write_files(
            packages, {"pip/__init__.py": "", "pip/__main__.py": _PIP.format(theirs=theirs)}
        )
        return home / "bin" / "python"

    def run(
        self,
        repository: Path,
        event: str,
        payload: Mapping[str, Any],
        *arguments: str,
        **variables: str,
    ) -> Ran:
        """Run the workflows of the repository for an event."""
        folder = repository.parent / "stand-in"
        folder.mkdir(exist_ok=True)
        for name in ("uploaded", "artifact"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "given.jsonl").unlink(missing_ok=True)
        (folder / "event.json").write_text(json.dumps(payload))
        argv = [str(ACT), event, "--json", "--eventpath", str(folder / "event.json")]
        argv += ["--platform", "ubuntu-latest=-self-hosted", *arguments]
        for name, path in self._local.items():
            argv += ["--local-repository", f"{name}={path}"]
        more = {"STAND_IN": str(folder), "STAND_IN_PYTHON": str(self.python), **variables}
        for name, value in more.items():
            argv += ["--env", f"{name}={value}"]
        done = subprocess.run(argv, cwd=repository, capture_output=True, check=False)
        return Ran(
            code=done.returncode,
            log=_lines(done.stdout.decode()),
            given=[tuple(each) for each in _lines(_text(folder / "given.jsonl"))],
            folder=folder,
        )


def _steps() -> Iterator[Any]:
    """The steps of action.yml and the workflows that use an action of somebody else."""
    for path in YAML:
        data = yaml.safe_load(path.read_bytes())
        jobs = data["jobs"].values() if "jobs" in data else [data["runs"]]
        yield from (step for job in jobs for step in job["steps"] if "@" in step.get("uses", ""))


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, to)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.startswith(("{", "["))]


def head(repository: Path, name: str = "HEAD") -> str:
    return git(repository, "rev-parse", name).strip()
