"""The action: which commands of keywatch each mode runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from action.job import Job, RefusedError

# Where the payload of an event has its base commit and its head commit.
_ENDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pull_request": (("base", "sha"), ("head", "sha")),
    "merge_group": (("base_sha",), ("head_sha",)),
}


class Run(NamedTuple):
    """One run of keywatch: its name in file names, and its arguments."""

    name: str
    arguments: Sequence[str]

    @property
    def verb(self) -> str:
        return self.arguments[0]


def _scan(job: Job) -> Iterator[Run]:
    options = job.options("config", "baseline", "fail-on")
    if changed := _changed(job):
        yield Run("scan", ["scan", f"--diff={changed}", *job.options("approve"), *options])
        return
    paths = [path for line in job.given("paths").splitlines() if (path := line.strip())]
    yield Run("scan", ["scan", *options, "--", *paths])
    if depth := job.given("history"):
        yield Run("history", ["scan", f"--history={_range(job, depth)}", *options])


def _changed(job: Job) -> str:
    """The range of commits that a pull request or a merge group adds; "" for any other event.

    The range ends at the head and not at GitHub's merge commit, whose base may be newer than the
    one in the event.
    """
    ends = _ENDS.get(job.event, ())
    return "..".join(job.commit(job.event, *keys) for keys in ends)


def _range(job: Job, depth: str) -> str:
    if depth == "all":
        return ""
    if not re.fullmatch("[1-9][0-9]{0,8}", depth):
        raise RefusedError(f"history: {depth!r} is not a number of commits; use a number or `all`")
    start = f"HEAD~{depth}"
    return f"{start}..HEAD" if _resolved(job, start) else "HEAD"


def _audit(job: Job) -> Iterator[Run]:
    if not _is_of_default_branch(job):
        if job.given("mode") == "audit":
            raise RefusedError(
                "live secrets are audited only on `schedule`, or on `workflow_dispatch` of the"
                " default branch, because no other commit may contact the stores"
            )
        print(
            "Live secrets are not audited here, only on a schedule or a dispatch of the default"
            " branch."
        )
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
    """The path of the operator config. If the input is the text of one, write it to a file."""
    given = job.given("operator")
    if not given:
        raise RefusedError("the operator config is missing; set the input `operator`")
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
    """Raise RefusedError unless the checkout is the commit that the job runs for: the job has the
    repository's rights and must not read a stranger's files."""
    if _resolved(job, "HEAD") != job.environ["GITHUB_SHA"]:
        raise RefusedError(
            f"on `{job.event}`, the checkout must be the commit of the run (GITHUB_SHA) and not a"
            " pull request; scan pull requests on `pull_request`"
        )


def _resolved(job: Job, name: str) -> str:
    """The ID of the commit with this name in the checkout; "" if there is none."""
    git = ["git", "-C", job.environ["GITHUB_WORKSPACE"], "rev-parse", "--quiet", "--verify"]
    done = subprocess.run([*git, f"{name}^{{commit}}"], capture_output=True, check=False)
    return done.stdout.decode().strip()
