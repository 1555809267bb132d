"""Policy: check that the repository has a scanning hook, a valid baseline and a CI job."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from scanner import document, project
from scanner.document import Document
from scanner.errors import ConfigError
from scanner.model import NOWHERE, Finding, Location
from scanner.policy.baselines import detect_secrets_baseline
from scanner.policy.baselines import keywatch_baseline as baseline
from scanner.policy.repository.commands import commands
from scanner.policy.repository.rules import NO_BASELINE, NO_CI, NO_HOOK, finding, nearest

PRE_COMMIT = ".pre-commit-config.yaml"
_WORKFLOW = ".github/workflows/secrets.yml"
_OURS = ("keywatch", "detect-secrets")
# keywatch hook, scanner scan, detect-secrets-hook, detect-secrets scan
_RUNS = r"\bkeywatch (?:hook|scan)\b|\bscanner (?:hook|scan)\b|\bdetect-secrets(?:-hook| scan)\b"
_RUNS_HOOK = re.compile(_RUNS)
_SCANS = re.compile(_RUNS + r"|/keywatch@|\bpre-commit run\b|\bpre-commit/action\b")
_ADD_HOOK = (
    f"add {project.REPOSITORY} with `hooks: [{{id: keywatch}}]` to its `repos:`, or run "
    "keywatch hook install if you do not use pre-commit"
)
_ADD_JOB = (
    f"add a step that runs: pip install {project.requirement()} && keywatch scan "
    "--report sarif=keywatch.sarif --require-complete"
)


class Hook(NamedTuple):
    """A hook that scans for secrets, and the baseline that it names ("" if none)."""

    location: Location
    baseline: str


def hook(pre_commit: str | None, others: Iterable[str]) -> Hook | Finding:
    """The hook in .pre-commit-config.yaml or in the files of other hook managers.

    A finding that says what to add if there is none.
    """
    problem = "does not exist"
    if pre_commit is not None:
        problem = "has no hook of keywatch or detect-secrets"
        try:
            found = next(_hooks(document.parse(pre_commit.encode(), PRE_COMMIT)), None)
        except ConfigError as error:
            found, problem = None, f"cannot be read ({error.why or error.what})"
        if found:
            return found
    if any(_says(text, _RUNS_HOOK) for text in others):
        return Hook(NOWHERE, "")
    return finding(
        NO_HOOK, Location.at(PRE_COMMIT, 1), f"{PRE_COMMIT} {problem}: {_ADD_HOOK}", "hook"
    )


def _hooks(parsed: Document) -> Iterator[Hook]:
    for i, repo in enumerate(_list(parsed.data, "repos")):
        for j, each in enumerate(_list(repo, "hooks")):
            words = [str(each.get("entry", "")), *map(str, _list(each, "args"))]
            if any(one in str(each.get("id")) or one in words[0] for one in _OURS):
                place = ("repos", i, "hooks", j, *(("args",) if "args" in each else ()))
                yield Hook(parsed.at(place), _baseline(" ".join(words).split()))


def _list(data: Any, key: str) -> list[dict[str, Any]]:
    """The dicts in a list (for `args`: all items). The file is not validated by a schema."""
    found = data.get(key) if isinstance(data, dict) else None
    items = found if isinstance(found, list) else []
    return [item for item in items if key == "args" or isinstance(item, dict)]


def _baseline(words: list[str]) -> str:
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word == "--baseline":
            return after
        if word.startswith("--baseline="):
            return word.partition("=")[2]
    return ""


def missing_baseline(one: Hook, paths: Collection[str]) -> Finding:
    near = nearest(one.baseline, [path for path in paths if "baseline" in path])
    detail = f"the hook names {one.baseline}, which does not exist{near}"
    return finding(NO_BASELINE, one.location, detail, one.baseline)


def broken_baseline(one: Hook, data: bytes) -> Finding | None:
    """A finding if the file is not a valid baseline of keywatch or detect-secrets."""
    try:
        if baseline.is_one(data):
            baseline.parse(data, one.baseline)
        else:
            detect_secrets_baseline.parse(json.loads(data), one.baseline)
    except ConfigError as error:
        problem = error.what
    except (ValueError, RecursionError):
        problem = "it is not JSON"
    else:
        return None
    detail = f"the hook names {one.baseline}, which is invalid: {problem}"
    return finding(NO_BASELINE, one.location, detail, one.baseline)


def scans(text: str) -> bool:
    """Whether a CI job, or a script that it runs, scans for secrets."""
    return _says(text, _SCANS)


def ci(jobs: Mapping[str, str], run: Iterable[str]) -> Finding | None:
    """A finding if no CI job scans for secrets.

    `jobs` are the texts of CI files by path, `run` the texts of the files that they run.
    """
    if any(map(scans, (*jobs.values(), *run))):
        return None
    location = Location.at(min(jobs, default=_WORKFLOW), 1)
    problem = "no CI job scans for secrets" if jobs else "there is no CI job"
    return finding(NO_CI, location, f"{problem}: {_ADD_JOB}", "ci")


def _says(text: str, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(" ".join(command.words)) for command in commands(text))
