"""The action: the runs of keywatch that a mode means for a job."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from action.job import Job, RefusedError

# Where an event says what it adds to what.
_ENDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pull_request": (("base", "sha"), ("head", "sha")),
    "merge_group": (("base_sha",), ("head_sha",)),
}


class Run(NamedTuple):
    """One run of keywatch: what it is called in file names, and its arguments."""

    name: str
    arguments: Sequence[str]

    @property
    def verb(self) -> str:
        return self.arguments[0]


def _scan(job: Job) -> Iterator[Run]:
    options = job.options("config", "baseline", "fail-on")
    if changed := _changed(job):
        yield Run("scan", ["scan", f"--diff={changed}", *options])
        return
    paths = [path for line in job.given("paths").splitlines() if (path := line.strip())]
    yield Run("scan", ["scan", *options, "--", *paths])
    if depth := job.given("history"):
        yield Run("history", ["scan", f"--history={_range(job, depth)}", *options])


def _changed(job: Job) -> str:
    """What a pull request adds, "" for another event. GitHub merges its head with a base that may
    be newer than what the event says: the head alone holds nothing but the request's commits."""
    ends = _ENDS.get(job.event, ())
    return "..".join(job.commit(job.event, *keys) for keys in ends)


def _range(job: Job, depth: str) -> str:
    if depth == "all":
        return ""
    if not re.fullmatch("[1-9][0-9]{0,8}", depth):
        raise RefusedError(f"history: {depth!r} is neither `all` nor a number of commits")
    start = f"HEAD~{depth}"
    return f"{start}..HEAD" if _resolved(job, start) else "HEAD"


def _audit(job: Job) -> Iterator[Run]:
    if not _is_of_default_branch(job):
        if job.given("mode") == "audit":
            raise RefusedError(
                "live secrets are audited on `schedule`, or on `workflow_dispatch` of the default"
                " branch: no other commit may speak to the stores"
            )
        print("The live audit is left to a schedule, or a dispatch of the default branch.")
        return
    refuse_another_commit(job)
    kept = job.folder / "kept"
    yield Run(
        "audit",
        [
            "audit",
            f"--operator={_operator(job)}",
            *job.options("fail-on"),
            f"--state={kept / 'audit.state'}",
            "--since-last",
            f"--carry-forward={kept / 'audit.sarif'}",
        ],
    )


def _is_of_default_branch(job: Job) -> bool:
    if job.event == "workflow_dispatch":
        branch = job.said("repository", "default_branch")
        return bool(branch) and job.environ["GITHUB_REF"] == f"refs/heads/{branch}"
    return job.event == "schedule"


def _operator(job: Job) -> str:
    """The operator's file: the input names it, or is its text, as a variable of the repository."""
    given = job.given("operator")
    if not given:
        raise RefusedError("no operator's file: give the input `operator`")
    if "\n" not in given:
        return given
    path = job.folder / "operator.yaml"
    path.write_text(given + "\n", encoding="utf-8")
    return str(path)


VERBS: Mapping[str, Callable[[Job], Iterator[Run]]] = {
    "scan": _scan,
    "audit": _audit,
}


def refuse_another_commit(job: Job) -> None:
    """A job with the repository's rights must have checked out the commit that it runs for."""
    if _resolved(job, "HEAD") != job.environ["GITHUB_SHA"]:
        raise RefusedError(
            f"on `{job.event}` the checkout must be the commit of the run, GITHUB_SHA, and no"
            " pull request's: scan those on `pull_request`"
        )


def _resolved(job: Job, name: str) -> str:
    """The commit of this name in the checkout; "" where there is none."""
    git = ["git", "-C", job.environ["GITHUB_WORKSPACE"], "rev-parse", "--quiet", "--verify"]
    done = subprocess.run([*git, f"{name}^{{commit}}"], capture_output=True, check=False)
    return done.stdout.decode().strip()
