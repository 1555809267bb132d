"""The hooks around a push and a commit's message, run by real git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.support.helpers import Keywatch, git, leak, repository, write_files
from tests.support.repositories import allowed, password

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH that has the command `keywatch` first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "keywatch"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m scanner "$@"\n')
    command.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


class Remote:
    """A repository and a bare one on a server, whose hook is the one of hooks/pre-receive."""

    def __init__(self, folder: Path, path: str) -> None:
        self.folder = folder
        self.server = folder / "server.git"
        self._path = path
        git(folder, "init", "-q", "--bare", str(self.server))
        self.root = repository(folder / "repo")
        git(self.root, "remote", "add", "origin", str(self.server))
        git(self.root, "push", "-q", "origin", "main")

    def guard(self, arguments: str = "") -> None:
        hook = self.server / "hooks" / "pre-receive"
        text = (ROOT / "hooks" / "pre-receive").read_text()
        hook.write_text(text.replace("hook pre-receive", f"hook pre-receive {arguments}"))
        hook.chmod(0o755)

    def commit(self, files: dict[str, str | bytes], *removed: str) -> str:
        write_files(self.root, files)
        for name in removed:
            git(self.root, "rm", "-q", "--", name)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "--no-verify", "--allow-empty", "-m", "change")
        return git(self.root, "rev-parse", "HEAD").strip()

    def push(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """What the pusher reads."""
        done = subprocess.run(
            ["git", "push", "origin", *(arguments or ("HEAD",))],
            cwd=self.root,
            env=os.environ | {"PATH": self._path} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stderr


@pytest.fixture
def remote(tmp_path: Path, path: str) -> Remote:
    return Remote(tmp_path, path)


class TestPreReceive:
    def test_a_clean_push_is_let_in_without_a_word(self, remote: Remote) -> None:
        remote.guard()
        remote.commit({"app.py": "x = 1\n"})
        assert "remote:" not in remote.push()

    def test_a_secret_is_refused_with_its_place_and_what_to_do(self, remote: Remote) -> None:
        remote.guard()
        added = remote.commit({"app.py": leak()})
        said = remote.push(code=1)
        assert "app.py:1:10" in said
        assert added[:12] in said
        assert "git commit --amend" in said
        assert "ghp_" + leak()[14:30] not in said
        heads = git(remote.server, "rev-parse", "main", "HEAD").split()
        assert added not in heads

    def test_one_that_a_later_commit_of_the_push_removes_is_refused_too(
        self, remote: Remote
    ) -> None:
        remote.guard()
        remote.commit({"app.py": leak()})
        remote.commit({}, "app.py")
        assert "only in the history, revoke it" in remote.push(code=1)

    def test_what_the_server_has_already_is_not_looked_at_again(self, remote: Remote) -> None:
        remote.commit({"app.py": leak()})
        remote.push()
        remote.guard()
        remote.commit({"b.py": "x = 1\n"})
        remote.push()
        remote.push("HEAD:refs/heads/new", "HEAD:refs/tags/v1")

    def test_a_merge_of_what_the_server_has_adds_nothing(self, remote: Remote) -> None:
        git(remote.root, "checkout", "-q", "-b", "other")
        remote.commit({"app.py": leak()})
        remote.push()
        git(remote.root, "checkout", "-q", "main")
        remote.commit({"b.py": "x = 1\n"})
        remote.push()
        remote.guard()
        git(remote.root, "merge", "-q", "-m", "merge", "other")
        remote.push("main")
        git(remote.root, "checkout", "-q", "-b", "new")
        remote.commit({"b.py": leak(9)})
        assert "b.py:1:10" in remote.push("new", code=1)

    def test_a_new_branch_a_tag_and_a_deletion(self, remote: Remote) -> None:
        remote.guard()
        git(remote.root, "checkout", "-q", "-b", "new")
        remote.commit({"app.py": leak()})
        git(remote.root, "tag", "-a", "v1", "-m", "x")
        assert "app.py:1:10" in remote.push("new", code=1)
        assert "app.py:1:10" in remote.push("v1", code=1)
        git(remote.root, "reset", "-q", "--hard", "main")
        remote.push("new")
        remote.push(":new")

    def test_a_ref_whose_name_breaks_lines(self, remote: Remote) -> None:
        remote.guard()
        remote.commit({"app.py": "x = 1\n"})
        remote.push("HEAD:refs/heads/a\u2028b")

    def test_a_force_push(self, remote: Remote) -> None:
        remote.commit({"a.py": "x = 1\n"})
        remote.push()
        remote.guard()
        git(remote.root, "reset", "-q", "--hard", "HEAD~1")
        remote.commit({"b.py": leak()})
        assert "b.py:1:10" in remote.push("--force", "HEAD", code=1)

    def test_the_first_push_of_all(self, tmp_path: Path, path: str) -> None:
        remote = Remote(tmp_path, path)
        shutil.rmtree(remote.server)
        git(tmp_path, "init", "-q", "--bare", str(remote.server))
        remote.guard()
        remote.commit({"app.py": leak()})
        assert "app.py:1:10" in remote.push(code=1)

    def test_the_policy_is_the_servers(self, remote: Remote) -> None:
        remote.commit({"keywatch.yaml": "version: 1\nscan: {exclude: [vendor]}\n"})
        remote.push()
        remote.guard()
        remote.commit({"vendor/app.py": leak()})
        remote.push()
        remote.commit(
            {"app.py": leak(9), "keywatch.yaml": "version: 1\nscan: {exclude: [vendor, app.py]}\n"}
        )
        said = remote.push(code=1)
        assert "app.py:1:10" in said
        assert "policy-weakened" in said

    def test_another_ref_may_hold_the_policy(self, remote: Remote) -> None:
        git(remote.root, "checkout", "-q", "-b", "policy")
        remote.commit({"keywatch.yaml": "version: 1\nscan: {exclude: [app.py]}\n"})
        remote.push()
        git(remote.root, "checkout", "-q", "main")
        remote.guard("--trust policy")
        remote.commit({"app.py": leak()})
        remote.push()
        remote.guard("--trust nowhere")
        remote.commit({"app.py": leak(9)})
        assert "--trust nowhere is not a commit of this repository" in remote.push(code=1)

    def test_an_allow_comment_in_the_push_has_no_say(self, remote: Remote) -> None:
        remote.guard()
        remote.commit({"app.py": allowed(password(1))})
        assert "policy-weakened" in remote.push(code=1)

    def test_what_takes_too_long_is_refused(self, remote: Remote) -> None:
        remote.guard("--time-limit 1")
        fast = "import time, signal; time.sleep(30)"
        command = remote.folder / "bin" / "keywatch"
        hook = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from scanner.inputs.git import revisions\n"
            f"def wait(*_, **__):\n    {fast.replace('; ', '; ')}\n"
            "revisions.of_push = wait\n"
            "from scanner.cli import main\nsys.exit(main(sys.argv[1:]))\n"
        )
        (remote.folder / "slow.py").write_text(hook)
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {remote.folder}/slow.py "$@"\n')
        remote.commit({"app.py": "x = 1\n"})
        assert "did not finish within 1 seconds" in remote.push(code=1)

    def test_gitlab_shows_what_begins_with_its_mark(self, remote: Remote) -> None:
        remote.guard()
        remote.commit({"app.py": leak()})
        assert "GL-HOOK-ERR: keywatch: the push is refused" in remote.push(code=1, GL_ID="user-1")

    def test_gitlab_says_where_the_objects_lie_and_not_that_it_is_a_quarantine(
        self, remote: Remote
    ) -> None:
        remote.guard()
        hook = remote.server / "hooks" / "pre-receive"
        hook.write_text(hook.read_text().replace("unset ", "unset GIT_QUARANTINE_PATH ", 1))
        remote.commit({"app.py": leak()})
        assert "app.py:1:10" in remote.push(code=1)

    @pytest.mark.parametrize("name", ["pre-receive", "pre-receive.d/keywatch"])
    def test_it_is_installed_on_the_server(
        self, remote: Remote, keywatch: Keywatch, name: str
    ) -> None:
        hook = remote.server / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        done = keywatch("hook", "install", "pre-receive", cwd=remote.server)
        assert done.returncode == 0, done.stderr
        assert os.access(hook, os.X_OK)
        remote.commit({"app.py": leak()})
        if hook.parent.name == "hooks":
            assert "app.py:1:10" in remote.push(code=1)

    def test_a_tag_of_a_blob_is_not_let_in_unread(self, remote: Remote) -> None:
        remote.guard()
        write_files(remote.root, {"x": leak()})
        oid = git(remote.root, "hash-object", "-w", "x").strip()
        git(remote.root, "tag", "blob", oid)
        assert "is not a commit" in remote.push("blob", code=1)

    def test_it_takes_no_paths_and_wants_gits_own_lines(
        self, remote: Remote, keywatch: Keywatch
    ) -> None:
        for arguments, stdin in ((("x",), b""), ((), b"not what git says\n")):
            done = keywatch("hook", "pre-receive", *arguments, cwd=remote.server, stdin=stdin)
            assert done.returncode == 2


class TestPrePush:
    def install(self, remote: Remote, keywatch: Keywatch) -> None:
        done = keywatch("hook", "install", "pre-push", cwd=remote.root)
        assert done.returncode == 0, done.stderr

    def test_only_what_the_push_adds_is_looked_at(self, remote: Remote, keywatch: Keywatch) -> None:
        remote.commit({"old.py": leak(1)})
        remote.push()
        self.install(remote, keywatch)
        remote.commit({"a.py": "x = 1\n"})
        remote.push()
        remote.commit({"b.py": leak(2)})
        remote.commit({}, "b.py")
        git(remote.root, "checkout", "-q", "-b", "other")
        done = subprocess.run(
            ["git", "push", "origin", "other"], cwd=remote.root, capture_output=True, check=False
        )
        assert done.returncode == 1
        assert b"only in the history" in done.stdout + done.stderr
        assert b"old.py" not in done.stdout

    def test_a_branch_that_adds_nothing_goes_with_another_one(
        self, remote: Remote, keywatch: Keywatch
    ) -> None:
        self.install(remote, keywatch)
        git(remote.root, "checkout", "-q", "-b", "empty")
        remote.commit({})
        git(remote.root, "checkout", "-q", "-b", "full", "main")
        remote.commit({"a.py": "x = 1\n"})
        remote.push("empty", "full")
        remote.commit({"b.py": leak(2)})
        assert "failed to push" in remote.push("empty", "full", code=1)

    def test_exceptions_of_the_commit_itself_count(
        self, remote: Remote, keywatch: Keywatch
    ) -> None:
        self.install(remote, keywatch)
        remote.commit({"app.py": allowed(password(1))})
        remote.push()

    def test_a_deleted_branch_is_nothing_to_look_at(
        self, remote: Remote, keywatch: Keywatch
    ) -> None:
        remote.push("HEAD:refs/heads/other")
        self.install(remote, keywatch)
        remote.push(":other")

    def test_the_pre_commit_framework_says_in_variables_what_is_pushed(
        self, remote: Remote, keywatch: Keywatch
    ) -> None:
        old = remote.commit({"old.py": leak(1)})
        new = remote.commit({"b.py": leak(2)})
        run = partial(
            keywatch,
            *("hook", "pre-push"),
            cwd=remote.root,
            PRE_COMMIT_REMOTE_NAME="origin",
            PRE_COMMIT_LOCAL_BRANCH="refs/heads/main",
        )
        done = run(PRE_COMMIT_FROM_REF=old, PRE_COMMIT_TO_REF=new)
        assert done.returncode == 1
        assert b"b.py:1:10" in done.stdout
        assert b"old.py" not in done.stdout
        assert b"old.py:1:10" in run().stdout  # a first push says no more than the branch

    def test_an_address_instead_of_a_name(self, remote: Remote, keywatch: Keywatch) -> None:
        self.install(remote, keywatch)
        remote.commit({"b.py": leak(2)})
        argv = ["git", "push", str(remote.server), "HEAD:refs/heads/x"]
        done = subprocess.run(argv, cwd=remote.root, capture_output=True, check=False)
        assert done.returncode == 1
        assert b"b.py:1:10" in done.stdout


class TestCommitMessage:
    @pytest.fixture
    def repo(self, tmp_path: Path, keywatch: Keywatch) -> Path:
        root = repository(tmp_path / "repo")
        done = keywatch("hook", "install", "commit-msg", "pre-push", cwd=root)
        assert done.stdout.count(b" now checks ") == 2
        return root

    def commit(
        self, root: Path, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        argv = ["git", "-c", "user.name=t", "-c", "user.email=t@e.org", "commit", "--allow-empty"]
        env = os.environ | variables
        return subprocess.run(
            [*argv, *arguments], cwd=root, env=env, capture_output=True, text=True, check=False
        )

    def test_a_secret_in_it_is_refused(self, repo: Path) -> None:
        done = self.commit(repo, "-m", f"deploy\n\n{leak()}")
        assert done.returncode == 1
        assert "COMMIT_EDITMSG:3:10" in done.stderr

    def test_a_clean_one_is_passed_without_a_word(self, repo: Path) -> None:
        done = self.commit(repo, "-q", "-m", "Passwords are kept in the store")
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_what_a_verbose_commit_shows_below_it_is_not_of_it(self, repo: Path) -> None:
        write_files(repo, {"app.py": leak()})
        git(repo, "add", "-A")
        editor = 'sh -c \'echo words | cat - "$1" > "$1.new"; mv "$1.new" "$1"\' -'
        done = self.commit(repo, "--verbose", GIT_EDITOR=editor)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_in_a_linked_work_tree(self, repo: Path, tmp_path: Path) -> None:
        git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
        done = self.commit(tmp_path / "side", "-m", leak())
        assert done.returncode == 1

    @pytest.mark.parametrize("arguments", [(), ("a", "b"), ("nothing-there",)])
    def test_it_takes_one_file(
        self, repo: Path, keywatch: Keywatch, arguments: tuple[str, ...]
    ) -> None:
        assert keywatch("hook", "commit-msg", *arguments, cwd=repo).returncode == 2

    def test_another_hook_cannot_be_installed(self, repo: Path, keywatch: Keywatch) -> None:
        done = keywatch("hook", "install", "post-merge", cwd=repo)
        assert done.returncode == 2


@pytest.mark.parametrize("name", ["pre-commit", "pre-push", "commit-msg", "pre-receive"])
def test_each_script_of_hooks_runs_its_action(name: str) -> None:
    path = ROOT / "hooks" / name
    assert os.access(path, os.X_OK)
    assert f"exec keywatch hook {name}" in path.read_text()
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
