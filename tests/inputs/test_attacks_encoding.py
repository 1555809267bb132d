"""Encodings that hide a file from a scanner, from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.helpers import Keywatch, git, repository, scan, token, write_files

TEXT = f"export GH={token()}\n"


@pytest.mark.parametrize("name", ["IBM037", "ibm-1140", "UTF-16LE", "UTF-8", "windows-1252"])
def test_a_file_that_git_re_encodes_is_decoded(
    tmp_path: Path, keywatch: Keywatch, name: str
) -> None:
    repo = repository(tmp_path / "repo")
    codec = name.lower().replace("ibm-", "cp")
    files: dict[str, str | bytes] = {
        ".gitattributes": f"*.sh working-tree-encoding={name}\n",
        "a.sh": TEXT.encode(codec),
    }
    write_files(repo, files)
    assert scan(keywatch, ".", cwd=repo).paths == ["a.sh"]


@pytest.mark.parametrize("name", ["idna", "zlib", "no-such", "unicode_escape"])
def test_an_unknown_encoding_is_a_gap(tmp_path: Path, keywatch: Keywatch, name: str) -> None:
    repo = repository(tmp_path / "repo")
    write_files(repo, {"d/.gitattributes": f"*.sh working-tree-encoding={name}\n", "d/a.sh": "x\n"})
    seen = scan(keywatch, ".", cwd=repo)
    assert (seen.code, seen.gaps) == (3, [("unreadable", "d/a.sh")])


@pytest.mark.parametrize("how", ["--no-git", "--staged", "--diff=main"])
@pytest.mark.parametrize("name", ["a.sh", "a.py", "a.yaml", "a.txt", "a.env", "a.md"])
def test_zero_bytes_do_not_make_a_text_file_binary(
    tmp_path: Path, keywatch: Keywatch, how: str, name: str
) -> None:
    repo = repository(tmp_path / "repo")
    git(repo, "commit", "-q", "--allow-empty", "-m", "start")
    git(repo, "checkout", "-q", "-b", "pull")
    write_files(repo, {name: b"\0\x01\x02\xff" * 2000 + b"\n" + TEXT.encode() + b"\0" * 999})
    git(repo, "add", "-A")
    if how == "--diff=main":
        git(repo, "commit", "-q", "-m", "add")
    assert {*scan(keywatch, how, cwd=repo).paths} == {name}


@pytest.mark.parametrize("how", ["--diff=main", "--history", "."])
def test_a_pipe_in_place_of_attributes_hangs_nothing(
    tmp_path: Path, keywatch: Keywatch, how: str
) -> None:
    repo = repository(tmp_path / "repo")
    write_files(repo, {"d/a.py": "x = 1\n" * 99})
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "start")
    git(repo, "checkout", "-q", "-b", "pull")
    git(repo, "mv", "d/a.py", "d/b.py")
    write_files(repo, {"d/b.py": "x = 1\n" * 99 + TEXT})
    git(repo, "commit", "-q", "-a", "-m", "move")
    os.mkfifo(repo / ".gitattributes")
    os.mkfifo(repo / "d/.gitattributes")
    assert scan(keywatch, how, cwd=repo).paths[-1:] == ["d/b.py"]
