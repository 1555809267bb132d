"""The hooks, run by real git and by the real pre-commit framework."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scanner.detect.rules.samples import expand
from tests.support.helpers import Keywatch

ROOT = Path(__file__).resolve().parents[2]
TOKEN = expand("ghp_{base62:30}{crc32}", 7)
LEAK = f'TOKEN = "{TOKEN}"\n'


def git(folder: Path, *arguments: str, code: int | None = 0, **variables: str) -> str:
    identity = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "-c",
        "init.defaultBranch=main",
    )
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "app.py").write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "start")
    return folder


def stage(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "--", name)


def test_a_clean_commit_is_passed_without_a_word(keywatch: Keywatch, repository: Path) -> None:
    stage(repository, "app.py", "print(2)\n")
    done = keywatch("hook", "pre-commit", cwd=repository)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_nothing_staged_is_clean(keywatch: Keywatch, repository: Path) -> None:
    assert keywatch("hook", "pre-commit", cwd=repository).returncode == 0


def test_a_staged_secret_is_refused_and_never_shown(keywatch: Keywatch, repository: Path) -> None:
    stage(repository, "app.py", LEAK)
    done = keywatch("hook", "pre-commit", cwd=repository)
    assert done.returncode == 1
    assert b"app.py:1:10" in done.stdout
    assert TOKEN.encode() not in done.stdout + done.stderr


def test_the_hook_reads_the_index_not_the_work_tree(keywatch: Keywatch, repository: Path) -> None:
    stage(repository, "app.py", LEAK)
    (repository / "app.py").write_text("print('harmless')\n")
    assert keywatch("hook", "pre-commit", cwd=repository).returncode == 1
    assert keywatch("hook", "pre-commit", "app.py", cwd=repository).returncode == 1


def test_a_named_file_that_is_not_staged_is_read_from_the_work_tree(
    keywatch: Keywatch, repository: Path
) -> None:
    (repository / "new.py").write_text(LEAK)
    assert keywatch("hook", "pre-commit", cwd=repository).returncode == 0
    assert keywatch("hook", "pre-commit", "new.py", "app.py", cwd=repository).returncode == 1


@pytest.mark.parametrize("name", ["--exclude=**", "-x.py", "--staged", "--quiet", "--help"])
def test_a_file_named_like_an_option_is_a_file(
    keywatch: Keywatch, repository: Path, name: str
) -> None:
    stage(repository, name, LEAK)
    done = keywatch("hook", "pre-commit", name, cwd=repository)
    assert done.returncode == 1
    assert name.encode() in done.stdout


def test_the_hooks_script_runs_the_installed_command(repository: Path) -> None:
    stage(repository, "app.py", LEAK)
    folder = repository.parent / "bin"
    folder.mkdir()
    command = folder / "keywatch"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m scanner "$@"\n')
    command.chmod(0o755)
    shutil.copy(ROOT / "hooks" / "pre-commit", repository / ".git" / "hooks" / "pre-commit")
    said = git(repository, "commit", "-m", "leak", code=1, PATH=f"{folder}:{os.environ['PATH']}")
    assert "app.py:1:10" in said


class TestInstall:
    def test_it_makes_git_refuse_a_commit_with_a_secret(
        self, keywatch: Keywatch, repository: Path
    ) -> None:
        done = keywatch("hook", "install", cwd=repository)
        assert done.returncode == 0, done.stderr
        hook = repository / ".git" / "hooks" / "pre-commit"
        assert " -I -m scanner hook pre-commit" in hook.read_text()
        assert os.access(hook, os.X_OK)

    def test_another_tools_hook_is_kept(self, keywatch: Keywatch, repository: Path) -> None:
        hook = repository / ".git" / "hooks" / "pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 0\n")
        done = keywatch("hook", "install", cwd=repository)
        assert done.returncode == 2
        assert b"--force" in done.stderr
        assert hook.read_text() == "#!/bin/sh\nexit 0\n"
        assert keywatch("hook", "install", "--force", cwd=repository).returncode == 0
        assert "scanner" in hook.read_text()

    def test_our_own_hook_is_renewed(self, keywatch: Keywatch, repository: Path) -> None:
        for _ in range(2):
            assert keywatch("hook", "install", cwd=repository).returncode == 0

    def test_it_goes_where_git_looks_for_hooks(self, keywatch: Keywatch, repository: Path) -> None:
        git(repository, "config", "core.hooksPath", "tools/hooks")
        assert keywatch("hook", "install", cwd=repository).returncode == 0
        assert (repository / "tools" / "hooks" / "pre-commit").exists()

    def test_outside_a_repository_it_says_so(self, keywatch: Keywatch, tmp_path: Path) -> None:
        done = keywatch("hook", "install", cwd=tmp_path)
        assert done.returncode == 2
        assert b"is not in a git repository" in done.stderr


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as a repository with a tag, as users name it in .pre-commit-config.yaml."""
    folder = tmp_path_factory.mktemp("published") / "keywatch"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "release")
    git(folder, "tag", "v0.1.0")
    return folder


@pytest.fixture(scope="module")
def framework_home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where pre-commit keeps the hook's environment: built once for all tests here."""
    return str(tmp_path_factory.mktemp("pre-commit"))


@pytest.fixture
def framework(
    repository: Path, published: Path, framework_home: str, outer_environ: Mapping[str, str]
) -> Callable[..., tuple[int, str]]:
    """`framework(hook, *arguments)`: pre-commit runs the published hook in the repository."""
    pip = {name: value for name, value in outer_environ.items() if name.startswith("PIP_")}

    def run(hook: str, *arguments: str, args: str = "[]") -> tuple[int, str]:
        (repository / ".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: file://{published}\n  rev: v0.1.0\n  hooks:\n"
            f"  - id: {hook}\n    args: {args}\n"
        )
        git(repository, "add", ".pre-commit-config.yaml")
        done = subprocess.run(
            [str(Path(sys.executable).with_name("pre-commit")), "run", *arguments],
            cwd=repository,
            env=os.environ | pip | {"PRE_COMMIT_HOME": framework_home},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.slow
class TestWithTheFramework:
    @pytest.mark.parametrize("hook", ["keywatch", "keywatch-staged"])
    def test_a_clean_commit_passes_and_a_secret_does_not(
        self, repository: Path, framework: Callable[..., tuple[int, str]], hook: str
    ) -> None:
        stage(repository, "app.py", "print(2)\n")
        code, said = framework(hook)
        assert code == 0, said
        stage(repository, "app.py", LEAK)
        code, said = framework(hook)
        assert code == 1, said
        assert "app.py:1:10" in said
        assert TOKEN not in said

    def test_all_files_means_all_files(
        self, repository: Path, framework: Callable[..., tuple[int, str]]
    ) -> None:
        stage(repository, "old.py", LEAK)
        git(repository, "commit", "--quiet", "-m", "an old leak")
        assert framework("keywatch")[0] == 0
        code, said = framework("keywatch", "--all-files")
        assert code == 1, said
        assert "old.py:1:10" in said

    def test_a_push_and_a_message_are_checked(
        self, repository: Path, framework: Callable[..., tuple[int, str]]
    ) -> None:
        stage(repository, "app.py", LEAK)
        git(repository, "commit", "--quiet", "-m", "a leak")
        git(repository, "rm", "--quiet", "app.py")
        git(repository, "commit", "--quiet", "-m", "it is gone")
        where = ("--remote-name", "origin", "--remote-url", "x", "--remote-branch", "refs/heads/x")
        refs = ("--from-ref", "HEAD~2", "--to-ref", "HEAD", "--local-branch", "refs/heads/main")
        code, said = framework("keywatch-push", "--hook-stage", "pre-push", *where, *refs)
        assert code == 1, said
        assert "app.py:1:10" in said
        message = repository / ".git" / "COMMIT_EDITMSG"
        message.write_text(f"Deploy\n\n{LEAK}")
        stage_of = ("--hook-stage", "commit-msg", "--commit-msg-filename", str(message))
        code, said = framework("keywatch-message", *stage_of)
        assert code == 1, said
        assert "COMMIT_EDITMSG:3:10" in said
        assert framework("keywatch", *stage_of) == (0, "")

    def test_the_source_documents_arguments_work(
        self, repository: Path, framework: Callable[..., tuple[int, str]]
    ) -> None:
        stage(repository, "old.py", f'password = "{TOKEN[8:24]}"\n')
        scan = [str(Path(sys.executable).with_name("detect-secrets")), "scan", "-n"]
        listed = subprocess.run(scan, cwd=repository, capture_output=True, text=True, check=True)
        stage(repository, ".secrets.baseline", listed.stdout)
        args = "['--baseline', '.secrets.baseline']"
        code, said = framework("keywatch", args=args)
        assert code == 0, said
        stage(repository, "app.py", f'password = "{TOKEN[10:28]}"\n')
        code, said = framework("keywatch", args=args)
        assert code == 1, said
        assert "app.py:1:" in said

    def test_a_planted_package_in_the_checkout_is_not_picked_up(
        self, repository: Path, framework: Callable[..., tuple[int, str]]
    ) -> None:
        (repository / "scanner").mkdir()
        stage(repository, "scanner/__init__.py", "")
        stage(repository, "scanner/__main__.py", "raise SystemExit(0)\n")
        stage(repository, "yaml.py", "raise SystemExit(0)\n")
        stage(repository, "app.py", LEAK)
        code, said = framework("keywatch")
        assert code == 1, said
        assert "app.py:1:10" in said
