"""The steps of the action by themselves: what is planned, and what is answered to GitHub."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from action import results
from action.job import Job, RefusedError
from action.plan import plan
from action.run import main
from action.verbs import VERBS
from tests.support.forks import MEASURING
from tests.support.helpers import Keywatch, git, leak, repository, write_files
from tests.support.workflows import ROOT, head

ONE, TWO = "1" * 40, "2" * 64
ACTION = yaml.safe_load((ROOT / "action.yml").read_bytes())
PULL = {"base": {"sha": ONE}, "head": {"sha": TWO}}


def job(folder: Path, event: str = "push", payload: Any = None, /, **inputs: str) -> Job:
    """A job of this event, whose temporary folder is `folder`. Inputs as in action.yml."""
    defaults = {name: each["default"] for name, each in ACTION["inputs"].items()}
    given_ones = {name.replace("_", "-"): value for name, value in inputs.items()}
    (folder / "keywatch").mkdir(exist_ok=True)
    (folder / "event.json").write_text(json.dumps(payload))
    environ = {
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_JOB": "sec-ci",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": ONE,
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_WORKFLOW": "SEC-CI",
        "GITHUB_WORKSPACE": str(folder),
        "INPUTS": json.dumps(defaults | given_ones),
        "RUNNER_TEMP": str(folder),
    }
    return Job.of(environ)


def runs(of: Job) -> dict[str, list[str]]:
    return {run.name: list(run.arguments) for run in plan(of).runs}


def outputs(folder: Path) -> dict[str, str]:
    """As GitHub reads them: NAME<<END, the value, END."""
    found, lines = {}, iter((folder / "output").read_text().splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        found[name] = "\n".join(itertools.takewhile(end.__ne__, lines))
    return found


def test_each_option_of_keywatch_comes_from_the_input_of_its_name(tmp_path: Path) -> None:
    given_ones = {"config": "a b.yaml", "baseline": "debt", "fail_on": "high", "paths": " a \n\nb"}
    assert runs(job(tmp_path, "push", None, **given_ones)) == {
        "scan": [
            *("scan", "--config=a b.yaml", "--baseline=debt", "--fail-on=high"),
            *("--", "a", "b"),
        ]
    }


def test_a_pull_request_is_its_own_commits_whatever_the_inputs(tmp_path: Path) -> None:
    asked = job(tmp_path, "pull_request", {"pull_request": PULL}, paths="a", history="all")
    assert runs(asked) == {"scan": ["scan", f"--diff={ONE}..{TWO}"]}


@pytest.mark.parametrize(
    ("event", "whose", "ref", "told"),
    [
        ("push", "us/app", "refs/heads/main", ("true", "true", "", "")),
        ("pull_request", "us/app", "refs/pull/7/merge", ("false", "true", "refs/pull/7/head", TWO)),
        (
            "pull_request",
            "a/fork",
            "refs/pull/7/merge",
            ("false", "false", "refs/pull/7/head", TWO),
        ),
        ("pull_request", "us/app", "refs/heads/main", ("false", "true", "", "")),
    ],
)
def test_the_steps_to_come_are_told_what_to_save_and_to_upload(
    tmp_path: Path, event: str, whose: str, ref: str, told: tuple[str, ...]
) -> None:
    theirs = {"base": {"sha": ONE}, "head": {"sha": TWO, "repo": {"full_name": whose}}}
    payload = {"repository": {"full_name": "us/app"}, "pull_request": theirs}
    asked = job(tmp_path, event, payload)
    assert main("plan", {**asked.environ, "GITHUB_REF": ref}) == 0
    found = outputs(tmp_path)
    assert tuple(found.get(name, "") for name in ("save", "upload", "ref", "sha")) == told


def test_an_audit_is_left_to_the_default_branch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = {"repository": {"default_branch": "trunk"}}
    for event in ("push", "workflow_dispatch", "pull_request"):
        with pytest.raises(RefusedError, match="audited only on `schedule`"):
            plan(job(tmp_path, event, here, mode="audit"))
        payload = {**here, "pull_request": PULL}
        assert [*runs(job(tmp_path, event, payload, mode="all"))] == ["scan"]
        assert "only on a schedule" in capsys.readouterr().out


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment"])
def test_an_event_that_a_stranger_can_cause_is_refused(tmp_path: Path, event: str) -> None:
    repository(tmp_path / "app")
    asked = job(tmp_path, event)
    with pytest.raises(RefusedError, match=event):
        plan(asked._replace(environ={**asked.environ, "GITHUB_WORKSPACE": str(tmp_path / "app")}))


@pytest.mark.parametrize("mode", ["", "Scan", "scan\naudit", "rotate"])
def test_an_unknown_mode_is_refused_with_those_there_are(tmp_path: Path, mode: str) -> None:
    with pytest.raises(RefusedError, match="use scan, audit or all"):
        plan(job(tmp_path, "push", None, mode=mode))


def test_the_description_of_the_mode_names_each_verb() -> None:
    words = ACTION["inputs"]["mode"]["description"]
    assert all(f"{mode}: " in words for mode in (*VERBS, "all"))


@pytest.mark.parametrize("depth", ["-1", "0", "1e3", "HEAD", "all ..", "5; x", "²"])
def test_a_depth_of_history_is_a_number(tmp_path: Path, depth: str) -> None:
    with pytest.raises(RefusedError, match="history"):
        plan(job(tmp_path, "push", None, history=depth))


def test_a_history_shorter_than_its_depth_is_read_as_a_whole(tmp_path: Path) -> None:
    root = repository(tmp_path / "app")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "second")
    for depth, said in (("1", "HEAD~1..HEAD"), ("2", "HEAD"), ("all", "")):
        asked = job(tmp_path, "push", None, history=depth)
        asked = asked._replace(environ={**asked.environ, "GITHUB_WORKSPACE": str(root)})
        assert runs(asked)["history"] == ["scan", f"--history={said}"]


def test_an_operators_file_is_a_path_or_a_text(tmp_path: Path) -> None:
    root = repository(tmp_path / "app")
    for said, file in (("../operator.yaml", "../operator.yaml"), ("a:\n  b: {}", "")):
        asked = job(tmp_path, "schedule", None, mode="audit", operator=said)
        here = {"GITHUB_WORKSPACE": str(root), "GITHUB_SHA": head(root)}
        arguments = runs(asked._replace(environ={**asked.environ, **here}))["audit"]
        written = tmp_path / "keywatch" / "operator.yaml"
        assert arguments[1] == f"--operator={file or written}"
        assert file or written.read_text() == "a:\n  b: {}\n"


def test_an_audit_without_an_operators_file_is_refused(tmp_path: Path) -> None:
    root = repository(tmp_path / "app")
    asked = job(tmp_path, "schedule", None, mode="audit")
    here = {"GITHUB_WORKSPACE": str(root), "GITHUB_SHA": head(root)}
    with pytest.raises(RefusedError, match="set the input `operator`"):
        plan(asked._replace(environ={**asked.environ, **here}))


def test_an_audit_speaks_to_the_stores_for_its_own_commit_alone(tmp_path: Path) -> None:
    repository(tmp_path / "app")
    asked = job(tmp_path, "schedule", None, mode="audit", operator="x")
    here = {"GITHUB_WORKSPACE": str(tmp_path / "app")}
    with pytest.raises(RefusedError, match="GITHUB_SHA"):
        plan(asked._replace(environ={**asked.environ, **here}))


@pytest.mark.parametrize(
    "payload",
    [None, [], {}, {"pull_request": 5}, {"pull_request": {"base": {"sha": "HEAD"}, "head": {}}}],
)
def test_a_pull_request_without_commits_is_refused(tmp_path: Path, payload: Any) -> None:
    with pytest.raises(RefusedError, match="names no commit as pull_request"):
        plan(job(tmp_path, "pull_request", payload))


@given(
    sha=st.one_of(st.text(), st.from_regex(r"[0-9a-f]{40}\n.*"), st.integers(), st.lists(st.text()))
)
def test_nothing_but_a_commits_id_gets_into_a_command(sha: Any) -> None:
    payload = {"pull_request": {"base": {"sha": sha}, "head": {"sha": ONE}}}
    environ = {"GITHUB_EVENT_NAME": "pull_request"}
    with pytest.raises(RefusedError):
        plan(Job(environ, payload, {"mode": "scan"}))


def test_a_runner_without_a_posix_shell_is_told(tmp_path: Path) -> None:
    asked = job(tmp_path)
    with pytest.raises(RefusedError, match="Linux and macOS"):
        plan(asked._replace(environ={**asked.environ, "RUNNER_OS": "Windows"}))


def test_an_event_that_is_no_json_says_nothing(tmp_path: Path) -> None:
    asked = job(tmp_path)
    (tmp_path / "event.json").write_text("{" * 100_000)
    assert Job.of(asked.environ).payload is None


def test_a_refusal_is_one_annotation_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = job(tmp_path, "push", None, mode="a\r\n::set-output name=x::100%")
    assert main("plan", asked.environ) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::error title=keywatch::mode: 'a\\r\\n::set-output name=x::100%25'")
    assert outputs(tmp_path) == {"exit-code": "2"}


def test_an_installation_that_fails_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = job(tmp_path)
    (tmp_path / "keywatch" / "plan.json").write_text('[[], "scan"]')
    (tmp_path / "keywatch" / "venv").write_text("in the way")
    assert main("install", asked.environ) == 3
    assert "::error title=keywatch::the installation failed" in capsys.readouterr().out


@pytest.fixture
def pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A push of a repository with a leak, planned, and installed as the tests are."""
    monkeypatch.delenv(MEASURING, raising=False)  # what the command itself does, others measure
    root = repository(tmp_path / "app")
    write_files(root, {"app.py": leak(), "debt.py": leak(2)})
    asked = job(tmp_path, mode="scan", paths="app.py")
    ready = asked._replace(environ={**asked.environ, "GITHUB_WORKSPACE": str(root)})
    assert main("plan", ready.environ) == 0
    (ready.folder / "venv").symlink_to(sys.prefix)
    return ready


def test_a_run_answers_in_all_the_places_that_github_shows(
    pushed: Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main("run", pushed.environ) == 0
    shown = capfd.readouterr().out
    mark = shown.splitlines()[0].removeprefix("::stop-commands::")
    guarded, obeyed = shown.split(f"\n::{mark}::\n")
    assert "app.py:1:10" in guarded
    assert obeyed.startswith("::error file=app.py,line=1,")
    assert "# keywatch: ✗ 1 finding" in (tmp_path / "summary").read_text()
    sarif = str(pushed.folder / "sarif" / "keywatch-scan.sarif")
    assert outputs(tmp_path).items() >= {"new-findings": "1", "sarif-file": sarif}.items()


def test_findings_of_a_baseline_are_not_new(
    pushed: Job, tmp_path: Path, keywatch: Keywatch
) -> None:
    assert keywatch("baseline", "create", cwd=tmp_path / "app").returncode == 0
    main("run", pushed.environ)
    assert outputs(tmp_path).items() >= {"findings": "1", "new-findings": "0"}.items()


def test_a_run_without_a_report_is_told(
    pushed: Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = [["scan", ["scan", "--no-such-option"]], ["history", ["scan", "--", "app.py"]]]
    (pushed.folder / "plan.json").write_text(json.dumps([runs, "scan"]))
    assert main("run", pushed.environ) == 0
    assert (
        "::error title=keywatch::`keywatch scan` ended with exit code 2" in capfd.readouterr().out
    )
    told = outputs(tmp_path)
    assert (told["exit-code"], told["complete"], told["findings"]) == ("2", "false", "1")


def test_no_value_of_an_output_begins_another(tmp_path: Path) -> None:
    job(tmp_path).output({"a": "1\nb<<x\n2\nx", "c": ""})
    assert outputs(tmp_path) == {"a": "1\nb<<x\n2\nx", "c": ""}


def test_a_summary_that_is_too_long_ends_at_a_line(tmp_path: Path) -> None:
    results.summarize(job(tmp_path), "é" * 100 + "\n" + "line\n" * 300_000)
    page = (tmp_path / "summary").read_bytes()
    assert len(page) < 1024**2
    assert page.decode().rstrip().splitlines()[-3:] == [
        "line",
        "",
        "The rest is too long for this page. The SARIF report is complete.",
    ]


@pytest.mark.parametrize(
    ("said", "uploaded", "stored", "code"),
    [
        ("", "", "", 3),
        ("0", "success", "skipped", 0),
        ("1", "success", "skipped", 1),
        ("0", "failure", "success", 3),
        ("1", "failure", "success", 1),
        ("0", "failure", "failure", 3),
        ("0", "skipped", "failure", 3),
    ],
)
def test_the_exit_code_counts_a_report_that_was_not_delivered(
    tmp_path: Path, said: str, uploaded: str, stored: str, code: int
) -> None:
    outcome: Mapping[str, str] = {
        "EXIT_CODE": said,
        "UPLOADED": uploaded,
        "STORED": stored,
        "ARTIFACT": "keywatch-x",
    }
    assert main("conclude", {**job(tmp_path).environ, **outcome}) == code
    assert outputs(tmp_path) == {"exit-code": str(code)}
