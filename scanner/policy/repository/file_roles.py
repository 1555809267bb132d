"""Policy: recognize CI files, scripts, manifests and hooks by their paths."""

from __future__ import annotations

import re

from scanner.file_types import endings

_YAML, _SHELL = endings("yaml"), endings("shell")
_CI = re.compile(
    r"(?:^|/)(?:\.github/(?:workflows|actions)/.+\.ya?ml|\.gitlab-ci\.ya?ml|\.gitlab/.+\.ya?ml|"
    r"Jenkinsfile[^/]*|\.circleci/config\.ya?ml|\.?azure-pipelines(?:/.+|[^/]*)\.ya?ml|"
    r"bitbucket-pipelines\.ya?ml|\.drone\.ya?ml|\.woodpecker(?:/.+)?\.ya?ml|"
    r"\.buildkite/.+\.(?:ya?ml|sh)|\.travis\.ya?ml|\.tekton/.+\.ya?ml|cloudbuild\.ya?ml|"
    r"\.forgejo/workflows/.+\.ya?ml|\.gitea/workflows/.+\.ya?ml|\.ci/.+)\Z"
)
_ROTATES = re.compile(r"rotat|renew|rekey|rollover|(?:^|/)cron(?:tab|\.d/)", re.IGNORECASE)
_PROSE = re.compile(
    r"\.(?:md|mdx|rst|adoc|txt|html?|log|jsonl?|csv|lock|svg|png|jpe?g|pdf|hcl|tf|tfvars)\Z",
    re.IGNORECASE,
)
_TASKS = re.compile(
    r"(?:^|/)(?:Makefile|justfile|Taskfile\.ya?ml|tox\.ini|noxfile\.py|package\.json)\Z"
)
_RUNNERS = {"make", "just", "task", "tox", "nox", "npm", "yarn", "pnpm"}
_FROM_ROOT = re.compile(r"\A(?:\./|\$\{?\w+\}?/)+")
_HOOKS = re.compile(
    r"(?:^|/)(?:\.husky|\.?githooks|\.?hooks|\.?git-hooks)/pre-commit\Z|"
    r"^(?:\.?lefthook\.ya?ml|package\.json|\.overcommit\.yml)\Z"
)


def is_declaration(path: str) -> bool:
    """A file that declares secrets, in the format of configs/secrets."""
    return path.startswith("configs/secrets/") and path.endswith(_YAML)


def is_ci(path: str) -> bool:
    return _CI.search(path) is not None


def rotates_by_name(path: str) -> bool:
    """A file whose name mentions rotation, and that is not documentation or data."""
    return bool(_ROTATES.search(path)) and not _PROSE.search(path)


def is_script(path: str) -> bool:
    return path.endswith(_SHELL)


def is_manifest(path: str) -> bool:
    return path.endswith(_YAML)


def is_terraform(path: str) -> bool:
    return path.endswith(".tf")


def is_hook(path: str) -> bool:
    """A file in which a hook manager other than pre-commit keeps its hooks."""
    return _HOOKS.search(path) is not None


def run_by(words: frozenset[str], paths: frozenset[str]) -> frozenset[str]:
    """The files that CI jobs run, given the words of their commands.

    These are the files that a word names, and the files of task runners such as a Makefile.
    """
    named = {_FROM_ROOT.sub("", word.strip("{},;")) for word in words}
    tasks = {path for path in paths if _TASKS.search(path)} if words & _RUNNERS else set()
    return frozenset(tasks | {path for path in named & paths if not _PROSE.search(path)})
