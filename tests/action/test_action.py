"""The GitHub Action as workflows run it: by `act`, on real repositories, in each mode and event."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import git, leak, repository, write_files
from tests.support.repositories import allowed
from tests.support.workflows import Ran, WorkflowRunner, head

WORKFLOW = """\
on:
  [push, pull_request, pull_request_target, merge_group, schedule, workflow_dispatch, workflow_run]
jobs:
  sec-ci:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - run: %s
      - uses: example/keywatch@v0.1.0
        id: keywatch
        with: %s
"""
UPLOAD, ARTIFACT = "github/codeql-action/upload-sarif", "actions/upload-artifact"
SAVE = "actions/cache/save"
TOKEN = "github-personal-access-token"


class Forge:
    """A repository of a forge, whose workflow uses the action, with a leak on main from before."""

    def __init__(self, root: Path, workflow_runner: WorkflowRunner) -> None:
        self.root = repository(root)
        self._workshop = workflow_runner
        self.given()
        self.commit({"old.py": leak(1)})

    def given(self, *, before: str = "true", **inputs: str) -> None:
        """The action's inputs from now on, and what the step before it runs."""
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        text = WORKFLOW % (json.dumps(before), json.dumps(named))
        write_files(self.root, {".github/workflows/ci.yml": text})

    def commit(self, files: Mapping[str, str | bytes]) -> str:
        write_files(self.root, files)
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", "change")
        return head(self.root)

    def pull(self, files: Mapping[str, str | bytes]) -> dict[str, Any]:
        """The event of a pull request with these files, its merge with a newer main checked out."""
        base = head(self.root)
        git(self.root, "checkout", "--quiet", "-b", "pull")
        theirs = self.commit(files)
        git(self.root, "checkout", "--quiet", "main")
        self.commit({"newer.py": leak(2)})
        git(self.root, "checkout", "--quiet", "--detach")
        git(self.root, "merge", "--quiet", "--no-edit", "pull")
        return event(base, theirs)

    def run(self, name: str, payload: Mapping[str, Any] | None = None, **variables: str) -> Ran:
        return self._workshop.run(self.root, name, payload or {}, **variables)


def event(base: str, theirs: str, *, fork: str = "us/app") -> dict[str, Any]:
    return {
        "number": 7,
        "repository": {"full_name": "us/app", "default_branch": "main"},
        "pull_request": {
            "number": 7,
            "base": {"sha": base, "ref": "main"},
            "head": {"sha": theirs, "ref": "pull", "repo": {"full_name": fork}},
        },
    }


@pytest.fixture
def forge(tmp_path: Path, workflow_runner: WorkflowRunner) -> Forge:
    return Forge(tmp_path / "app", workflow_runner)


def test_a_push_is_judged_by_all_that_is_there(forge: Forge) -> None:
    ran = forge.run("push")
    assert ran.code == 1
    assert ran.results("scan") == [(TOKEN, "old.py")]
    assert ran.categories() == ["keywatch/scan/"]
    assert [place for place, _ in ran.commands("error")] == ["old.py"]
    assert "# keywatch: ✗ 1 finding" in ran.summary
    outputs = ran.outputs
    assert Path(outputs.pop("sarif-file")).name == "keywatch-scan.sarif"
    assert outputs == {
        "findings": "1",
        "new-findings": "1",
        "gaps": "0",
        "complete": "true",
        "exit-code": "1",
    }
    assert (ran.used.count(SAVE), ARTIFACT in ran.used) == (1, False)
    assert ran.of(SAVE)["key"].startswith("keywatch-pip-Linux-X64-scan-")
    assert leak(1)[9:-2] not in json.dumps(ran.log)


def test_a_pull_request_fails_for_what_it_adds_alone(forge: Forge) -> None:
    ran = forge.run("pull_request", forge.pull({"src/new.py": leak(3)}))
    assert (ran.code, ran.outputs["new-findings"]) == (1, "1")
    assert ran.results("scan") == [(TOKEN, "src/new.py")]
    given = ran.of(UPLOAD)
    assert (given["ref"], given["sha"]) == ("refs/pull/7/head", head(forge.root, "pull"))
    assert SAVE not in ran.used  # the next run of main would take it


def test_a_pull_request_that_adds_nothing_passes_whatever_main_holds(forge: Forge) -> None:
    ran = forge.run("pull_request", forge.pull({"src/new.py": "x = 1\n"}))
    assert (ran.code, ran.outputs["findings"], ran.outputs["exit-code"]) == (0, "0", "0")
    assert ran.results("scan") == []


def test_a_pull_request_is_judged_by_the_policy_that_it_comes_from(forge: Forge) -> None:
    loosened = {
        "src/new.py": allowed(leak(3)),
        "keywatch.yaml": "version: 1\nscan: {exclude: ['src/**']}\n",
    }
    ran = forge.run("pull_request", forge.pull(loosened))
    assert ran.code == 1
    assert {rule for rule, _ in ran.results("scan")} == {TOKEN, "policy-weakened"}


def test_a_policy_or_baseline_that_an_input_names_is_that_of_the_base_too(forge: Forge) -> None:
    forge.given(config="ci/policy.yaml", baseline="ci/debt")
    forge.commit({"ci/policy.yaml": "version: 1\n"})
    loosened = {
        "ci/policy.yaml": "version: 1\nscan: {exclude: ['src/**']}\n",
        "ci/debt": '{"version": 1, "entries": []}',
        "src/new.py": leak(3),
    }
    ran = forge.run("pull_request", forge.pull(loosened))
    assert (TOKEN, "src/new.py") in ran.results("scan")


def test_a_fork_gets_a_summary_and_an_artifact(forge: Forge) -> None:
    payload = forge.pull({"src/new.py": leak(3)})
    payload["pull_request"]["head"]["repo"]["full_name"] = "stranger/app"
    ran = forge.run("pull_request", payload)
    assert (ran.code, UPLOAD in ran.used) == (1, False)
    assert ran.results("scan", "artifact") == [(TOKEN, "src/new.py")]
    assert "1 finding" in ran.summary


def test_a_fork_that_is_gone_is_one_still(forge: Forge) -> None:
    payload = forge.pull({"src/new.py": "x = 1\n"})
    payload["pull_request"]["head"]["repo"] = None
    ran = forge.run("pull_request", payload)
    assert (ran.code, ran.used[-1]) == (0, ARTIFACT)


def test_without_the_permission_to_upload_the_report_is_an_artifact_and_the_job_fails(
    forge: Forge,
) -> None:
    forge.given(paths="start.txt")
    write_files(forge.root.parent / "stand-in", {"not-uploaded": ""})
    ran = forge.run("push")
    assert (ran.code, ran.outputs["exit-code"]) == (1, "3")
    assert ran.results("scan", "artifact") == []
    ((_, words),) = ran.commands("error")
    assert "security-events: write" in words
    assert ran.of(ARTIFACT)["name"] in words


def test_what_is_not_to_be_uploaded_is_an_artifact(forge: Forge) -> None:
    forge.given(upload_sarif="false")
    ran = forge.run("push")
    assert (ran.code, UPLOAD in ran.used, ran.used[-1]) == (1, False, ARTIFACT)


def test_a_merge_group_is_judged_by_what_it_adds(forge: Forge) -> None:
    base, theirs = head(forge.root), forge.commit({"src/new.py": leak(3)})
    group = {"merge_group": {"base_sha": base, "head_sha": theirs}}
    assert forge.run("merge_group", group).results("scan") == [(TOKEN, "src/new.py")]


def test_history_is_a_scan_of_its_own(forge: Forge) -> None:
    git(forge.root, "rm", "--quiet", "old.py")
    forge.commit({})
    forge.given(history="all")
    ran = forge.run("schedule")
    assert (ran.code, ran.results("scan")) == (1, [])
    assert ran.results("history") == [(TOKEN, "old.py")]
    assert ran.categories() == ["keywatch/history/", "keywatch/scan/"]
    assert len(ran.outputs["sarif-file"].splitlines()) == 2
    forge.given(history="1")
    assert forge.run("schedule").results("history") == []


def test_a_shallow_clone_is_told_what_to_fetch(forge: Forge) -> None:
    payload = forge.pull({"src/new.py": leak(3)})
    forge.given(before=f"rm -r .git; git clone -q --depth=1 file://{forge.root} s; mv s/.git .")
    ran = forge.run("pull_request", payload)
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["complete"]) == (1, "2", "false")
    assert "fetch-depth: 0" in ran.text


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run"])
def test_no_pull_request_is_read_with_the_repositorys_rights(forge: Forge, event: str) -> None:
    payload = forge.pull({"src/new.py": leak(3)})
    forge.given(before="git checkout -q pull")
    ran = forge.run(event, payload)
    assert (ran.code, ran.outputs["exit-code"]) == (1, "2")
    assert f"`{event}`" in ran.commands("error")[0][1]
    assert ran.used[-1] == "actions/setup-python"


def test_a_run_after_another_one_may_scan_the_commit_that_it_is_for(forge: Forge) -> None:
    assert forge.run("workflow_run").results("scan") == [(TOKEN, "old.py")]


def test_nothing_of_the_checkout_runs_or_steers_the_installation(forge: Forge) -> None:
    mark = forge.root.parent / "ran"
    runs = f"open({str(mark)!r}, 'w').close()\n"
    planted = ("sitecustomize.py", "usercustomize.py", "yaml.py", "scanner/__init__.py", "json.py")
    forge.commit(dict.fromkeys(planted, runs) | {"pip.conf": "[global]\nno-index = true\n"})
    forge.given(paths="old.py")
    here = str(forge.root)
    ran = forge.run(
        "push",
        PYTHONPATH=here,
        PYTHONSTARTUP=f"{here}/yaml.py",
        PIP_CONFIG_FILE=f"{here}/pip.conf",
        PIP_INDEX_URL="https://packages.example.org/simple",
    )
    assert ran.results("scan") == [(TOKEN, "old.py")]
    assert not mark.exists()
    argv, environ, cwd = json.loads((ran.folder / "pip.json").read_text())
    assert {"--isolated", "--require-hashes", "--only-binary=:all:"} < {*argv}
    assert {name for name in environ if name.startswith(("PIP_", "PYTHON"))} == {"PIP_CONFIG_FILE"}
    assert environ["PIP_CONFIG_FILE"] == os.devnull
    assert not cwd.startswith(here)


def test_names_and_inputs_are_never_commands(forge: Forge) -> None:
    mark = forge.root.parent / "ran"
    name = f"a $(touch {mark}) `touch {mark}`\n::set-output name=exit-code::0\n::error::gotcha.py"
    forge.commit({name.replace("/", "_"): leak(3)})
    assert forge.run("push").results("scan")[0][0] == TOKEN
    forge.given(
        paths=f"$(touch {mark})\n; touch {mark}\n::set-output name=complete::true",
        fail_on='low"; touch ' + str(mark),
    )
    ran = forge.run("push")
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["complete"]) == (1, "2", "false")
    assert not mark.exists()
    assert [words for _, words in ran.commands("error") if words == "gotcha.py"] == []
