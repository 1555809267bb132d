"""Attacks on the cache, from outside."""

from __future__ import annotations

from pathlib import Path

from scanner import cache
from tests.support.helpers import Keywatch, leak, repository, scan, token, write_files

LEAN = ("--matcher", "re")
"""Without a database, which takes seconds to compile."""


def test_a_folder_that_is_a_link_is_not_used(tmp_path: Path, keywatch: Keywatch) -> None:
    write_files(tmp_path / "tree", {"a.py": leak()})
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "base").mkdir()
    (tmp_path / "base/keywatch").symlink_to(tmp_path / "elsewhere")
    seen = scan(keywatch, ".", *LEAN, cwd=tmp_path / "tree", XDG_CACHE_HOME=str(tmp_path / "base"))
    assert seen.code == 1
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    write_files(folder, {f"notes{n}.txt": "mine" for n in range(70)})
    for number in range(70):
        cache.store(f"config-{number:032x}.json", b"x", str(folder))
    left = [path.name for path in folder.iterdir()]
    assert len([name for name in left if name.startswith("notes")]) == 70
    assert len([name for name in left if name.startswith("config")]) <= 64


def test_a_home_inside_the_scanned_tree_has_no_cache(tmp_path: Path, keywatch: Keywatch) -> None:
    repo = repository(tmp_path / "repo")
    write_files(repo, {"a.py": leak()})
    (repo / "home").mkdir(mode=0o700)
    variables = {"HOME": str(repo / "home"), "XDG_CACHE_HOME": ""}
    assert scan(keywatch, ".", *LEAN, cwd=repo, **variables).code == 1
    assert [*(repo / "home").iterdir()] == []


def test_settings_with_a_secret_are_not_kept(tmp_path: Path, keywatch: Keywatch) -> None:
    base = tmp_path / "base"
    write_files(
        tmp_path / "tree", {"keywatch.yaml": f"version: 1\nscan: {{exclude: [{token()}]}}\n"}
    )
    scan(keywatch, ".", *LEAN, cwd=tmp_path / "tree", XDG_CACHE_HOME=str(base))
    kept = b"".join(path.read_bytes() for path in (base / "keywatch").iterdir())
    assert kept
    assert token().encode() not in kept
