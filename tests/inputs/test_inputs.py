"""Where bytes come from, tried from outside: paths, the work tree, the index, standard input."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helpers import IDENTITY, Keywatch, git, leak, repository, scan, token

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def write(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def stage(folder: Path, name: str, data: str | bytes) -> None:
    write(folder, name, data)
    git(folder, "add", "--", name)


class TestPaths:
    def test_one_file(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write(tmp_path, "a.py", leak())
        write(tmp_path, "b.py", leak())
        assert scan(keywatch, "a.py", cwd=tmp_path).places == [("a.py", 1, 10)]

    def test_a_folder(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write(tmp_path, "tree/deep/a.py", leak())
        write(tmp_path, "b.py", leak())
        assert scan(keywatch, "tree", cwd=tmp_path).paths == ["deep/a.py"]

    def test_several_of_both(self, keywatch: Keywatch, repo: Path) -> None:
        for name in ("one/a.py", "two/b.py", "three/c.py"):
            write(repo, name, leak())
        seen = scan(keywatch, "one", "two/b.py", cwd=repo)
        assert (seen.code, seen.paths) == (1, ["one/a.py", "two/b.py"])

    def test_a_path_given_twice_is_read_once(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "sub/a.py", leak())
        seen = scan(keywatch, "sub", "sub/a.py", "./sub/../sub", cwd=repo)
        assert (seen.files, seen.paths) == (1, ["sub/a.py"])

    def test_the_root_with_a_file_in_it_is_still_the_whole_root(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "sub/a.py", leak())
        write(repo, "b.py", leak())
        assert scan(keywatch, ".", "b.py", cwd=repo).paths == ["b.py", "sub/a.py"]

    @pytest.mark.parametrize("in_git", [True, False])
    def test_from_another_folder_it_finds_the_same_with_the_same_fingerprints(
        self, keywatch: Keywatch, tmp_path: Path, in_git: bool
    ) -> None:
        tree = repository(tmp_path / "tree") if in_git else tmp_path / "tree"
        for name in ("a.py", "sub/b.py"):
            write(tree, name, leak())
        inside = scan(keywatch, cwd=tree)
        elsewhere = scan(keywatch, str(tree), cwd=Path("/"))
        assert inside.paths == ["a.py", "sub/b.py"]
        assert inside.report["findings"] == elsewhere.report["findings"]

    def test_a_subfolder_of_a_repository_keeps_the_repositorys_paths(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "sub/deep/b.py", leak())
        whole = scan(keywatch, cwd=repo).report["findings"]
        assert scan(keywatch, ".", cwd=repo / "sub" / "deep").report["findings"] == whole
        assert scan(keywatch, str(repo / "sub"), cwd=Path("/")).report["findings"] == whole

    def test_without_arguments_a_subfolder_scans_the_whole_repository(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "a.py", leak())
        (repo / "sub").mkdir()
        assert scan(keywatch, cwd=repo / "sub").paths == ["a.py"]

    def test_a_link_named_by_hand_is_followed(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write(tmp_path, "real/a.py", leak())
        (tmp_path / "link").symlink_to("real")
        (tmp_path / "link.py").symlink_to("real/a.py")
        assert scan(keywatch, "link", cwd=tmp_path).paths == ["a.py"]
        assert scan(keywatch, "link.py", cwd=tmp_path).paths == ["a.py"]

    def test_names_of_any_bytes_are_read_and_reported(self, keywatch: Keywatch, repo: Path) -> None:
        names = [
            b"new\nline.py",
            b"caf\xe9.py",
            b"-x",
            b"--exclude=**",
            b" a ",
            b"\x1b[2J",
            b":(top)",
        ]
        for name in names:
            Path(os.fsdecode(os.fsencode(repo) + b"/" + name)).write_text(leak())
        seen = scan(keywatch, cwd=repo)
        assert len(seen.paths) == len(names)
        git(repo, "add", "--all")
        assert len(scan(keywatch, "--staged", cwd=repo).paths) == len(names)
        assert len(scan(keywatch, "--no-git", cwd=repo).paths) == len(names)


class TestWorkTree:
    def test_tracked_and_new_files_are_read_and_ignored_ones_are_not(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, ".gitignore", "build/\n*.log\n")
        stage(repo, "tracked.py", leak())
        write(repo, "new.py", leak())
        write(repo, "build/made.py", leak())
        write(repo, "a.log", leak())
        assert scan(keywatch, cwd=repo).paths == ["new.py", "tracked.py"]

    def test_a_tracked_file_is_read_although_it_is_ignored(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "kept.log", leak())
        write(repo, ".gitignore", "*.log\n")
        assert scan(keywatch, cwd=repo).paths == ["kept.log"]

    def test_an_ignored_file_that_somebody_names_is_read(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, ".gitignore", "*.log\n")
        write(repo, "a.log", leak())
        assert scan(keywatch, "a.log", cwd=repo).paths == ["a.log"]

    def test_no_git_walks_everything(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, ".gitignore", "*.log\n")
        write(repo, "deep/er/a.log", leak())
        assert scan(keywatch, "--no-git", cwd=repo).paths == ["deep/er/a.log"]

    def test_the_work_trees_bytes_count_not_the_indexs(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        write(repo, "a.py", "nothing\n")
        assert scan(keywatch, cwd=repo).paths == []

    def test_a_tracked_file_that_is_deleted_is_absent(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "a.py", leak())
        (repo / "a.py").unlink()
        seen = scan(keywatch, cwd=repo)
        assert (seen.code, seen.skips) == (0, [("absent", "a.py")])

    def test_a_tracked_folder_that_became_a_file_is_absent(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "sub/a.py", leak())
        (repo / "sub/a.py").unlink()
        (repo / "sub").rmdir()
        write(repo, "sub", "a file now\n")
        seen = scan(keywatch, cwd=repo)
        assert (seen.code, seen.skips) == (0, [("absent", "sub/a.py")])

    def test_a_repository_with_sha256_names(self, keywatch: Keywatch, tmp_path: Path) -> None:
        repo = repository(tmp_path / "new", "--object-format=sha256")
        stage(repo, "a.py", leak())
        assert scan(keywatch, cwd=repo).paths == ["a.py"]
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]

    def test_a_linked_worktree(self, keywatch: Keywatch, repo: Path, tmp_path: Path) -> None:
        linked = tmp_path / "linked"
        git(repo, "worktree", "add", "--quiet", str(linked))
        stage(linked, "a.py", leak())
        write(linked, "b.py", leak())
        assert scan(keywatch, cwd=linked).paths == ["a.py", "b.py"]
        assert scan(keywatch, "--staged", cwd=linked).paths == ["a.py"]
        assert scan(keywatch, cwd=repo).paths == []

    def test_a_repository_that_the_environment_names_is_not_another_one(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        """Git sets these for a hook; the hook may scan any other repository."""
        other = repository(tmp_path / "other")
        write(other, "a.py", leak())
        variables = {"GIT_DIR": f"{repo}/.git", "GIT_WORK_TREE": str(repo)}
        assert scan(keywatch, str(other), cwd=repo, **variables).paths == ["a.py"]

    def test_a_safe_directory_in_the_environment_is_the_users_word(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        if os.getuid():
            pytest.skip("only root can give a repository away")
        write(repo, "a.py", leak())
        os.chown(repo, 65534, 65534)
        refused = scan(keywatch, cwd=repo)
        assert refused.code == 2
        assert "safe.directory" in refused.err
        said = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        assert scan(keywatch, cwd=repo, **said).paths == ["a.py"]


class TestStaged:
    def test_the_indexs_bytes_count_not_the_work_trees(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        write(repo, "a.py", "mended, but not staged\n")
        write(repo, "b.py", leak())
        assert scan(keywatch, "--staged", cwd=repo).places == [("a.py", 1, 10)]

    def test_what_the_last_commit_holds_already_is_not_read(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        git(repo, "commit", "--quiet", "-m", "a leak")
        stage(repo, "b.py", "new\n")
        seen = scan(keywatch, "--staged", cwd=repo)
        assert (seen.code, seen.files) == (0, 1)

    def test_nothing_staged_is_clean_and_says_so(self, keywatch: Keywatch, repo: Path) -> None:
        done = keywatch("scan", "--staged", cwd=repo)
        assert done.returncode == 0
        assert b"0 files" in done.stdout

    def test_keywatch_yaml_is_read_from_the_index(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "keywatch.yaml", "version: 1\nscan: {exclude: ['a.py']}\n")
        stage(repo, "a.py", leak())
        write(repo, "keywatch.yaml", "version: 1\n")
        assert scan(keywatch, "--staged", cwd=repo).paths == []
        stage(repo, "keywatch.yaml", "version: 1\n")
        write(repo, "keywatch.yaml", "version: 1\nscan: {exclude: ['a.py']}\n")
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]

    def test_an_untracked_keywatch_yaml_says_nothing_about_a_commit(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "keywatch.yaml", "version: 1\nscan: {exclude: ['**']}\n")
        stage(repo, "a.py", leak())
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]

    def test_the_baseline_is_read_from_the_index(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "a.py", leak())
        assert keywatch("baseline", "create", cwd=repo).returncode == 0
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]
        git(repo, "add", ".keywatch.baseline")
        (repo / ".keywatch.baseline").unlink()
        assert scan(keywatch, "--staged", cwd=repo).paths == []

    def test_deleted_files_are_not_read(self, keywatch: Keywatch, repo: Path) -> None:
        git(repo, "rm", "--quiet", "start.txt")
        seen = scan(keywatch, "--staged", cwd=repo)
        assert (seen.code, seen.files, seen.gaps) == (0, 0, [])

    def test_a_renamed_file_is_read_under_its_new_name(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        git(repo, "commit", "--quiet", "-m", "a leak")
        git(repo, "mv", "a.py", "b.py")
        assert scan(keywatch, "--staged", cwd=repo).paths == ["b.py"]

    def test_a_change_of_mode_alone_is_read(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "a.py", leak())
        git(repo, "commit", "--quiet", "-m", "a leak")
        git(repo, "update-index", "--chmod=+x", "a.py")
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]

    def test_an_intent_to_add_is_no_content_yet(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "a.py", leak())
        git(repo, "add", "--intent-to-add", "a.py")
        seen = scan(keywatch, "--staged", cwd=repo)
        assert (seen.code, seen.gaps) == (0, [])

    def test_submodules_and_links_are_listed_not_read(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        other = repository(tmp_path / "other")
        git(
            repo,
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            str(other),
            "sub",
        )
        (repo / "link").symlink_to("/etc/passwd")
        git(repo, "add", "link")
        expected = [("submodule", "sub"), ("symlink", "link")]
        assert scan(keywatch, "--staged", cwd=repo).skips == expected[:1]
        assert sorted(scan(keywatch, cwd=repo).skips) == expected

    def test_the_target_of_a_staged_link_is_scanned(self, keywatch: Keywatch, repo: Path) -> None:
        (repo / "start.txt").unlink()
        (repo / "start.txt").symlink_to(f"elsewhere/{token()}")
        git(repo, "add", "start.txt")
        assert scan(keywatch, "--staged", cwd=repo).paths == ["start.txt"]

    def test_before_the_first_commit_everything_is_staged(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        git(tmp_path, "init", "--quiet")
        stage(tmp_path, "a.py", leak())
        assert scan(keywatch, "--staged", cwd=tmp_path).paths == ["a.py"]

    def test_from_a_subfolder_all_that_is_staged_is_read(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        stage(repo, "sub/b.py", leak())
        assert scan(keywatch, "--staged", cwd=repo / "sub").paths == ["a.py", "sub/b.py"]

    def test_a_folder_means_what_is_staged_in_it(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "a.py", leak())
        stage(repo, "sub/b.py", leak())
        write(repo, "sub/c.py", leak())
        assert scan(keywatch, "--staged", "sub", cwd=repo).paths == ["sub/b.py"]
        assert scan(keywatch, "--staged", ".", cwd=repo / "sub").paths == ["sub/b.py"]

    def test_a_named_file_that_is_not_staged_is_not_read(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "a.py", leak())
        assert scan(keywatch, "--staged", "a.py", cwd=repo).files == 0

    def test_a_conflict_is_a_gap_that_says_what_to_do(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "a.py", "one\n")
        git(repo, "commit", "--quiet", "-m", "one")
        git(repo, "checkout", "--quiet", "-b", "side", "HEAD~1")
        stage(repo, "a.py", "two\n")
        git(repo, "commit", "--quiet", "-m", "two")
        git(repo, "merge", "main", code=1)
        seen = scan(keywatch, "--staged", cwd=repo)
        assert (seen.code, seen.gaps) == (3, [("unreadable", "a.py")])
        assert seen.report["gaps"][0]["reason"] == "it is unmerged: resolve and git add it"
        assert b"git add" in keywatch("hook", "pre-commit", "a.py", cwd=repo).stdout

    def test_a_replaced_object_is_not_what_a_commit_would_hold(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        stage(repo, "harmless.py", "nothing\n")
        names = git(repo, "rev-parse", ":a.py", ":harmless.py").split()
        git(repo, "replace", *names)
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]

    def test_a_split_index(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "a.py", leak())
        git(repo, "update-index", "--split-index")
        assert scan(keywatch, "--staged", cwd=repo).paths == ["a.py"]

    @pytest.mark.parametrize("more", [(), ("--sparse-index",)])
    def test_a_sparse_checkout(self, keywatch: Keywatch, repo: Path, more: tuple[str, ...]) -> None:
        for name in ("in/a.py", "out/b.py"):
            stage(repo, name, leak())
        git(repo, "commit", "--quiet", "-m", "both")
        git(repo, "sparse-checkout", "set", *more, "in")
        stage(repo, "in/c.py", leak())
        assert scan(keywatch, "--staged", cwd=repo).paths == ["in/c.py"]
        assert scan(keywatch, cwd=repo).skips == [("absent", "out/b.py")]


class TestCommit:
    """A real `git commit` with the hook that `keywatch hook install` writes."""

    @pytest.fixture
    def hooked(self, repo: Path) -> Path:
        hook = write(repo, ".git/hooks/pre-commit", "")
        run = f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m scanner hook pre-commit'
        hook.write_text(f"#!/bin/sh\n{run}\n")
        hook.chmod(0o755)
        return repo

    def commit(self, folder: Path, *arguments: str) -> tuple[int, str]:
        argv = ["git", *IDENTITY, "commit", "--quiet", "-m", "try", *arguments]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_all_takes_what_it_would_commit(self, hooked: Path) -> None:
        write(hooked, "start.txt", leak())
        code, said = self.commit(hooked, "--all")
        assert code == 1
        assert "start.txt:1:10" in said

    def test_a_partial_commit_takes_its_own_files_alone(self, hooked: Path) -> None:
        stage(hooked, "a.py", leak())
        write(hooked, "start.txt", "changed\n")
        assert self.commit(hooked, "start.txt")[0] == 0
        code, said = self.commit(hooked, "a.py")
        assert code == 1
        assert "a.py:1:10" in said

    def test_names_of_any_bytes_that_a_hook_is_given(self, keywatch: Keywatch, repo: Path) -> None:
        names = [
            os.fsdecode(name) for name in (b"new\nline.py", b"caf\xe9.py", b"--exclude=**", b"-")
        ]
        for name in names:
            stage(repo, name, leak())
            write(repo, name, "mended, but not staged\n")
        done = keywatch("hook", "pre-commit", "--report=json=-", *names, cwd=repo)
        assert done.returncode == 1
        assert len(json.loads(done.stdout)["findings"]) == len(names)

    def test_an_amended_commit(self, hooked: Path) -> None:
        stage(hooked, "a.py", leak())
        assert self.commit(hooked, "--amend")[0] == 1

    def test_in_a_subfolder(self, hooked: Path) -> None:
        stage(hooked, "sub/a.py", leak())
        code, said = self.commit(hooked / "sub")
        assert code == 1
        assert "sub/a.py:1:10" in said

    def test_in_a_linked_worktree(self, hooked: Path, tmp_path: Path) -> None:
        linked = tmp_path / "linked"
        git(hooked, "worktree", "add", "--quiet", str(linked))
        write(linked, "start.txt", leak())
        assert self.commit(linked, "--all")[0] == 1
        write(linked, "start.txt", "changed\n")
        assert self.commit(linked, "--all") == (0, "")


class TestStandardInput:
    def test_it_is_judged_under_the_name_given(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "sub/a.py", leak())
        given = scan(
            keywatch, "--stdin", "--stdin-name", "sub/a.py", cwd=repo, stdin=leak().encode()
        )
        assert given.report["findings"] == scan(keywatch, cwd=repo).report["findings"]

    def test_the_name_is_relative_to_the_current_folder(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        (repo / "sub").mkdir()
        given = ("--stdin", "--stdin-name", "a.py")
        assert scan(keywatch, *given, cwd=repo / "sub", stdin=leak().encode()).paths == ["sub/a.py"]

    def test_the_repositorys_policy_holds_for_it(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "keywatch.yaml", "version: 1\nscan: {exclude: ['docs/**']}\n")
        given = ("--stdin", "--stdin-name")
        assert scan(keywatch, *given, "docs/a", cwd=repo, stdin=leak().encode()).paths == []
        assert scan(keywatch, *given, "src/a", cwd=repo, stdin=leak().encode()).paths == ["src/a"]

    def test_what_is_too_long_to_be_read_is_a_gap(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "keywatch.yaml", "version: 1\nscan: {max_file_size: 1KB}\n")
        seen = scan(keywatch, "--stdin", "--stdin-name=a", cwd=repo, stdin=b" " * 1001)
        assert (seen.code, seen.gaps) == (3, [("too-large", "a")])

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--stdin-name", "a"),
            ("--stdin", "--stdin-name", "a", "--staged"),
            ("--stdin", "--stdin-name", "a", "start.txt"),
            ("--stdin", "--stdin-name", "a", "--no-git"),
            ("--staged", "--no-git"),
        ],
    )
    def test_inputs_that_contradict_each_other_are_a_usage_error(
        self, keywatch: Keywatch, repo: Path, arguments: tuple[str, ...]
    ) -> None:
        assert scan(keywatch, *arguments, cwd=repo).code == 2

    def test_a_name_outside_the_tree_is_a_usage_error(self, keywatch: Keywatch, repo: Path) -> None:
        for name in ("../a.py", "/etc/a.py"):
            assert scan(keywatch, "--stdin", "--stdin-name", name, cwd=repo).code == 2

    def test_binary_input_is_skipped(self, keywatch: Keywatch, repo: Path) -> None:
        seen = scan(keywatch, "--stdin", "--stdin-name=a", cwd=repo, stdin=b"\0\1\2\3" * 99)
        assert (seen.code, seen.skips) == (0, [("binary", "a")])


class TestExclude:
    @pytest.mark.parametrize(
        ("glob", "left"),
        [
            ("a.py", ["sub/b.py", "sub/deep/c.py"]),
            ("sub", ["a.py"]),
            ("sub/", ["a.py"]),
            ("./sub/*.py", ["a.py", "sub/deep/c.py"]),
            ("deep", ["a.py", "sub/b.py"]),
            ("**/*.py", []),
            ("sub/**/c.py", ["a.py", "sub/b.py"]),
            ("sub/?.py", ["a.py", "sub/deep/c.py"]),
            ("su", ["a.py", "sub/b.py", "sub/deep/c.py"]),
            ("[ab].py", ["a.py", "sub/b.py", "sub/deep/c.py"]),
        ],
    )
    def test_globs_leave_out_what_they_say(
        self, keywatch: Keywatch, repo: Path, glob: str, left: list[str]
    ) -> None:
        for name in ("a.py", "sub/b.py", "sub/deep/c.py"):
            write(repo, name, leak())
        by_option = scan(keywatch, "--exclude", glob, cwd=repo)
        write(repo, "keywatch.yaml", f"version: 1\nscan: {{exclude: ['{glob}']}}\n")
        assert by_option.paths == scan(keywatch, cwd=repo).paths == left

    def test_what_is_left_out_is_counted_and_listed(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "a.py", leak())
        seen = scan(keywatch, "--exclude=a.py", cwd=repo)
        assert (seen.code, seen.skips) == (0, [("excluded", "a.py")])
        assert seen.report["coverage"]["skipped"] == {"excluded": 1}

    @pytest.mark.parametrize(
        "named", [("a.py",), ("sub",), ("a.py", "sub"), ("a.py", "--no-git"), (".",)]
    )
    def test_what_is_named_and_left_out_altogether_is_a_usage_error(
        self, keywatch: Keywatch, repo: Path, named: tuple[str, ...]
    ) -> None:
        write(repo, "a.py", leak())
        write(repo, "sub/b.py", leak())
        seen = scan(keywatch, *named, "--exclude", "**", cwd=repo)
        assert (seen.code, seen.report) == (2, None)
        assert "every file that you named is excluded" in seen.err
        write(repo, "keywatch.yaml", "version: 1\nscan: {exclude: ['a.py', 'sub']}\n")
        assert scan(keywatch, *named, cwd=repo).code == (0 if named == (".",) else 2)

    def test_a_named_file_is_read_whatever_else_is_left_out(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "a.py", leak())
        write(repo, "b.py", leak())
        assert scan(keywatch, "a.py", "b.py", "--exclude=b.py", cwd=repo).paths == ["a.py"]

    def test_what_is_left_out_of_a_hook_of_the_index_and_of_standard_input_is_no_mistake(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        stage(repo, "a.py", leak())
        left_out = "--exclude=a.py"
        assert keywatch("hook", "pre-commit", left_out, "a.py", cwd=repo).returncode == 0
        assert scan(keywatch, "--staged", "a.py", left_out, cwd=repo).code == 0
        given = ("--stdin", "--stdin-name=a.py", left_out)
        assert scan(keywatch, *given, cwd=repo, stdin=leak().encode()).code == 0
        assert scan(keywatch, "--exclude=**", cwd=repo).code == 0


class TestEncodings:
    TEXT = f'# ключ é 日本 😀\n\tk😀é = "{token()}"\r\nlast = 1'

    @pytest.mark.parametrize(
        ("encoding", "bom"),
        [
            ("utf-8", b""),
            ("utf-8", b"\xef\xbb\xbf"),
            ("utf-16-le", b"\xff\xfe"),
            ("utf-16-be", b"\xfe\xff"),
            ("utf-16-le", b""),
            ("utf-16-be", b""),
            ("utf-32-le", b"\xff\xfe\0\0"),
            ("utf-32-be", b"\0\0\xfe\xff"),
        ],
    )
    @pytest.mark.parametrize("source", ["work tree", "index", "stdin"])
    def test_lines_and_columns_count_characters(
        self, keywatch: Keywatch, repo: Path, encoding: str, bom: bytes, source: str
    ) -> None:
        data = bom + self.TEXT.encode(encoding)
        stage(repo, "a.txt", data if source != "stdin" else b"")
        more = {"work tree": (), "index": ("--staged",), "stdin": ("--stdin", "--stdin-name=a.txt")}
        seen = scan(keywatch, *more[source], cwd=repo, stdin=data)
        assert seen.places == [("a.txt", 2, 9)]
        assert seen.report["findings"][0]["location"]["end_column"] == 9 + len(token())

    @pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
    def test_a_byte_order_mark_takes_no_column(
        self, keywatch: Keywatch, repo: Path, bom: bytes
    ) -> None:
        name = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}[bom]
        write(repo, "a.txt", bom + leak().encode(name))
        assert scan(keywatch, cwd=repo).places == [("a.txt", 1, 10)]

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("words", ["пароль от базы\n", "これは設定です 。\n"])
    def test_utf_16_without_a_mark_is_text_in_any_script(
        self, keywatch: Keywatch, repo: Path, encoding: str, words: str
    ) -> None:
        write(repo, "a.txt", (words * 40 + leak() + words * 40).encode(encoding))
        assert scan(keywatch, cwd=repo).places == [("a.txt", 41, 10)]

    def test_numbers_and_random_bytes_are_no_text(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "a", random.Random(3).randbytes(20_000))
        write(repo, "b", struct.pack("<9999I", *range(9999)))
        write(repo, "c", struct.pack(">9999H", *range(9999)))
        assert {kind for kind, _ in scan(keywatch, cwd=repo).skips} == {"binary"}

    def test_latin_1_counts_bytes(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "a.txt", f'é\nclé = "{token()}"\n'.encode("latin-1"))
        assert scan(keywatch, cwd=repo).places == [("a.txt", 2, 8)]

    def test_bytes_that_are_no_text_hide_nothing(self, keywatch: Keywatch, repo: Path) -> None:
        line = b"\xff\xc0\x80\xed\xa0\x80 " + leak().encode()
        write(repo, "a.txt", "é日\n".encode() + line)
        assert [place[:2] for place in scan(keywatch, cwd=repo).places] == [("a.txt", 2)]

    def test_a_lone_surrogate_in_utf_16_hides_nothing(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "a.txt", b"\xff\xfe\x00\xd8" + leak().encode("utf-16-le"))
        assert scan(keywatch, cwd=repo).places == [("a.txt", 1, 11)]

    def test_half_a_character_at_the_end_hides_nothing(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repo, "a.txt", b"\xff\xfe" + leak().encode("utf-16-le") + b"x")
        assert scan(keywatch, cwd=repo).places == [("a.txt", 1, 10)]

    @pytest.mark.parametrize("bom", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0"])
    def test_a_wrong_byte_order_mark_hides_nothing(
        self, keywatch: Keywatch, repo: Path, bom: bytes
    ) -> None:
        stage(repo, "deploy.sh", bom + b"\n" + leak().encode() + "é\n".encode() + leak(8).encode())
        for more in ((), ("--staged",)):
            lines = [line for _, line, _ in scan(keywatch, *more, cwd=repo).places]
            assert lines == [2, 4]

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_text_that_changes_its_encoding_hides_nothing(
        self, keywatch: Keywatch, repo: Path, encoding: str
    ) -> None:
        wide = "# пароль and 日本 words\n" * 4000
        data = (wide + leak()).encode(encoding) + leak(8).encode()
        write(repo, "a.sh", data)
        narrow = wide.encode() + leak().encode() + leak(8).encode(encoding)
        write(repo, "b.sh", narrow + wide.encode() * 9)
        stage(repo, "c.sh", narrow)
        for more, paths in (((), ["a.sh", "b.sh", "c.sh"]), (("--staged",), ["c.sh"])):
            found = [path for path, *_ in scan(keywatch, *more, cwd=repo).places]
            assert found == sorted([*paths, *paths])

    @pytest.mark.parametrize("text", [leak(), "#!/bin/sh\n" + leak()])
    def test_a_zero_byte_does_not_make_a_script_binary(
        self, keywatch: Keywatch, repo: Path, text: str
    ) -> None:
        write(repo, "a", b"\0" + (text * 3).encode())
        write(repo, "b", text.encode() + b"\0" * (text.count("#!") * 20 + 1))
        seen = scan(keywatch, cwd=repo)
        assert (seen.skips, {path for path, *_ in seen.places}) == ([], {"a", "b"})

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_lines_end_as_their_file_says(self, keywatch: Keywatch, repo: Path, end: str) -> None:
        write(repo, "a.txt", end.join(["one", "two", leak().strip(), "four"]))
        assert scan(keywatch, cwd=repo).places == [("a.txt", 3, 10)]


class TestNotRead:
    def test_the_git_folders_below_are_listed_as_skipped(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "vendor" / "lib"
        (folder / ".git").mkdir(parents=True)
        for file in (folder / ".git" / "config", folder / "a.py"):
            file.write_text("a = 1")
        seen = scan(keywatch, "--no-git", cwd=tmp_path)
        assert (seen.code, seen.skips) == (0, [("git-folder", "vendor/lib/.git")])

    def test_binary_files_are_skipped(self, keywatch: Keywatch, repo: Path) -> None:
        write(repo, "a.bin", bytes(range(256)) * 9 + leak().encode())
        stage(repo, "b.bin", b"\0" * 99)
        seen = scan(keywatch, cwd=repo)
        assert (seen.code, seen.skips) == (0, [("binary", "a.bin"), ("binary", "b.bin")])
        assert scan(keywatch, "--staged", cwd=repo).skips == [("binary", "b.bin")]

    def test_files_over_the_limit_are_skipped(self, keywatch: Keywatch, repo: Path) -> None:
        stage(repo, "keywatch.yaml", "version: 1\nscan: {max_file_size: 100 B}\n")
        stage(repo, "a.py", leak() + " " * 100)
        stage(repo, "b.py", leak() + "\n" * (100 - len(leak())))
        for more in ((), ("--staged",)):
            seen = scan(keywatch, *more, cwd=repo)
            assert (seen.skips, seen.paths) == ([("too-large", "a.py")], ["b.py"])

    def test_links_are_skipped_wherever_they_lead(self, keywatch: Keywatch, repo: Path) -> None:
        outside = write(repo.parent, "outside/a.py", leak())
        (repo / "file").symlink_to(outside)
        (repo / "folder").symlink_to(outside.parent)
        (repo / "loop").symlink_to("loop")
        (repo / "nowhere").symlink_to("nothing")
        expected = [("symlink", name) for name in ("file", "folder", "loop", "nowhere")]
        for more in ((), ("--no-git",)):
            seen = scan(keywatch, *more, cwd=repo)
            assert (seen.code, seen.skips) == (0, expected)

    def test_what_is_no_file_is_skipped_and_does_not_hang(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        os.mkfifo(repo / "fifo")
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(repo)  # a socket's address is short
            try:
                listener.bind("socket")
            finally:
                os.chdir(here)
            seen = scan(keywatch, "--no-git", cwd=repo)
            assert seen.skips == [("special", "fifo"), ("special", "socket")]
            assert scan(keywatch, "fifo", cwd=repo).skips == [("special", "fifo")]

    def test_a_repository_in_a_repository_is_a_submodule(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        write(repository(repo / "inner"), "a.py", leak())
        assert scan(keywatch, cwd=repo).skips == [("submodule", "inner")]
        assert scan(keywatch, "inner", cwd=repo).paths == ["a.py"]
        assert scan(keywatch, "--no-git", cwd=repo).paths == ["inner/a.py"]


class TestSelection:
    @pytest.mark.parametrize("more", [(), ("--no-git",)])
    def test_a_folder_without_a_file_is_an_error(
        self, keywatch: Keywatch, repo: Path, more: tuple[str, ...]
    ) -> None:
        (repo / "empty").mkdir()
        seen = scan(keywatch, *more, "empty", cwd=repo)
        assert seen.code == 2
        assert "empty contains no file to scan" in seen.err

    def test_a_folder_outside_git_without_a_file_is_clean(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        assert scan(keywatch, "empty", cwd=tmp_path).code == 0
        assert scan(keywatch, cwd=tmp_path / "empty").code == 0

    def test_a_repository_without_a_file_is_clean(self, keywatch: Keywatch, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet")
        assert scan(keywatch, cwd=tmp_path).code == 0

    def test_one_empty_folder_among_full_ones_is_an_error(
        self, keywatch: Keywatch, repo: Path
    ) -> None:
        (repo / "empty").mkdir()
        assert scan(keywatch, "start.txt", "empty", cwd=repo).code == 2

    def test_paths_of_two_repositories_are_an_error(
        self, keywatch: Keywatch, repo: Path, tmp_path: Path
    ) -> None:
        other = repository(tmp_path / "other")
        seen = scan(keywatch, str(repo), str(other), cwd=tmp_path)
        assert seen.code == 2
        assert "different repositories" in seen.err
