"""Attacks on what --diff, --history and the hooks of a server read, from outside."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import pytest

from scanner.detect.detect_secrets import default_settings, empty_document
from tests.support.helpers import Keywatch, Scanned, git, leak, repository, scan, token, write_files

FILLER = "\n".join(f"line {number} says nothing" for number in range(60)) + "\n"


class Branch:
    """A repository whose branch `pull` began at main, which holds `files`."""

    def __init__(self, root: Path, keywatch: Keywatch, files: dict[str, str]) -> None:
        self.root = repository(root)
        self._keywatch = keywatch
        self.commit(files)
        git(self.root, "checkout", "-q", "-b", "pull")

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        write_files(self.root, files)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.root, "rev-parse", "HEAD").strip()

    def scan(self, *arguments: str) -> Scanned:
        return scan(self._keywatch, *arguments, cwd=self.root)


def key_body(seed: int) -> str:
    chars = random.Random(seed).choices(string.ascii_letters + string.digits, k=64 * 25)
    text = "MIIEpAIBAAKCAQEA" + "".join(chars)
    return "\n".join(text[at : at + 64] for at in range(0, len(text), 64))


def key(body: str) -> str:
    return f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{body}\n-----END RSA {'PRIVATE'} KEY-----\n"


def rules(seen: Scanned) -> list[str]:
    return [finding["rule"] for finding in seen.report["findings"]]


class TestAKeyThatIsFilledIn:
    @pytest.mark.parametrize("mode", ["--diff=main", "--history=main..pull"])
    @pytest.mark.parametrize("name", ["deploy.py", "id_rsa", "notes.md", "config.yaml"])
    def test_far_below_a_header_that_was_there(
        self, tmp_path: Path, keywatch: Keywatch, name: str, mode: str
    ) -> None:
        lines = key_body(3).split("\n")
        blank = [" " * 80] * 20
        old = key("\n".join([*lines[:5], *blank]))
        branch = Branch(tmp_path / "repo", keywatch, {name: FILLER + old + FILLER})
        assert branch.scan(".").code == 0
        branch.commit({name: FILLER + key("\n".join([*lines[:5], *blank, *lines[5:]])) + FILLER})
        branch.commit({"other.txt": "x\n"})
        assert rules(branch.scan(mode)) == ["private-key"]


class TestEntriesWhoseModeLies:
    @pytest.mark.parametrize("mode", ["120000", "160000"])
    @pytest.mark.parametrize("how", ["--diff=main", "--history=main..pull"])
    def test_a_file_that_claims_to_be_a_link_or_a_submodule_is_scanned(
        self, tmp_path: Path, keywatch: Keywatch, how: str, mode: str
    ) -> None:
        branch = Branch(tmp_path / "repo", keywatch, {"a.txt": "x\n"})
        write_files(branch.root, {"hidden": f"export GH={token()}\n"})
        oid = git(branch.root, "hash-object", "-w", "hidden").strip()
        (branch.root / "hidden").unlink()
        git(branch.root, "update-index", "--add", "--cacheinfo", f"{mode},{oid},conf/env")
        git(branch.root, "commit", "-q", "-m", "add")
        git(branch.root, "commit", "-q", "--allow-empty", "-m", "nothing")
        assert branch.scan(how).paths == ["conf/env"]


class TestMessages:
    @pytest.mark.parametrize("how", ["--diff=main", "--history", "--history=main..pull"])
    @pytest.mark.parametrize("is_last", [True, False])
    def test_the_message_of_each_commit_is_scanned(
        self, tmp_path: Path, keywatch: Keywatch, how: str, is_last: bool
    ) -> None:
        branch = Branch(tmp_path / "repo", keywatch, {"a.txt": "x\n"})
        commit = branch.commit({"b.txt": "y\n"}, f"log in with {token()}")
        if not is_last:
            branch.commit({"c.txt": "z\n"})
        seen = branch.scan(how)
        assert seen.paths == [f".git/commits/{commit}"]
        assert token() not in str(seen.report)

    def test_the_message_of_a_tag_is_scanned(self, tmp_path: Path, keywatch: Keywatch) -> None:
        branch = Branch(tmp_path / "repo", keywatch, {"a.txt": "x\n"})
        git(branch.root, "tag", "-a", "v1", "-m", f"made with {token()}")
        git(branch.root, "tag", "-a", "v2", "-m", "a tag of a tag", "v1")
        git(branch.root, "tag", "-d", "v1")
        (path,) = branch.scan("--history").paths
        assert path.startswith(".git/tags/")


POLICY = 'version: 1\nscan: {exclude: ["src/**"]}\n'


class TestThePolicyOfAnOldCommit:
    def test_a_branch_that_began_before_the_policy_was_tightened_is_judged_by_the_newest(
        self, tmp_path: Path, keywatch: Keywatch
    ) -> None:
        branch = Branch(tmp_path / "repo", keywatch, {"keywatch.yaml": POLICY})
        git(branch.root, "checkout", "-q", "main")
        branch.commit({"keywatch.yaml": "version: 1\n"})
        git(branch.root, "checkout", "-q", "pull")
        branch.commit({"src/env": f"export GH={token()}\n"})
        assert branch.scan("--diff=main").paths == ["src/env"]

    def test_but_not_if_the_newest_is_looser(self, tmp_path: Path, keywatch: Keywatch) -> None:
        branch = Branch(tmp_path / "repo", keywatch, {"keywatch.yaml": "version: 1\n"})
        git(branch.root, "checkout", "-q", "main")
        branch.commit({"keywatch.yaml": POLICY})
        git(branch.root, "checkout", "-q", "pull")
        branch.commit({"src/env": f"export GH={token()}\n"})
        assert branch.scan("--diff=main").paths == ["src/env"]

    def test_a_raised_entropy_limit_is_reported(self, tmp_path: Path, keywatch: Keywatch) -> None:
        document = empty_document(default_settings())
        branch = Branch(tmp_path / "repo", keywatch, {".secrets.baseline": json.dumps(document)})
        for plugin in document["plugins_used"]:
            if "limit" in plugin:
                plugin["limit"] = 7.5
        branch.commit({".secrets.baseline": json.dumps(document)})
        seen = branch.scan("--diff=main")
        assert rules(seen) == ["policy-weakened"] * 2
        assert "rose from 4.5 to 7.5" in str(seen.report)


@pytest.mark.parametrize("folder", ["tests", "docs", "examples", "node_modules"])
def test_no_folder_hides_a_key_from_a_change(
    tmp_path: Path, keywatch: Keywatch, folder: str
) -> None:
    branch = Branch(tmp_path / "repo", keywatch, {"a.txt": "x\n"})
    branch.commit({f"{folder}/id_rsa": key(key_body(9)), f"{folder}/a.py": leak()})
    seen = branch.scan("--diff=main", "--min-confidence=medium")
    assert sorted(seen.paths) == [f"{folder}/a.py", f"{folder}/id_rsa"]
