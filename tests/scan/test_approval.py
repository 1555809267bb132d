"""How a false positive of a pull request is accepted, and exceptions for the history."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.helpers import NOW, Keywatch, git, leak, repository, scan

TERMS = ("--reason", "a revoked sample", "--owner", "@team", "--until", "2027-03-01")


@pytest.fixture
def branch(tmp_path: Path, keywatch: Keywatch) -> Path:
    """A branch that adds a finding and, in its second commit, an exception for it."""
    repo = repository(tmp_path / "repo")
    git(repo, "switch", "-q", "-c", "topic")
    (repo / "app.py").write_text(leak())
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "app")
    (found,) = scan(keywatch, "--diff=main", cwd=repo).report["findings"]
    done = keywatch("allow", found["id"], f"--now={NOW}", *TERMS, cwd=repo)
    assert done.returncode == 0, done.stderr
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "allow")
    return repo


def rules(keywatch: Keywatch, repo: Path, *arguments: str) -> list[str]:
    report = scan(keywatch, *arguments, cwd=repo).report
    return [each["rule"] for each in report["findings"]]


def test_an_exception_of_the_branch_has_no_effect_and_names_the_way_to_approve_it(
    keywatch: Keywatch, branch: Path
) -> None:
    seen = scan(keywatch, "--diff=main", cwd=branch)
    by_rule = {each["rule"]: each for each in seen.report["findings"]}
    assert seen.code == 1
    assert set(by_rule) == {"github-personal-access-token", "policy-weakened"}
    assert "--approve" in by_rule["policy-weakened"]["detail"]


def test_the_hint_does_not_ask_again_for_an_exception_that_waits_for_approval(
    keywatch: Keywatch, branch: Path
) -> None:
    shown = keywatch("scan", "--diff=main", cwd=branch).stdout.decode()
    assert "to approve:    CI passes --approve COMMIT" in shown
    assert "keywatch allow" not in shown


def test_a_trusted_commit_approves_all_of_its_policy(keywatch: Keywatch, branch: Path) -> None:
    (branch / "keywatch.yaml").write_text('version: 1\nscan: {exclude: ["app.py"]}\n')
    git(branch, "commit", "-qam", "exclude")
    assert "policy-weakened" in rules(keywatch, branch, "--diff=main", "--approve=topic")
    assert rules(keywatch, branch, "--diff=main", "--trust=topic") == []


def test_an_approved_commit_makes_the_exceptions_of_the_branch_count(
    keywatch: Keywatch, branch: Path
) -> None:
    seen = scan(keywatch, "--diff=main", "--approve=topic", cwd=branch)
    assert (seen.code, seen.report["findings"]) == (0, [])
    assert len(seen.report["suppressed"]) == 1


def test_an_approved_file_from_outside_counts_and_one_of_the_repository_does_not(
    keywatch: Keywatch, branch: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "approved.yaml"
    outside.write_bytes((branch / "keywatch.yaml").read_bytes())
    assert scan(keywatch, "--diff=main", f"--approve={outside}", cwd=branch).code == 0
    inside = scan(keywatch, "--diff=main", "--approve=keywatch.yaml", cwd=branch)
    assert inside.code == 2
    assert "the change itself could have written it" in inside.err


def test_an_approval_of_an_earlier_commit_does_not_cover_a_later_exception(
    keywatch: Keywatch, branch: Path
) -> None:
    assert "policy-weakened" in rules(keywatch, branch, "--diff=main", "--approve=topic~1")


def test_an_approval_does_not_cover_another_loosening(keywatch: Keywatch, branch: Path) -> None:
    policy = branch / "keywatch.yaml"
    policy.write_text(policy.read_text() + "scan: {exclude: [secret/**]}\n")
    git(branch, "commit", "-qam", "exclude")
    assert rules(keywatch, branch, "--diff=main", "--approve=topic") == ["policy-weakened"]


def test_an_exception_that_is_merged_on_its_own_is_not_unused_for_fourteen_days(
    keywatch: Keywatch, branch: Path
) -> None:
    (branch / "app.py").unlink()
    git(branch, "commit", "-qam", "only the exception")
    assert rules(keywatch, branch) == []
    assert rules(keywatch, branch, "--now=2026-12-07") == []
    assert rules(keywatch, branch, "--now=2026-12-09") == ["allow-unused"]
    policy = branch / "keywatch.yaml"
    policy.write_text(policy.read_text() + "scan: {unused_after: 1d}\n")
    assert rules(keywatch, branch, "--now=2026-11-26") == ["allow-unused"]


def test_an_exception_for_the_history_is_not_unused_in_a_scan_of_the_files(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    repo = repository(tmp_path / "repo")
    for text in (leak(), "nothing\n"):
        (repo / "app.py").write_text(text)
        git(repo, "add", ".")
        git(repo, "commit", "-qm", "app")
    (found,) = scan(keywatch, "--history", cwd=repo).report["findings"]
    done = keywatch("allow", found["id"], "--history", f"--now={NOW}", *TERMS, cwd=repo)
    assert done.returncode == 0, done.stderr
    assert scan(keywatch, "--history", cwd=repo).code == 0
    assert rules(keywatch, repo) == []
    assert rules(keywatch, repo, "--now=2027-02-20") == []
