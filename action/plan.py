"""The action: decides what a job runs, or refuses it, before anything is installed."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from action.job import Job, RefusedError, said
from action.verbs import VERBS, Run, refuse_another_commit
from scanner import project

HERE = Path(__file__).resolve().parent

# On these events, workflow, checkout and permissions belong to the same party. On any other event,
# such as `issue_comment`, a stranger may start a job that has the repository's rights.
_PLAIN = frozenset(
    {"merge_group", "pull_request", "push", "release", "schedule", "workflow_dispatch"}
)
_SAVING = frozenset({"push", "schedule", "workflow_dispatch"})


class Plan(NamedTuple):
    """What the job runs.

    lock: the lock file to install from: `scan`, or `audit`, which also has all stores' libraries.
    """

    runs: Sequence[Run]
    lock: str

    @classmethod
    def of(cls, job: Job) -> Plan:
        """Read the plan that `make` wrote."""
        runs, lock = json.loads((job.folder / "plan.json").read_bytes())
        return cls([Run(*run) for run in runs], lock)

    @property
    def file(self) -> Path:
        return HERE / f"{self.lock}.lock"


def make(job: Job) -> None:
    """The step `plan`: write the plan for the later steps. Raises RefusedError."""
    shutil.rmtree(job.folder, ignore_errors=True)
    (job.folder / "kept").mkdir(parents=True)
    (job.folder / "sarif").mkdir()
    planned = plan(job)
    (job.folder / "plan.json").write_text(json.dumps(planned))
    whose = f"{job.environ['GITHUB_WORKFLOW']} {job.environ['GITHUB_JOB']}".encode()
    audits = any(run.name == "audit" for run in planned.runs)
    job.output(
        {
            "lock": f"{planned.lock}-{_hash(planned.file.read_bytes())}",
            "save": said(job.event in _SAVING),
            "audit": _hash(whose) if audits else "",
            "upload": said(job.given("upload-sarif") == "true" and not _is_from_fork(job)),
            "artifact": f"keywatch-{job.environ['GITHUB_JOB']}-{secrets.token_hex(4)}",
            **_head(job),
        },
    )


def plan(job: Job) -> Plan:
    """Decide what the job runs. Raises RefusedError if it must not run."""
    _refuse(job)
    mode = job.given("mode")
    if mode not in {*VERBS, "all"}:
        raise RefusedError(f"mode: {mode!r} is unknown; use {', '.join(VERBS)} or all")
    verbs = VERBS.values() if mode == "all" else [VERBS[mode]]
    runs = [run for verb in verbs for run in verb(job)]
    scans_alone = all(run.verb == "scan" for run in runs)
    return Plan(runs, "scan" if scans_alone else "audit")


def _refuse(job: Job) -> None:
    if job.environ.get("RUNNER_OS") == "Windows":
        raise RefusedError(
            "the action runs only on Linux and macOS; on Windows, run"
            f" `pip install {project.requirement()}`, then `keywatch scan`"
        )
    if job.event == "pull_request_target":
        raise RefusedError(
            "on `pull_request_target`, a stranger's files would be read with the repository's"
            " rights; use `pull_request` instead"
        )
    if job.event not in _PLAIN:
        refuse_another_commit(job)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _is_from_fork(job: Job) -> bool:
    """Whether this is a pull request from another repository. Its token cannot write anything."""
    theirs = job.said("pull_request", "head", "repo", "full_name")
    return job.event == "pull_request" and theirs != job.said("repository", "full_name")


def _head(job: Job) -> dict[str, str]:
    """The head of a pull request: line numbers refer to it, and not to GitHub's merge commit."""
    if job.event != "pull_request":
        return {}
    number = re.search(r"^refs/pull/([0-9]+)/merge$", job.environ["GITHUB_REF"])
    if not number:
        return {}
    return {"ref": f"refs/pull/{number[1]}/head", "sha": job.commit("pull_request", "head", "sha")}
