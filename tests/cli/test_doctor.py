"""`keywatch doctor`: what it looks at, what it says to do, and that nothing of a tree runs."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from scanner import cache
from scanner.cli import doctor
from scanner.cli.parser import Parser
from scanner.console import Console
from scanner.detect.engine import linear_regex
from scanner.doctor import checks
from scanner.records import Record
from tests.support import small_backend
from tests.support.audits import denied, gives, record
from tests.support.helpers import Keywatch, git, repository, token, write_files

POSIX = pytest.mark.skipif(os.name == "nt", reason="rights of files are those of POSIX")
HOOK = "repos: [{repo: https://example.org/keywatch, rev: v1, hooks: [{id: keywatch}]}]\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def diagnosed(repo: Path, *arguments: str) -> tuple[int, dict[str, str]]:
    """A run in this process: its exit code, and of each check the line, with what is to do."""
    out = io.StringIO()
    streams = Console(stdin=io.BytesIO(), out=out, err=io.StringIO(), environ={})
    parser = Parser(prog="keywatch doctor", allow_abbrev=False)
    doctor.add_arguments(parser)
    arguments = (*arguments, str(repo))
    code = doctor.run(parser.parse_args(arguments), streams, small_backend.MODULES)
    lines = out.getvalue().replace("\n" + " " * 21, "\n\t").splitlines()[:-1]
    text = "\n".join(lines).replace("\n\t", " ")
    return int(code), {line[9:21].strip(): line for line in text.splitlines()}


def installed(monkeypatch: pytest.MonkeyPatch, versions: Mapping[str, str]) -> None:
    """Let Python report only these distributions as installed."""

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)


def hooked(repo: Path, script: str) -> None:
    path = repo / ".git/hooks/pre-commit"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def test_where_all_is_well_each_line_says_so_and_the_exit_code_is_0(
    repo: Path, keywatch: Keywatch
) -> None:
    assert keywatch("hook", "install", cwd=repo).returncode == 0
    done = keywatch("doctor", cwd=repo)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, lines[-1], done.stderr) == (0, "no problems found", b"")
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert [line.split()[1] for line in lines[:-1]] == [
        *("keywatch", "exact", "rules", "matcher", "spans", "cache", "git"),
        *("history", "policy", "baseline", "hook"),
    ]
    assert f"hyperscan {metadata.version('hyperscan')}, compiled and cached" in done.stdout.decode()


def test_a_problem_has_its_remedy_and_the_exit_code_1(repo: Path, keywatch: Keywatch) -> None:
    done = keywatch("doctor", cwd=repo)
    *_, problem, todo, count = done.stdout.decode().splitlines()
    assert done.returncode == 1
    assert problem == "problem  hook        nothing checks commits"
    assert todo.strip() == "do: keywatch hook install"
    assert count == "1 problem"


@pytest.mark.parametrize(
    ("config", "script", "says"),
    [
        ("", "#!/bin/sh\nexec keywatch hook pre-commit\n", "ok .*git runs keywatch"),
        (HOOK, "#!/bin/sh\nexec pre-commit\n", "ok .*pre-commit runs it"),
        (HOOK, "", "problem .*git does not run pre-commit do: pre-commit install"),
        ("repos: []\n", "#!/bin/sh\nexec pre-commit\n", "problem .*do: keywatch hook install"),
        ("repos: [\n", "#!/bin/sh\nexec pre-commit\n", "problem .*do: keywatch hook install"),
    ],
)
def test_a_hook_is_what_git_runs(repo: Path, config: str, script: str, says: str) -> None:
    if config:
        write_files(repo, {".pre-commit-config.yaml": config})
    if script:
        hooked(repo, script)
    _, checks = diagnosed(repo)
    assert re.match(says, checks["hook"])


@POSIX
def test_a_hook_that_git_would_not_run_is_none(repo: Path) -> None:
    hooked(repo, "#!/bin/sh\nexec keywatch hook pre-commit\n")
    (repo / ".git/hooks/pre-commit").chmod(0o644)
    _, checks = diagnosed(repo)
    assert "nothing checks commits" in checks["hook"]


@POSIX
def test_a_pipe_in_the_place_of_a_hook_holds_nothing_up(repo: Path) -> None:
    (repo / ".git/hooks").mkdir(exist_ok=True)
    os.mkfifo(repo / ".git/hooks/pre-commit")
    _, checks = diagnosed(repo)
    assert "nothing checks commits" in checks["hook"]


def test_a_folder_in_no_repository_has_nothing_to_hook_into(tmp_path: Path) -> None:
    code, checks = diagnosed(tmp_path)
    assert code == 0
    assert "not a git repository" in checks["hook"]


def test_a_policy_is_valid_or_its_first_fault_is_told_with_its_line(repo: Path) -> None:
    hooked(repo, "keywatch")
    assert "there is no keywatch.yaml" in diagnosed(repo)[1]["policy"]
    write_files(repo, {"keywatch.yaml": "version: 1\n"})
    assert diagnosed(repo)[1]["policy"] == (
        "ok       policy      keywatch.yaml is valid, 0 declared secrets"
    )
    declared = "vault:\n  address: x\n  secrets: []\n  scerets: []\n"
    write_files(
        repo, {"keywatch.yaml": "version: 1\nscna: {}\n", "configs/secrets/vault.yaml": declared}
    )
    code, checks = diagnosed(repo)
    assert code == 1
    assert checks["policy"].startswith("problem  policy      keywatch.yaml:2: unknown key 'scna'")
    assert "and 1 more fault do: did you mean scan?" in checks["policy"]


def test_each_baseline_is_counted_and_a_broken_one_is_a_problem(
    repo: Path, keywatch: Keywatch
) -> None:
    hooked(repo, "keywatch")
    assert "there is none" in diagnosed(repo)[1]["baseline"]
    write_files(repo, {"a.py": f'TOKEN = "{token()}"\n'})
    assert keywatch("baseline", "create", cwd=repo).returncode == 0
    assert ".keywatch.baseline: 1 accepted finding" in diagnosed(repo)[1]["baseline"]
    write_files(repo, {".secrets.baseline": "{"})
    code, checks = diagnosed(repo)
    assert code == 1
    assert checks["baseline"].startswith("problem  baseline    .secrets.baseline:1: ")


def test_a_baseline_of_detect_secrets_is_counted(repo: Path, keywatch: Keywatch) -> None:
    write_files(repo, {"a.py": f'TOKEN = "{token()}"\n'})
    assert keywatch("baseline", "create", "--detect-secrets=exact", cwd=repo).returncode == 0
    checks = keywatch("doctor", cwd=repo).stdout.decode()
    assert re.search(r"ok       baseline    \.secrets\.baseline: \d+ accepted finding", checks)


@POSIX
def test_a_cache_that_others_may_write_to_is_a_problem(
    repo: Path, tmp_path: Path, keywatch_with_few_rules: Keywatch
) -> None:
    (tmp_path / "keywatch").mkdir(mode=0o777)
    (tmp_path / "keywatch").chmod(0o777)
    done = keywatch_with_few_rules("doctor", cwd=repo, XDG_CACHE_HOME=str(tmp_path))
    text = " ".join(done.stdout.decode().split())
    assert "open to others" in text
    assert "do: allow only yourself to use the folder: chmod 700" in text
    assert "compiled again in each run do: repair the cache" in text


@POSIX
def test_a_cache_without_a_place_is_a_problem(
    repo: Path, keywatch_with_few_rules: Keywatch
) -> None:
    done = keywatch_with_few_rules("doctor", cwd=repo, HOME="relative")
    assert "problem  cache       there is no home folder for it" in done.stdout.decode()


def test_a_cache_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    assert cache.trouble(str(tmp_path / "absent")) == "No such file or directory"


def test_the_slower_engine_is_reported_and_so_is_hyperscan_that_does_not_load(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert "problem  matcher     re: Hyperscan is not installed" in diagnosed(repo)[1]["matcher"]
    installed(monkeypatch, {})
    assert diagnosed(repo)[1]["matcher"].startswith("ok ")


def test_what_reads_long_histories_is_told_and_whether_it_loads(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"read by pygit2 {metadata.version('pygit2')}" in diagnosed(repo)[1]["history"]
    monkeypatch.setitem(sys.modules, "pygit2", None)
    assert "do: install pygit2 again: it cannot be loaded" in diagnosed(repo)[1]["history"]
    installed(monkeypatch, {})
    line = diagnosed(repo)[1]["history"]
    assert line.startswith("ok ")
    assert "long histories take less time with keywatch[history]" in line


def test_without_the_linear_engine_it_says_what_that_means(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    linear_regex.linear.cache_clear()
    try:
        assert "google-re2 is not installed" in diagnosed(repo)[1]["spans"]
    finally:
        linear_regex.linear.cache_clear()


def test_another_release_of_detect_secrets_is_a_problem(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, {"hyperscan": "1", "detect-secrets": "1.4.0"})
    assert "detect-secrets 1.4.0 do: pip install" in diagnosed(repo)[1]["exact mode"]
    monkeypatch.undo()
    assert checks._version("no-such-distribution") is None


def test_rules_that_find_nothing_are_a_problem() -> None:
    check = checks._rules(lambda text: text)
    assert (check.seen, bool(check.todo)) == ("a made-up token is not found", True)


def test_without_git_a_repository_cannot_be_looked_at(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    code, checks = diagnosed(repo)
    assert code == 1
    assert "git is not installed" in checks["git"]
    assert "git is not installed" in checks["repository"]


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    assert "is not a folder" in diagnosed(tmp_path / "absent")[1]["repository"]


OPERATOR = """\
backends:
  prod: {kind: vault, script: prod}
  other: {kind: vault, script: other}
"""


def with_operator(repo: Path, text: str = OPERATOR) -> tuple[int, dict[str, str]]:
    hooked(repo, "keywatch")
    path = repo.parent / "operator.yaml"
    path.write_text(text)
    return diagnosed(repo, f"--operator={path}")


def test_a_backend_that_answers_is_ok_and_what_keeps_one_from_it_is_told(repo: Path) -> None:
    gives(prod=[record("app/a")], other=[denied("app")])
    code, checks = with_operator(repo)
    assert code == 1
    assert checks["operator"].endswith("operator.yaml is valid, 2 backends")
    assert checks["prod"] == "ok       prod        it answers and lists secrets"
    assert "denied: vault://prod/-/secret/app: no read on metadata" in checks["other"]


def test_the_first_answer_is_enough(repo: Path) -> None:
    def records() -> Iterator[Record]:
        yield record("app/a")
        pytest.fail("a second one was asked for")

    gives(prod=records(), other=[record("b")])
    assert with_operator(repo)[0] == 0


def test_a_backend_that_lists_nothing_or_fails_is_a_problem(repo: Path) -> None:
    def failing() -> Iterator[Record]:
        yield from ()
        raise ValueError(token())

    gives(prod=[], other=failing())
    code, checks = with_operator(repo)
    assert code == 1
    assert "it lists no secret" in checks["prod"]
    assert "internal error ValueError do: report" in checks["other"]


@pytest.mark.parametrize("script", ["no library", "bad options"])
def test_a_backend_that_cannot_be_made_says_what_to_do(repo: Path, script: str) -> None:
    code, checks = with_operator(repo, f"backends: {{prod: {{kind: vault, script: {script}}}}}\n")
    assert (code, checks["prod"][:7]) == (1, "problem")


def test_an_operators_file_of_the_repository_is_refused(repo: Path) -> None:
    write_files(repo, {"operator.yaml": OPERATOR})
    _, checks = diagnosed(repo, f"--operator={repo / 'operator.yaml'}")
    assert "keep it outside the repository" in checks["operator"]


def test_no_backend_is_asked_where_only_the_environment_names_the_operators_file(
    repo: Path, keywatch: Keywatch
) -> None:
    done = keywatch("doctor", cwd=repo, KEYWATCH_OPERATOR="/nowhere/operator.yaml")
    assert b"operator" not in done.stdout


def test_nothing_of_a_hostile_repository_runs_or_is_shown_as_it_is(
    repo: Path, keywatch: Keywatch
) -> None:
    planted = repo / "planted"
    run = f"touch {planted}"
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"):
        git(repo, "config", name, run)
    hooked(repo, f"#!/bin/sh\n{run}\n")
    write_files(
        repo,
        {
            "scanner/__init__.py": f"open({str(planted)!r}, 'w')\n",
            "sitecustomize.py": f"open({str(planted)!r}, 'w')\n",
            "keywatch.yaml": f'version: 1\n"\\x1b[31m {token()}": 1\n',
        },
    )
    done = keywatch("doctor", cwd=repo)
    assert done.returncode == 1
    assert not planted.exists()
    assert token().encode() not in done.stdout
    assert b"\x1b" not in done.stdout
