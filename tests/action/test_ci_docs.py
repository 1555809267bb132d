"""What README.md and docs/ci.md give to paste: it is valid, and what it runs does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.helpers import git, leak, repository, write_files
from tests.support.workflows import ROOT, head

BIN = Path(sys.executable).parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def named(name: str) -> str:
    """The block of docs/ci.md that a first line gives this name."""
    start = f"# {name}\n"
    (text,) = [each for each in blocks(DOCS, "yaml") if each.startswith(start)]
    return text


def test_a_workflow_takes_at_most_12_lines_and_a_hook_4() -> None:
    assert len(named(".github/workflows/sec-ci.yml").splitlines()) <= 12
    hooks = [each for each in blocks(README, "yaml") if "- repo:" in each]
    assert {len(each.splitlines()) for each in hooks} == {4}


@pytest.mark.parametrize("name", ["sec-ci", "nightly-audit"])
def test_a_workflow_is_the_same_in_both(name: str) -> None:
    file = f".github/workflows/{name}.yml"
    assert named(file).replace(" # better: its commit", "") in blocks(README, "yaml")


def test_the_readmes_hooks_are_hooks_of_this_repository(tmp_path: Path) -> None:
    ours = {each["id"] for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_bytes())}
    hooks = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    for text in (each for each in blocks(README + hooks, "yaml") if "- repo:" in each):
        file = write_files(tmp_path, {"config.yaml": text}) / "config.yaml"
        check = [str(BIN / "pre-commit"), "validate-config", str(file)]
        assert subprocess.run(check, capture_output=True, check=False).returncode == 0, text
        (repo,) = yaml.safe_load(text)["repos"]
        assert {each["id"] for each in repo["hooks"]} <= ours


@pytest.mark.parametrize("name", ["sec-ci", "nightly-audit"])
def test_a_documented_workflow_passes_the_linters(name: str, tmp_path: Path) -> None:
    file = f".github/workflows/{name}.yml"
    root = repository(tmp_path / "app")
    write_files(root, {file: named(file)})
    schema = ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", file]
    for linter in (schema, ["actionlint", file]):
        done = subprocess.run(
            [str(BIN / linter[0]), *linter[1:]], cwd=root, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("name", ["sec-ci", "nightly-audit"])
def test_our_own_workflow_grants_what_the_documented_one_does(name: str) -> None:
    file = f".github/workflows/{name}.yml"
    texts = ((ROOT / file).read_text(), named(file))
    (ours,), (theirs,) = (yaml.safe_load(text)["jobs"].values() for text in texts)
    assert ours["permissions"] == theirs["permissions"]
    assert ours.get("environment") == theirs.get("environment")


def test_the_template_for_gitlab_fits_its_schema(tmp_path: Path) -> None:
    write_files(tmp_path, {".gitlab-ci.yml": named(".gitlab-ci.yml")})
    check = [
        str(BIN / "check-jsonschema"),
        "--builtin-schema",
        "vendor.gitlab-ci",
        ".gitlab-ci.yml",
    ]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.fixture
def pull(tmp_path: Path) -> Path:
    """A clone with a branch checked out, which adds a leak to those of its base."""
    origin = repository(tmp_path / "origin")
    write_files(origin, {"old.py": leak(1)})
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "-m", "old")
    git(tmp_path, "clone", "--quiet", str(origin), "app")
    root = tmp_path / "app"
    write_files(root, {"src/new.py": leak(2)})
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "new")
    return root


def run(script: str, root: Path, **variables: str) -> tuple[int, str]:
    """A script of a job, with the Python of the tests for the one that it installed."""
    script = re.sub(r'"?[^\s"]*/keywatch/bin/python"?', sys.executable, script)
    script = "".join(line for line in script.splitlines(True) if " -m pip" not in line)
    done = subprocess.run(
        ["sh", "-ec", script.replace("python -I -m venv", "true")],
        cwd=root,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_job_for_gitlab_judges_a_merge_request_by_what_it_adds(pull: Path) -> None:
    *_, script = yaml.safe_load(named(".gitlab-ci.yml"))["keywatch"]["script"]
    code, out = run(script, pull)
    assert (code, "old.py" in out, "src/new.py" in out) == (1, True, True)
    ends = {
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": head(pull, "HEAD~1"),
        "CI_COMMIT_SHA": head(pull),
    }
    code, out = run(script, pull, **ends)
    assert (code, "old.py" in out, "src/new.py" in out) == (1, False, True)
    assert (pull / "gl-secret-detection-report.json").exists()


def test_the_audit_for_gitlab_keeps_its_state_from_the_first_night(pull: Path) -> None:
    operator = pull.parent / "operator.yaml"
    operator.write_text(
        "backends:\n"
        '  prod: {kind: vault, address: "http://127.0.0.1:9", auth: {method: token, env: T}}\n'
    )
    script = "\n".join(yaml.safe_load(named(".gitlab-ci.yml"))["keywatch-audit"]["script"])
    code, out = run(script, pull, KEYWATCH_OPERATOR=str(operator), T="made up")
    assert (code, "unreachable" in out) == (3, True)
    assert {each.name for each in (pull / "kept").iterdir()} == {"audit.state", "audit.sarif"}


def test_the_job_for_jenkins_judges_a_change_by_what_it_adds(pull: Path) -> None:
    (script,) = re.findall(r"sh '''\n(.*?)'''", DOCS, re.DOTALL)
    code, out = run(script, pull, CHANGE_TARGET="main", WORKSPACE_TMP=str(pull.parent))
    assert (code, "old.py" in out, "src/new.py" in out) == (1, False, True)
    assert (pull / "keywatch.xml").exists()


def test_the_lines_for_any_other_ci_do_as_they_say(pull: Path) -> None:
    *_, script = blocks(DOCS, "sh")
    (line,) = [each for each in script.splitlines() if "scanner" in each]
    assert run(line, pull)[0] == 1
    assert (pull / "keywatch.sarif").exists()
