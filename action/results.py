"""The action: runs keywatch and publishes the results on GitHub."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from action.job import Job, error, said
from action.plan import Plan
from action.verbs import Run

_SUMMARY = 1_000_000  # bytes in a job summary; GitHub's limit is 1 MiB
_GRAVEST = (130, 4, 2, 1, 3, 0)  # exit codes of keywatch, the most serious first
_DEBT = frozenset({"baseline", "detect-secrets-baseline"})


class Result(NamedTuple):
    """The result of one run. `report` is the JSON report, {} if there is none."""

    code: int
    report: Mapping[str, Any]
    sarif: str

    @property
    def new(self) -> int:
        return len(self.report.get("findings", ()))

    @property
    def known(self) -> int:
        hidden = self.report.get("suppressed", ())
        return sum(each["suppression"]["by"] in _DEBT for each in hidden)


def run(job: Job) -> None:
    """The step `run`: run keywatch as planned, and write the outputs of the step."""
    results = [_result(job, run) for run in Plan.of(job).runs]
    known = sum(result.known for result in results)
    new = sum(result.new for result in results)
    job.output(
        {
            "findings": str(known + new),
            "new-findings": str(new),
            "gaps": str(sum(len(result.report.get("gaps", ())) for result in results)),
            "complete": said(all(result.report.get("complete") for result in results)),
            "sarif-file": "\n".join(result.sarif for result in results if result.sarif),
            "exit-code": str(min((result.code for result in results), key=_GRAVEST.index)),
        },
    )


def _result(job: Job, run: Run) -> Result:
    """Run keywatch in the checkout. Print its terminal report with workflow commands switched off,
    then print the annotations."""
    files = {each: job.folder / f"{run.name}.{each}" for each in ("json", "markdown", "github")}
    files["sarif"] = job.folder / "sarif" / f"keywatch-{run.name}.sarif"
    reports = [f"--report={name}={path}" for name, path in files.items()]
    verb, *more = run.arguments
    argv = [job.python, "-I", "-m", "scanner", verb, *reports, "--report=terminal=-", *more]
    mark = secrets.token_hex(16)
    print(f"::stop-commands::{mark}", flush=True)
    code = subprocess.run(
        argv, cwd=job.environ["GITHUB_WORKSPACE"], stderr=subprocess.STDOUT, check=False
    ).returncode
    print(f"\n::{mark}::", flush=True)
    print(_read(files["github"]), end="", flush=True)
    summarize(job, _read(files["markdown"]))
    if not files["json"].exists():
        error(
            f"`keywatch {verb}` ended with exit code {code} and wrote no report; see the log above"
        )
    if run.name == "audit" and files["sarif"].exists():
        shutil.copy(files["sarif"], job.folder / "kept" / "audit.sarif")
    return Result(
        code=code if code in _GRAVEST else 4,
        report=json.loads(_read(files["json"]) or "{}"),
        sarif=str(files["sarif"]) if files["sarif"].exists() else "",
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def summarize(job: Job, text: str) -> None:
    """Add text to the job summary. Text over the limit is cut at the end of a line."""
    data = text.encode()
    if len(data) > _SUMMARY:
        whole = data[:_SUMMARY].rpartition(b"\n")[0]
        data = whole + b"\n\nThe rest is too long for this page. The SARIF report is complete.\n"
    with open(job.environ["GITHUB_STEP_SUMMARY"], "ab") as page:
        page.write(data + b"\n")


def conclude(job: Job) -> int:
    """The exit code of the job. If a report was not delivered, exit code 0 becomes 3."""
    code = int(job.environ.get("EXIT_CODE") or 3)  # nothing ran; the failed step says why
    if job.environ.get("UPLOADED") == "failure":
        error(
            "the SARIF report could not be uploaded to code scanning. The job needs `permissions:"
            " security-events: write`, and a private repository must have code scanning enabled."
            f" The report is in the artifact {job.environ['ARTIFACT']}"
        )
        code = code or 3
    if job.environ.get("STORED") == "failure":
        error("the artifact with the SARIF report could not be stored")
        code = code or 3
    job.output({"exit-code": str(code)})
    return code
