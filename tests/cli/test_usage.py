"""What people type at a terminal: short flags, lines, standard input, colours and exit codes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scanner import __version__
from tests.support.helpers import Keywatch, git, leak, repository, write_files

ESCAPE = b"\x1b["


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one finding."""
    return write_files(tmp_path, {"app.py": "x = 1\n" + leak()})


def test_quiet_prints_only_the_summary_line(keywatch: Keywatch, folder: Path) -> None:
    for flag in ("-q", "--quiet"):
        done = keywatch("scan", flag, cwd=folder)
        assert done.returncode == 1
        assert done.stdout.decode().startswith("✗ 1 finding (1 critical)")
        assert done.stdout.count(b"\n") == 1


def test_verbose_explains_the_rule(keywatch: Keywatch, folder: Path) -> None:
    brief = keywatch("scan", cwd=folder).stdout.decode()
    assert "app.py:2:10  critical  github-personal-access-token  " in brief
    assert "rotate" not in brief
    for flag in ("-v", "--explain", "--verbose"):
        full = keywatch("scan", flag, cwd=folder).stdout.decode()
        assert "\n  rotate  " in full
        assert "\n  purge   " in full


def test_a_format_is_printed_with_the_short_flag(keywatch: Keywatch, folder: Path) -> None:
    short = keywatch("scan", "-f", "csv", "--now=2027-01-01", cwd=folder).stdout
    long = keywatch("scan", "--report=csv=-", "--now=2027-01-01", cwd=folder).stdout
    assert short.replace(b"-f csv", b"--report=csv=-") == long


def test_colours_follow_the_flag_then_the_environment(keywatch: Keywatch, folder: Path) -> None:
    assert ESCAPE not in keywatch("scan", cwd=folder).stdout
    assert ESCAPE in keywatch("scan", "--color=always", cwd=folder).stdout
    assert ESCAPE in keywatch("scan", cwd=folder, FORCE_COLOR="1").stdout
    assert ESCAPE not in keywatch("scan", cwd=folder, FORCE_COLOR="0").stdout
    assert ESCAPE not in keywatch("scan", cwd=folder, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert ESCAPE not in keywatch("scan", "--color=never", cwd=folder, FORCE_COLOR="1").stdout
    assert ESCAPE in keywatch("scan", "--color=always", cwd=folder, NO_COLOR="1").stdout


def test_a_dash_is_standard_input(keywatch: Keywatch, folder: Path) -> None:
    done = keywatch("scan", "-", cwd=folder, stdin=leak().encode())
    assert done.returncode == 1
    assert b"stdin:1:10" in done.stdout
    named = keywatch("scan", "-", "--stdin-name=a.py", cwd=folder, stdin=leak().encode())
    assert b"a.py:1:10" in named.stdout


def test_a_finding_of_standard_input_is_not_said_to_be_allowed_by_a_command(
    keywatch: Keywatch, folder: Path
) -> None:
    done = keywatch("scan", "-", cwd=folder, stdin=leak().encode())
    assert b"keywatch allow" not in done.stdout
    assert b"change the text" in done.stdout


def test_version_and_help_are_commands(keywatch: Keywatch, folder: Path) -> None:
    assert keywatch("version", cwd=folder).stdout.decode() == f"keywatch {__version__}\n"
    assert keywatch("help", cwd=folder).stdout == keywatch("--help", cwd=folder).stdout
    whole = keywatch("help", "scan", cwd=folder).stdout
    assert whole == keywatch("scan", "--help", cwd=folder).stdout
    assert b"usage: keywatch scan" in whole


def test_a_scan_of_a_line_explains_it(keywatch: Keywatch, folder: Path) -> None:
    for place in ("app.py:2", "app.py:2:10"):
        done = keywatch("scan", place, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout == keywatch("explain", place, cwd=folder).stdout
    assert keywatch("scan", "nothing.py:2", cwd=folder).returncode == 2


def test_an_undeclared_variable_is_listed_and_fails_only_a_strict_run(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {"compose.yaml": "services: {a: {environment: {X: '${MAIL_RELAY_TOKEN}'}}}\n"}
    write_files(tmp_path, files)
    done = keywatch("scan", cwd=tmp_path)
    assert b"config-undeclared-variable" in done.stdout
    assert b"--strict" in done.stdout
    assert done.returncode == 0
    assert keywatch("scan", "--strict", cwd=tmp_path).returncode == 1
    write_files(tmp_path, {"keywatch.yaml": "version: 1\nscan: {fail_on_confidence: low}\n"})
    assert keywatch("scan", cwd=tmp_path).returncode == 1


def test_a_named_file_over_the_size_limit_is_a_gap_and_the_flag_reads_it(
    keywatch: Keywatch, folder: Path
) -> None:
    limited = keywatch("scan", "--max-file-size=10B", "app.py", cwd=folder)
    assert limited.returncode == 3
    assert b"--max-file-size" in limited.stdout
    assert keywatch("scan", "--max-file-size=10B", cwd=folder).returncode == 0
    write_files(folder, {"keywatch.yaml": "version: 1\nscan: {max_file_size: 10B}\n"})
    assert keywatch("scan", "app.py", cwd=folder).returncode == 3
    assert keywatch("scan", "--max-file-size=1MB", "app.py", cwd=folder).returncode == 1


def test_an_empty_repository_is_clean_in_every_mode(keywatch: Keywatch, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for arguments in ((), (".",), ("--staged",), ("--no-git",), ("--history",), ("--archives",)):
        done = keywatch("scan", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b""), arguments


def test_a_report_in_a_missing_folder_says_that_the_folder_is_missing(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(tmp_path, {"a.py": "x = 1\n"})
    done = keywatch("scan", "--report=json=out/run.json", cwd=tmp_path)
    assert done.returncode == 3
    assert b"there is no folder" in done.stderr


def test_under_pre_commit_the_hint_names_a_command_that_can_be_run(
    keywatch: Keywatch, folder: Path
) -> None:
    done = keywatch("scan", cwd=folder, PRE_COMMIT="1")
    (line,) = (each for each in done.stdout.decode().splitlines() if " allow " in each)
    program = line.partition("to accept one: ")[2].split()[0]
    assert os.path.isabs(program)
    assert os.access(program, os.X_OK)


def test_a_kept_hook_runs_first_and_both_get_what_git_says(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    repo = repository(tmp_path / "repo")
    hook = repo / ".git" / "hooks" / "pre-push"
    write_files(hook.parent, {"pre-push": "#!/bin/sh\ncat > seen.txt\nexit ${REFUSE:-0}\n"})
    hook.chmod(0o755)
    assert keywatch("hook", "install", "pre-push", cwd=repo).returncode == 2
    done = keywatch("hook", "install", "--force", "pre-push", cwd=repo)
    assert b"first runs the former hook" in done.stdout
    again = keywatch("hook", "install", "--force", "pre-push", cwd=repo)
    assert b"first runs the former hook" in again.stdout
    script = hook.read_text().replace("-I -m scanner", "-m scanner")
    hook.write_text(script)
    root = Path(__file__).resolve().parents[2]
    head = git(repo, "rev-parse", "HEAD").strip()
    line = f"refs/heads/main {head} refs/heads/main {'0' * 40}\n".encode()
    for refuse, code in (("0", 0), ("7", 7)):
        environ = os.environ | {"PYTHONPATH": str(root), "REFUSE": refuse}
        ended = subprocess.run(
            [str(hook), "origin", "x"], cwd=repo, input=line, env=environ, check=False
        )
        assert ended.returncode == code
        assert (repo / "seen.txt").read_bytes() == line


def test_an_installed_hook_contents_policy_check(keywatch: Keywatch, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    assert b"policy-hook-missing" in keywatch("policy", "check", cwd=repo).stdout
    keywatch("hook", "install", cwd=repo)
    assert b"policy-hook-missing" not in keywatch("policy", "check", cwd=repo).stdout
