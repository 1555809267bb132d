"""What a change adds: `keywatch scan --diff`, on real repositories, from outside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench import measure
from scanner.detect.detect_secrets import default_settings, empty_document
from tests.support.archives import zipped
from tests.support.helpers import (
    NOW,
    Keywatch,
    Scanned,
    git,
    leak,
    repository,
    scan,
    token,
    write_files,
    write_non_text_files,
)
from tests.support.repositories import allowed, password

Files = Mapping[str, str | bytes]


class Pull:
    """A repository whose branch `pull` began at main."""

    def __init__(self, root: Path, keywatch: Keywatch) -> None:
        self.root = repository(root)
        self._keywatch = keywatch

    def base(self, files: Files) -> None:
        """One more commit on main, before the branch begins."""
        self.commit(files)

    def branch(self) -> None:
        git(self.root, "checkout", "-q", "-b", "pull")

    def commit(self, files: Files, *removed: str, message: str = "change") -> str:
        write_files(self.root, files)
        for name in removed:
            git(self.root, "rm", "-q", "--", name)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.root, "rev-parse", "HEAD").strip()

    def scan(self, *arguments: str) -> Scanned:
        return scan(self._keywatch, *(arguments or ("--diff", "main")), cwd=self.root)


@pytest.fixture
def pull(tmp_path: Path, keywatch: Keywatch) -> Pull:
    return Pull(tmp_path / "repo", keywatch)


def rules(seen: Scanned) -> list[str]:
    return [finding["rule"] for finding in seen.report["findings"]]


def details(seen: Scanned) -> list[str]:
    return [finding["detail"] for finding in seen.report["findings"]]


class TestWhatIsNew:
    def test_a_secret_on_an_added_line_is_reported_with_its_commit(self, pull: Pull) -> None:
        pull.branch()
        commit = pull.commit({"app.py": "x = 1\n" + leak()})
        seen = pull.scan()
        assert (seen.code, seen.places) == (1, [("app.py", 2, 10)])
        (finding,) = seen.report["findings"]
        assert finding["since"]["commit"] == commit
        assert finding["since"]["author"] == "Test <test@example.org>"
        assert finding["since"]["present"] is True
        assert token() not in json.dumps(seen.report)

    def test_one_that_the_base_has_is_not(self, pull: Pull) -> None:
        pull.base({"app.py": leak()})
        pull.branch()
        pull.commit({"app.py": "x = 1\n" + leak()})
        assert (pull.scan().code, pull.scan().places) == (0, [])

    def test_a_key_that_becomes_a_sensitive_one_is_new_though_its_value_is_not(
        self, pull: Pull
    ) -> None:
        value = password(3).split('"')[1]
        text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - env:\n    - name: {}\n"
        text += f"      value: {value}\n"
        pull.base({"pod.yaml": text.format("LABEL_TEXT")})
        pull.branch()
        pull.commit({"pod.yaml": text.format("DB_PASSWORD")})
        assert pull.scan().places[0][:2] == ("pod.yaml", 7)

    def test_the_whole_file_is_analysed_not_the_lines_alone(self, pull: Pull) -> None:
        manifest = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n" + "# filler\n" * 9
        pull.base({"s.yaml": manifest + "stringData:\n  user: ${USER}\n"})
        pull.branch()
        pull.commit({"s.yaml": manifest + "stringData:\n  user: ${USER}\n  extra: Tr0ub4dor-x9\n"})
        assert pull.scan().places[0][:2] == ("s.yaml", 16)

    def test_a_secret_in_a_new_files_name_is_reported_and_in_an_old_ones_not(
        self, pull: Pull
    ) -> None:
        pull.base({f"{token(1)}.txt": "a\n"})
        pull.branch()
        pull.commit({f"{token(1)}.txt": "b\n", f"{token(2)}.txt": "b\n"})
        (finding,) = pull.scan().report["findings"]
        assert "in the file's name" in finding["detail"]

    def test_what_was_added_and_removed_again_is_to_be_revoked(self, pull: Pull) -> None:
        pull.branch()
        added = pull.commit({"app.py": leak()})
        pull.commit({"app.py": "x = 1\n"})
        seen = pull.scan()
        assert seen.code == 1
        (finding,) = seen.report["findings"]
        assert finding["detail"].startswith("only in the history, revoke it: commit " + added[:12])
        assert finding["since"]["present"] is False

    def test_what_was_removed_and_put_back_is_not_new(self, pull: Pull) -> None:
        pull.base({"app.py": leak()})
        pull.branch()
        pull.commit({"app.py": "x = 1\n"})
        pull.commit({"app.py": leak()})
        pull.commit({"other.py": "y = 1\n"})
        assert pull.scan().places == []

    def test_a_line_that_moved_within_its_file_is_not_new(self, pull: Pull) -> None:
        pull.base({"app.py": leak() + "a = 1\nb = 2\n"})
        pull.branch()
        pull.commit({"app.py": "a = 1\nb = 2\n" + leak()})
        assert pull.scan().places == []

    def test_binary_files_are_skipped_and_utf_16_is_read(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"a.bin": b"\0\1\2" * 99, "wide.py": leak().encode("utf-16")})
        seen = pull.scan()
        assert seen.paths == ["wide.py"]
        assert seen.skips == [("binary", "a.bin")]

    def test_archives_are_opened_where_that_is_asked_for(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"a.zip": zipped({"in.py": leak().encode()})})
        assert pull.scan().skips == [("binary", "a.zip")]
        assert pull.scan("--diff", "main", "--archives").paths == ["a.zip!/in.py"]

    def test_a_committed_secret_file_of_a_new_compose_file(self, pull: Pull) -> None:
        pull.branch()
        compose = "services: {}\nsecrets:\n  db:\n    file: ./db.txt\n"
        pull.commit({"compose.yaml": compose, "db.txt": "x\n"})
        assert "compose-secret-file-committed" in rules(pull.scan())


class TestRenames:
    def test_a_file_that_only_moved_adds_nothing(self, pull: Pull) -> None:
        pull.base({"app.py": leak() + "x = 1\n" * 30})
        pull.branch()
        git(pull.root, "mv", "app.py", "main.py")
        pull.commit({})
        assert pull.scan().places == []

    def test_nor_does_one_that_was_edited_elsewhere_while_it_moved(self, pull: Pull) -> None:
        pull.base({"app.py": leak() + "x = 1\n" * 30})
        pull.branch()
        git(pull.root, "mv", "app.py", "main.py")
        pull.commit({"main.py": leak() + "x = 1\n" * 29 + "y = 2\n" + leak(9)})
        assert [line for _, line, _ in pull.scan().places] == [32]

    def test_a_secret_that_moved_twice_is_no_news_in_between(self, pull: Pull) -> None:
        pull.base({"app.py": leak() + "x = 1\n" * 30})
        pull.branch()
        for old, new in (("app.py", "b.py"), ("b.py", "c.py")):
            git(pull.root, "mv", old, new)
            pull.commit({})
        pull.commit({"d.py": "y = 1\n"})
        assert pull.scan().places == []

    def test_out_of_an_excluded_folder_everything_is_new(self, pull: Pull) -> None:
        pull.base(
            {
                "keywatch.yaml": "version: 1\nscan: {exclude: [vendor]}\n",
                "vendor/app.py": leak(),
            }
        )
        pull.branch()
        git(pull.root, "mv", "vendor/app.py", "new\nline.py")
        pull.commit({})
        assert pull.scan().paths == ["new\nline.py"]

    def test_to_a_name_that_says_more_it_is_new(self, pull: Pull) -> None:
        line = f"db.example.org:5432:app:admin:{password(5).split(chr(34))[1]}\n"
        pull.base({"notes": line})
        pull.branch()
        git(pull.root, "mv", "notes", ".pgpass")
        pull.commit({})
        assert pull.scan().paths == [".pgpass"]


class TestRanges:
    def test_the_base_may_have_gone_on(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        git(pull.root, "checkout", "-q", "main")
        pull.commit({"other.py": leak(8)})
        git(pull.root, "checkout", "-q", "pull")
        assert pull.scan().paths == ["app.py"]

    @pytest.mark.parametrize("said", ["main..pull", "main...pull", "main..", "main"])
    def test_each_way_to_say_it(self, pull: Pull, said: str) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        assert pull.scan("--diff", said).paths == ["app.py"]

    def test_what_a_merge_of_main_brings_is_not_the_branchs(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        git(pull.root, "checkout", "-q", "main")
        pull.commit({"other.py": leak(8)})
        git(pull.root, "checkout", "-q", "pull")
        git(pull.root, "merge", "-q", "-m", "merge", "main")
        pull.commit({"more.py": "x = 1\n"})
        assert pull.scan().paths == ["app.py"]

    def test_what_the_merge_itself_adds_and_a_later_commit_removes(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"app.py": "x = 1\n"})
        git(pull.root, "checkout", "-q", "main")
        pull.commit({"other.py": "y = 1\n"})
        git(pull.root, "checkout", "-q", "pull")
        git(pull.root, "merge", "-q", "--no-commit", "main")
        pull.commit({"evil.py": leak()}, message="merge")
        pull.commit({"evil.py": "z = 1\n"})
        seen = pull.scan()
        assert seen.paths == ["evil.py"]
        assert details(seen)[0].startswith("only in the history")

    def test_nothing_new_is_clean_and_says_so(self, pull: Pull) -> None:
        seen = pull.scan("--diff", "main")
        assert (seen.code, seen.files, seen.report["complete"]) == (0, 0, True)

    def test_a_detached_head(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        git(pull.root, "checkout", "-q", "--detach")
        assert pull.scan().paths == ["app.py"]

    def test_a_criss_cross_of_merges(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"a.py": "x = 1\n"})
        git(pull.root, "branch", "middle")
        git(pull.root, "checkout", "-q", "main")
        pull.commit({"b.py": leak(8)})
        git(pull.root, "branch", "before")
        git(pull.root, "merge", "-q", "-m", "one", "middle")
        git(pull.root, "checkout", "-q", "pull")
        git(pull.root, "merge", "-q", "-m", "two", "before")
        pull.commit({"b.py": "y = 1\n" + leak(8), "c.py": leak(9)})
        git(pull.root, "mv", "a.py", "d.py")
        pull.commit({"d.py": "x = 1\n" + leak(7)})
        assert pull.scan().places == [("c.py", 1, 10), ("d.py", 2, 10)]

    def test_a_bare_repository(self, pull: Pull, keywatch: Keywatch, tmp_path: Path) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        git(tmp_path, "clone", "-q", "--bare", str(pull.root), "bare.git")
        seen = scan(keywatch, "--diff", "main..pull", cwd=tmp_path / "bare.git")
        assert seen.paths == ["app.py"]

    def test_a_planted_one_inside_the_work_tree_is_not_taken_for_the_repository(
        self, pull: Pull, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        git(tmp_path, "clone", "-q", "--bare", str(pull.root), str(pull.root / "planted"))
        seen = scan(keywatch, "--diff", "main", cwd=pull.root / "planted")
        assert seen.code == 2
        assert "a repository inside another repository" in seen.err
        told = str(pull.root / "planted")
        assert scan(keywatch, "--diff", "main", cwd=pull.root / "planted", GIT_DIR=told).code == 0
        for name in ("HEAD", "objects/x", "refs/x"):
            write_files(pull.root, {name: "ref: refs/heads/main\n"})
        pull.branch()
        pull.commit({"app.py": leak()})
        assert "app.py" in pull.scan().paths

    def test_sha_256(self, keywatch: Keywatch, tmp_path: Path) -> None:
        root = repository(tmp_path / "wide", "--object-format=sha256")
        write_files(root, {"app.py": leak()})
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "leak")
        assert scan(keywatch, "--diff", "HEAD~1", cwd=root).paths == ["app.py"]


class TestWrongRanges:
    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ("nope", "nope names no commit here"),
            ("0" * 40, "there was nothing before"),
            ("--output=x", "--output=x names no commit here"),
            ("HEAD..nope", "nope names no commit here"),
        ],
    )
    def test_a_name_that_is_no_commit(self, pull: Pull, said: str, words: str) -> None:
        seen = pull.scan(f"--diff={said}")
        assert seen.code == 2
        assert words in seen.err

    def test_an_unborn_branch(self, keywatch: Keywatch, tmp_path: Path) -> None:
        git(tmp_path, "init", "-q")
        seen = scan(keywatch, "--diff", "HEAD", cwd=tmp_path)
        assert seen.code == 2
        assert "no commit here yet" in seen.err

    def test_no_repository(self, keywatch: Keywatch, tmp_path: Path) -> None:
        assert scan(keywatch, "--diff", "main", cwd=tmp_path).code == 2

    def test_branches_that_have_nothing_in_common(self, pull: Pull) -> None:
        git(pull.root, "checkout", "-q", "--orphan", "pull")
        pull.commit({"app.py": leak()})
        seen = pull.scan()
        assert seen.code == 2
        assert "in common" in seen.err
        assert "name the branch" in seen.err

    def test_a_shallow_clone_says_what_to_fetch(
        self, pull: Pull, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        pull.commit({"b.py": "x = 1\n"})
        git(pull.root, "checkout", "-q", "main")
        pull.commit({"c.py": "x = 1\n"})
        address = f"file://{pull.root}"
        git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", address, "shallow")
        seen = scan(keywatch, "--diff", "origin/main..origin/pull", cwd=tmp_path / "shallow")
        assert seen.code == 2
        assert "the clone is shallow" in seen.err
        assert "fetch-depth: 0" in seen.err
        git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
        seen = scan(keywatch, "--diff", "origin/main..origin/pull", cwd=tmp_path / "shallow")
        assert seen.paths == ["app.py"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--diff", "main", "start.txt"),
            ("--diff", "main", "--staged"),
            ("--diff", "main", "--no-git"),
            ("--diff", "main", "--history"),
            ("--trust", "main"),
            ("--since-last",),
            ("--diff", "main", "--trust", "nope"),
        ],
    )
    def test_arguments_that_mean_nothing_together(
        self, pull: Pull, arguments: tuple[str, ...]
    ) -> None:
        seen = pull.scan(*arguments)
        assert seen.code == 2
        assert seen.report is None


class TestMissingObjects:
    def test_a_blob_that_a_partial_clone_left_out_is_a_gap(
        self, pull: Pull, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        pull.branch()
        pull.commit({"app.py": leak()})
        git(pull.root, "config", "uploadpack.allowFilter", "true")
        address = f"file://{pull.root}"
        git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", address, "part")
        seen = scan(keywatch, "--diff", "origin/main..origin/pull", cwd=tmp_path / "part")
        assert (seen.code, seen.gaps) == (3, [("unreadable", "app.py")])
        assert "partial" in seen.report["gaps"][0]["reason"]

    def test_a_damaged_blob_is_a_gap_and_the_others_are_read(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"a.py": "x = 1\n" * 50, "b.py": leak(), "c.py": leak(9)})
        damage(pull.root, "HEAD:a.py")
        seen = pull.scan()
        assert seen.paths == ["b.py", "c.py"]
        assert seen.gaps == [("unreadable", "a.py")]

    def test_a_tree_that_is_gone_is_a_gap(self, pull: Pull) -> None:
        pull.branch()
        pull.commit({"deep/a.py": leak()})
        damage(pull.root, "HEAD:deep")
        seen = pull.scan()
        assert seen.code == 3
        assert "git fsck" in seen.report["gaps"][0]["reason"]


def damage(root: Path, name: str) -> None:
    """Cut a loose object off."""
    oid = git(root, "rev-parse", name).strip()
    path = root / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:10])


class TestOddFiles:
    def test_a_few_trees_that_stand_for_millions_of_files_are_a_gap(self, pull: Pull) -> None:
        pull.branch()
        entry = f"100644 blob {git(pull.root, 'hash-object', '-w', 'start.txt').strip()}"
        for _ in range(5):
            argv = ["git", "mktree"]
            names = "".join(f"{entry}\t{name:0200}\n" for name in range(10))
            made = subprocess.run(
                argv, cwd=pull.root, input=names.encode(), capture_output=True, check=True
            )
            entry = f"040000 tree {made.stdout.decode().strip()}"
        commit = git(pull.root, "commit-tree", "-p", "HEAD", "-m", "x", entry.split()[2]).strip()
        seen = pull.scan("--diff", f"main..{commit}")
        assert seen.code == 3
        assert "more files than keywatch can list" in seen.report["gaps"][0]["reason"]

    def test_names_of_any_bytes(self, pull: Pull) -> None:
        pull.branch()
        names = [
            b"new\nline.py",
            b"caf\xe9.py",
            b"-x",
            b' "quoted" ',
            b".\n:000000 100644",
            b":(top)",
        ]
        for name in names:
            Path(os.fsdecode(os.fsencode(pull.root) + b"/" + name)).write_text(leak())
        pull.commit({})
        pull.commit({"last.py": "x = 1\n"})
        assert len(pull.scan().paths) == len(names)

    def test_links_submodules_and_lfs_pointers_are_skipped(
        self, pull: Pull, tmp_path: Path
    ) -> None:
        other = repository(tmp_path / "other")
        pull.branch()
        wanted = write_non_text_files(pull.root, other)
        pull.commit({})
        seen = pull.scan()
        assert seen.skips == wanted
        assert seen.report["complete"] is True

    def test_a_mode_alone_is_no_change(self, pull: Pull) -> None:
        pull.base({"app.py": leak()})
        pull.branch()
        (pull.root / "app.py").chmod(0o755)
        pull.commit({})
        seen = pull.scan()
        assert (seen.code, seen.files) == (0, 0)

    def test_a_file_over_the_limit_is_skipped(self, pull: Pull) -> None:
        pull.base({"keywatch.yaml": "version: 1\nscan: {max_file_size: 1KB}\n"})
        pull.branch()
        pull.commit({"big.py": leak() + "x = 1\n" * 999})
        assert pull.scan().skips == [("too-large", "big.py")]

    def test_a_link_that_becomes_a_file_is_read(self, pull: Pull) -> None:
        (pull.root / "app.py").symlink_to("nowhere")
        pull.base({})
        pull.branch()
        (pull.root / "app.py").unlink()
        pull.commit({"app.py": leak()})
        assert pull.scan().paths == ["app.py"]

    def test_nor_is_one_known_whose_target_was_its_text(self, pull: Pull) -> None:
        (pull.root / "app.py").symlink_to(leak())
        pull.base({})
        pull.branch()
        (pull.root / "app.py").unlink()
        pull.commit({"app.py": leak()})
        assert pull.scan().paths == ["app.py"]


POLICY = "version: 1\n"


class TestBypasses:
    """One pull request for each way to get a secret past the policy."""

    def seen(self, pull: Pull, before: Files, change: Callable[[], Any]) -> Scanned:
        pull.base(before)
        pull.branch()
        change()
        return pull.scan()

    def assert_refused(self, seen: Scanned, words: str, where: str) -> None:
        """The secret is found all the same, and what should have hidden it is named."""
        assert seen.code == 1
        assert "app.py" in seen.paths
        named = [each for each in seen.report["findings"] if each["rule"] == "policy-weakened"]
        assert words in " / ".join(each["detail"] for each in named), named
        assert where in {each["location"]["path"] for each in named}

    def test_an_allow_comment(self, pull: Pull) -> None:
        text = allowed(password(1))
        seen = self.seen(pull, {}, lambda: pull.commit({"app.py": text}))
        self.assert_refused(seen, "the allow comment for generic-password", "app.py")

    @pytest.mark.parametrize("mark", ["pragma: " + "allowlist secret", "gitleaks" + ":allow"])
    def test_an_allow_comment_of_another_tool(self, pull: Pull, mark: str) -> None:
        text = f"{password(1).rstrip()}  # {mark}\n"
        seen = self.seen(pull, {}, lambda: pull.commit({"app.py": text}))
        self.assert_refused(seen, "the allow comment for all rules", "app.py")

    def test_another_value_under_an_old_comment(self, pull: Pull) -> None:
        comment = allowed("#").removeprefix("#").strip() + "\n"
        pull.base({"app.py": comment + password(1)})
        pull.branch()
        pull.commit({"app.py": comment + password(2)})
        seen = pull.scan()
        assert rules(seen) == ["generic-password"]

    def test_an_old_comment_with_its_old_value_is_fine(self, pull: Pull) -> None:
        pull.base({"app.py": allowed(password(1))})
        pull.branch()
        pull.commit({"app.py": "x = 1\n" + allowed(password(1))})
        assert pull.scan().code == 0

    def test_an_exception_in_the_policy(self, pull: Pull, keywatch: Keywatch) -> None:
        def change() -> None:
            pull.commit({"app.py": password(1)})
            (found,) = scan(keywatch, cwd=pull.root).report["findings"]
            terms = ("--reason", "x", "--owner", "@x", "--until", "2098-01-01")
            done = keywatch("allow", found["id"], *terms, "--now", NOW, cwd=pull.root)
            assert done.returncode == 0, done.stderr
            pull.commit({})
            assert scan(keywatch, cwd=pull.root).code == 0

        seen = self.seen(pull, {"keywatch.yaml": POLICY}, change)
        self.assert_refused(seen, "the exception for generic-password in app.py", "keywatch.yaml")

    def test_a_baseline_entry(self, pull: Pull, keywatch: Keywatch) -> None:
        def change() -> None:
            pull.commit({"app.py": password(1)})
            keywatch("baseline", "create", cwd=pull.root)
            pull.commit({})
            assert scan(keywatch, cwd=pull.root).code == 0

        seen = self.seen(pull, {}, change)
        words = "the baseline entry for generic-password in app.py"
        self.assert_refused(seen, words, ".keywatch.baseline")

    def test_an_exclude(self, pull: Pull) -> None:
        policy = POLICY + "scan:\n  exclude:\n    - app.py\n"
        seen = self.seen(
            pull,
            {"keywatch.yaml": POLICY},
            lambda: pull.commit({"app.py": leak(), "keywatch.yaml": policy}),
        )
        self.assert_refused(seen, "the exclude app.py", "keywatch.yaml")
        named = [f for f in seen.report["findings"] if f["rule"] == "policy-weakened"]
        assert named[0]["location"]["line"] == 4

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ("fail_on: critical", "fail_on changed from low to critical"),
            ("min_confidence: high", "min_confidence changed from low to high"),
            ("max_file_size: 1B", "max_file_size changed from 20,000,000 to 1 bytes"),
            ("disable_rules: [github-personal-access-token]", "the disabled rule github"),
            ("legacy_pragmas: allow", "legacy_pragmas changed from warn to allow"),
            ("detect_secrets: 'off'", "detect_secrets changed from unset to off"),
        ],
    )
    def test_a_setting(self, pull: Pull, said: str, words: str) -> None:
        policy = POLICY + f"scan: {{{said}}}\n"
        seen = self.seen(pull, {}, lambda: pull.commit({"app.py": leak(), "keywatch.yaml": policy}))
        self.assert_refused(seen, words, "keywatch.yaml")

    def test_a_longer_period(self, pull: Pull) -> None:
        def policy(period: str) -> str:
            return POLICY + f"classes:\n  api-key: {{rotate_every: {period}}}\n"

        seen = self.seen(
            pull,
            {"keywatch.yaml": policy("90d")},
            lambda: pull.commit({"app.py": leak(), "keywatch.yaml": policy("900d")}),
        )
        words = "the class api-key: rotate_every 900d, where it was 90d"
        self.assert_refused(seen, words, "keywatch.yaml")

    def test_a_secret_of_a_slower_class_and_one_that_is_in_none(self, pull: Pull) -> None:
        def policy(*items: str) -> str:
            entries = "".join(f"  - {{match: 'vault://*/*/secret/{item}}}\n" for item in items)
            return POLICY + "secrets:\n" + entries

        before = policy("one', class: jwt-signing-key", "two', class: api-key")
        seen = self.seen(
            pull,
            {"keywatch.yaml": before},
            lambda: pull.commit(
                {"app.py": leak(), "keywatch.yaml": policy("one', class: encryption-key")}
            ),
        )
        words = (
            "the class of vault://*/*/secret/one: rotate_every 365d, where jwt-signing-key is 7d"
        )
        self.assert_refused(seen, words, "keywatch.yaml")
        self.assert_refused(
            seen, "the entry vault://*/*/secret/two of secrets was removed", "keywatch.yaml"
        )

    def test_a_narrower_entry_of_a_slower_class_and_a_default_that_is_loosened(
        self, pull: Pull
    ) -> None:
        entry = "  - {match: 'vault://*/*/secret/%s', class: %s}\n"
        before = POLICY + "secrets:\n" + entry % ("app/**", "jwt-signing-key")
        after = before + entry % ("app/one#key", "encryption-key")
        after += "classes:\n  db-credential: {rotate_every: 900d}\n"
        seen = self.seen(
            pull,
            {"keywatch.yaml": before},
            lambda: pull.commit({"app.py": leak(), "keywatch.yaml": after}),
        )
        words = "the entry vault://*/*/secret/app/one#key of secrets, within vault://"
        self.assert_refused(seen, words, "keywatch.yaml")
        words = "the class db-credential: rotate_every 900d, where it was 30d"
        self.assert_refused(seen, words, "keywatch.yaml")

    def test_an_accepted_gap(self, pull: Pull) -> None:
        gap = "{kind: unreadable, path: '**', reason: x, owner: '@x', until: 2098-01-01}"
        policy = POLICY + f"accept_gaps:\n  - {gap}\n"
        seen = self.seen(
            pull,
            {"keywatch.yaml": POLICY},
            lambda: pull.commit({"app.py": leak(), "keywatch.yaml": policy}),
        )
        self.assert_refused(seen, "the accepted gap unreadable in **", "keywatch.yaml")

    def test_a_policy_that_is_deleted(self, pull: Pull) -> None:
        rule = (
            "rules:\n  - {id: acme-key, title: Acme key, class: api-key, why: It reads all data., "
            "revoke: Delete it in the console., rotate: Make a new one there., "
            "pattern: 'acme_[a-z0-9]{20}', keywords: [acme_], examples: ['acme_{alnum:20}'], "
            "negative_examples: ['acme_{alnum:8}']}\n"
        )
        line = "k = 'acme_" + "k3j5h7g9" * 2 + "abcd'\n"
        pull.base({"keywatch.yaml": POLICY + rule})
        pull.branch()
        pull.commit({"app.py": line}, "keywatch.yaml")
        for matcher in ("re", "auto"):
            seen = pull.scan("--diff", "main", "--matcher", matcher)
            self.assert_refused(seen, "the rule acme-key was removed", "keywatch.yaml")

    def test_is_secret_false(self, pull: Pull) -> None:
        detect_secrets = pull.root / ".secrets.baseline"

        def label(label: bool | None) -> str:
            document = json.loads(detect_secrets.read_text())
            document["results"]["old.py"][0]["is_secret"] = label
            return json.dumps(document)

        pull.base({"old.py": password(4)})
        self._detect_secrets(pull)
        pull.branch()
        pull.commit({"app.py": password(5), ".secrets.baseline": label(False)})
        self.assert_refused(pull.scan(), "is_secret: false for Secret Keyword", ".secrets.baseline")

    def _detect_secrets(self, pull: Pull) -> None:
        document = empty_document(default_settings())
        digest = hashlib.sha1(password(4).split('"')[1].encode()).hexdigest()
        row = {"type": "Secret Keyword", "filename": "old.py", "hashed_secret": digest}
        document["results"] = {"old.py": [row | {"is_verified": False, "line_number": 1}]}
        pull.base({".secrets.baseline": json.dumps(document)})

    @pytest.mark.parametrize("what", ["plugin", "filter", "entry", "gone"])
    def test_the_baseline_of_detect_secrets(self, pull: Pull, what: str) -> None:
        pull.base({"old.py": password(4)})
        self._detect_secrets(pull)
        pull.branch()
        document = json.loads((pull.root / ".secrets.baseline").read_text())
        words = {
            "plugin": "plugin-disabled: KeywordDetector",
            "filter": "filter-added",
            "entry": "the baseline entry for Secret Keyword in app.py",
            "gone": ".secrets.baseline, which enables the detect-secrets layer, was removed",
        }[what]
        if what == "plugin":
            plugins = document["plugins_used"]
            document["plugins_used"] = [p for p in plugins if p["name"] != "KeywordDetector"]
        elif what == "filter":
            path = "detect_secrets.filters.regex.should_exclude_line"
            document["filters_used"].append({"path": path, "pattern": ["password"]})
        else:
            (row,) = document["results"]["old.py"]
            document["results"]["app.py"] = [row | {"filename": "app.py"}]
        removed = (".secrets.baseline",) if what == "gone" else ()
        text = {} if removed else {".secrets.baseline": json.dumps(document)}
        pull.commit({"app.py": leak(), **text}, *removed)
        self.assert_refused(pull.scan(), words, ".secrets.baseline")

    def test_an_invalid_policy_ends_the_run(self, pull: Pull) -> None:
        seen = self.seen(
            pull, {}, lambda: pull.commit({"app.py": leak(), "keywatch.yaml": "version: 9\n"})
        )
        assert seen.code == 2
        assert "keywatch.yaml:1" in seen.err

    def test_attributes_that_call_a_file_binary(self, pull: Pull) -> None:
        seen = self.seen(
            pull,
            {"app.py": "x = 1\n"},
            lambda: pull.commit(
                {".gitattributes": "*.py -diff binary filter=x\n", "app.py": "x = 1\n" + leak()}
            ),
        )
        assert seen.places == [("app.py", 2, 10)]

    @pytest.mark.parametrize(
        "name",
        [
            "vendor",
            "Vendor/app.py",
            "vendor /app.py",
            "x/.../vendor/app.py",
            "keywatch.yaml.py",
            "logo.png",
            "app.min.js",
            "package-lock.json",
            "app.py\u202egpj.",
            "test/fixtures/example.py",
            ".gitignore",
        ],
    )
    def test_a_name_that_looks_like_another_one(self, pull: Pull, name: str) -> None:
        policy = POLICY + "scan: {exclude: ['vendor/**']}\n"
        seen = self.seen(pull, {"keywatch.yaml": policy}, lambda: pull.commit({name: leak()}))
        assert (seen.code, len(seen.paths)) == (1, 1)

    def test_a_planted_module_and_a_hostile_configuration(self, pull: Pull, tmp_path: Path) -> None:
        touched = tmp_path / "touched"
        command = f"touch {touched}; cat"
        planted = f"open({str(touched)!r}, 'w')\nraise SystemExit(0)\n"
        files: Files = dict.fromkeys(("yaml.py", "scanner/__init__.py", "json.py"), planted)
        files = {**files, ".gitattributes": "* diff=evil\n", "app.py": leak()}

        def change() -> None:
            pull.commit(files)
            for key in ("diff.external", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
                git(pull.root, "config", key, command)

        seen = self.seen(pull, {}, change)
        assert "app.py" in seen.paths
        assert not touched.exists()

    def test_a_replaced_commit_and_a_graft_hide_nothing(self, pull: Pull) -> None:
        pull.branch()
        bad = pull.commit({"app.py": leak()})
        last = pull.commit({"b.py": "x = 1\n"})
        good = git(pull.root, "rev-parse", "main").strip()
        git(pull.root, "replace", bad, good)
        grafts = pull.root / ".git" / "info" / "grafts"
        grafts.parent.mkdir(exist_ok=True)
        grafts.write_text(f"{last} {good}\n")
        assert pull.scan().paths == ["app.py"]

    @pytest.mark.parametrize("option", ["--diff=main", "--diff=main~0", "--diff=main~1"])
    def test_a_tag_with_the_name_of_the_branch(self, pull: Pull, option: str) -> None:
        pull.base({"a.py": "x = 1\n"})
        pull.branch()
        pull.commit({"b.py": leak()})
        git(pull.root, "tag", "main", "pull")
        seen = pull.scan(option)
        assert seen.code == 2
        assert "main is the name of several refs" in seen.err
        assert pull.scan("--diff=refs/heads/main").code == 1
        assert pull.scan("--diff=refs/heads/main", "--trust=main").code == 2

    def test_a_merge_base_that_only_a_merged_branch_had(self, pull: Pull) -> None:
        git(pull.root, "checkout", "-q", "-b", "before")
        loose = pull.commit({"keywatch.yaml": "version: 1\nscan: {exclude: ['src/**']}\n"})
        pull.commit({}, "keywatch.yaml")
        git(pull.root, "checkout", "-q", "main")
        git(pull.root, "merge", "-q", "--no-ff", "-m", "merge", "before")
        git(pull.root, "checkout", "-q", "-b", "pull", loose)
        pull.commit({"src/app.py": leak()})
        seen = pull.scan()
        assert seen.code == 1
        assert sorted(seen.paths) == ["keywatch.yaml", "src/app.py"]

    def test_trust_says_whose_policy_holds(self, pull: Pull) -> None:
        pull.base({"keywatch.yaml": POLICY})
        pull.branch()
        pull.commit({"app.py": leak(), "keywatch.yaml": POLICY + "scan: {exclude: [app.py]}\n"})
        assert pull.scan().code == 1
        seen = pull.scan("--diff", "main", "--trust", "pull")
        assert (seen.code, seen.skips) == (0, [("excluded", "app.py")])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_diff_of_a_gigabyte_takes_bounded_memory(pull: Pull, tmp_path: Path) -> None:
    text = b"".join(b"x%07d = compute(%d)\n" % (n, n * n) for n in range(550_000))
    stream = [b"commit refs/heads/pull\ncommitter T <t@e.org> 1700000000 +0000\ndata 1\nx\n"]
    stream.append(b"from refs/heads/main^0\n")
    argv = [
        "git",
        "-c",
        "core.bigFileThreshold=1m",
        "-c",
        "core.compression=1",
        "fast-import",
        "--quiet",
    ]
    with subprocess.Popen(argv, cwd=pull.root, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.writelines(stream)
        for number in range(64):
            data = b"%d\n" % number + text + leak(number).encode()
            process.stdin.write(b"M 100644 inline f%d.py\ndata %d\n" % (number, len(data)))
            process.stdin.write(data + b"\n")
    out = tmp_path / "report.json"
    command = measure.Command(
        argv=(
            sys.executable,
            "-I",
            "-m",
            "scanner",
            "scan",
            "--diff=main..pull",
            f"--report=json={out}",
        ),
        cwd=pull.root,
        env=os.environ,
        ok=frozenset({1}),
        limit=300,
        apart="git",
    )
    done = measure.run(command, sample=True)
    assert done.good
    report = json.loads(out.read_text())
    assert (len(report["findings"]), report["complete"]) == (64, True)
    assert report["coverage"]["bytes"] > 1e9
    assert done.peak < 300e6


def test_the_work_tree_and_the_index_have_no_say(pull: Pull) -> None:
    pull.branch()
    pull.commit({"app.py": leak()})
    write_files(
        pull.root, {"app.py": "x = 1\n", "keywatch.yaml": "version: 9\n", "new.py": leak(9)}
    )
    git(pull.root, "add", "-A")
    assert pull.scan().paths == ["app.py"]
    shutil.rmtree(pull.root / ".git" / "logs")
    assert pull.scan().paths == ["app.py"]


def test_an_allow_entry_of_the_base_holds(pull: Pull, keywatch: Keywatch) -> None:
    pull.base({"app.py": password(1)})
    (found,) = scan(keywatch, cwd=pull.root).report["findings"]
    terms = ("--reason", "x", "--owner", "@x", "--until", "2098-01-01")
    keywatch("allow", found["id"], *terms, "--now", NOW, cwd=pull.root)
    pull.commit({})
    pull.branch()
    pull.commit({"app.py": "x = 1\n" + password(1).replace("=", " = ")})
    seen = pull.scan()
    assert seen.code == 0
    assert seen.report["summary"]["suppressed"] == {"entry": 1}
