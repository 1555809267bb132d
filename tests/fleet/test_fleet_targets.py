"""Where the repositories of a fleet come from: folders, lists, and what is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.fleet.find import find_targets
from scanner.fleet.targets import Target, TargetsRequest
from scanner.model import Gap, Skip, SkipKind


def clone(path: Path, *options: str) -> Path:
    subprocess.run(["git", "init", "--quiet", *options, str(path)], check=True)
    return path


def targets(**asked: object) -> Sequence[Target | Skip | Gap]:
    return [*find_targets(TargetsRequest(**asked))]  # type: ignore[arg-type]


def test_a_folder_gives_its_clones_bare_ones_and_nested_ones_and_follows_no_link(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "clones"
    clone(folder / "payments" / "api")
    clone(folder / "payments" / "api" / "nested")
    clone(folder / "web.git", "--bare")
    (folder / "notes").mkdir()
    elsewhere = clone(tmp_path / "elsewhere")
    (folder / "link").symlink_to(elsewhere)
    found = targets(folders=(str(folder),))
    assert [(each.name, each.team) for each in found if isinstance(each, Target)] == [
        ("payments/api", "payments"),
        ("payments/api/nested", "payments"),
        ("web.git", ""),
    ]
    assert len(found) == 3


def test_a_list_gives_addresses_and_paths_and_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    local = clone(tmp_path / "local")
    lines = (
        "# our repositories",
        "https://git.example.com/acme/web.git  # the shop",
        "",
        "git@git.example.com:acme/api.git",
        "http://git.example.com/acme/open",
        "https://user:hidden@git.example.com/acme/web",
        "https://git.example.com/acme/../etc",
        "ext::sh -c id",
        str(local),
        str(tmp_path / "gone"),
        "https://git.example.com/acme/web.git",
    )
    file = tmp_path / "list"
    file.write_text("\n".join(lines), encoding="utf-8")
    found = targets(files=(str(file),))
    assert [(each.name, each.team) for each in found if isinstance(each, Target)] == [
        ("git.example.com/acme/web", "acme"),
        ("git.example.com/acme/api", "acme"),
        ("local", ""),
    ]
    gaps = [each for each in found if isinstance(each, Gap)]
    assert [each.path for each in gaps] == [f"{file}:{line}" for line in (5, 6, 7, 8, 10)]
    assert "hidden" not in "".join(each.reason for each in gaps)


def test_two_repositories_of_one_name_are_one_target_and_one_gap(tmp_path: Path) -> None:
    clone(tmp_path / "one" / "api")
    clone(tmp_path / "two" / "api")
    first, second = targets(folders=(str(tmp_path / "one"), str(tmp_path / "two")))
    assert isinstance(first, Target)
    assert isinstance(second, Gap)
    assert "same name" in second.reason


def test_filters_leave_out_and_say_so(tmp_path: Path) -> None:
    for name in ("acme/web", "acme/old", "other/web"):
        clone(tmp_path / name)
    found = targets(folders=(str(tmp_path),), include=("acme/**",), exclude=("acme/old",))
    assert [each.name for each in found if isinstance(each, Target)] == ["acme/web"]
    skips = [each for each in found if isinstance(each, Skip)]
    assert {each.path for each in skips} == {"acme/old", "other/web"}
    assert {each.kind for each in skips} == {SkipKind.EXCLUDED}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everyone may read everything")
def test_a_folder_that_cannot_be_read_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    clone(tmp_path / "open")
    assert [type(each) for each in targets(folders=(str(tmp_path),))] == [Target, Gap]


def test_a_name_with_a_control_character_is_a_gap(tmp_path: Path) -> None:
    clone(tmp_path / "a\x1b[2Jb")
    (found,) = targets(folders=(str(tmp_path),))
    assert isinstance(found, Gap)
    assert found.path.isprintable()


@pytest.mark.parametrize("asked", [{}, {"files": ("none",)}, {"folders": ("none",)}])
def test_a_request_that_names_nothing_readable_is_a_usage_error(
    asked: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        targets(**asked)


def test_an_empty_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no repository was found"):
        targets(folders=(str(tmp_path),))
