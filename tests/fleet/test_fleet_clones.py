"""Clones of a fleet, from a real git server on loopback."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.fleet.clones import CloneCache, CloneError
from scanner.fleet.targets import Target
from tests.support.git_server import GitServer, git_server
from tests.support.many_repositories import write_repositories

LARGE = 10 << 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_repositories(folder, 2, 20)
    return folder


@pytest.fixture
def server(served: Path) -> Iterator[GitServer]:
    with git_server(served) as running:
        yield running


def target(server: GitServer, served: Path) -> Target:
    path = min(served.rglob("*.git")).relative_to(served).as_posix()
    return Target(name=f"127.0.0.1/{path}", address=server.of(path))


def cache(tmp_path: Path) -> CloneCache:
    return CloneCache(tmp_path / "cache", LARGE, loopback_http=True)


def test_a_clone_has_the_commits_of_the_server_and_is_reused(
    server: GitServer, served: Path, tmp_path: Path
) -> None:
    clones, wanted = cache(tmp_path), target(server, served)
    with clones.open(wanted, timeout=60, max_size=LARGE) as clone:
        count = ("git", "-C", str(clone.path), "rev-list", "--count", clone.refs["HEAD"])
        assert subprocess.run(count, capture_output=True, check=True).stdout == b"20\n"
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    fetched = server.times("git-upload-pack")
    with clones.open(wanted, timeout=60, max_size=LARGE, refs=clone.refs):
        pass
    assert server.times("git-upload-pack") == fetched


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": 404}, "no such repository"),
        ({"redirects": "http://127.0.0.2:9/acme/web.git"}, "redirect"),
        ({"delay": 30.0}, "time|seconds"),
    ],
)
def test_a_server_that_fails_redirects_or_hangs_gives_an_error_with_its_reason(
    server: GitServer, served: Path, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    clones = cache(tmp_path)
    with (
        pytest.raises(CloneError) as raised,
        clones.open(target(server, served), timeout=3, max_size=LARGE),
    ):
        pass
    assert raised.match(f"(?i){words}")


def test_a_repository_over_the_limit_is_refused_and_leaves_nothing(
    server: GitServer, served: Path, tmp_path: Path
) -> None:
    clones = cache(tmp_path)
    with (
        pytest.raises(CloneError),
        clones.open(target(server, served), timeout=60, max_size=1000),
    ):
        pass
    left = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert left < 10_000


def test_plain_http_is_refused_without_the_option(
    server: GitServer, served: Path, tmp_path: Path
) -> None:
    clones = CloneCache(tmp_path / "cache", LARGE)
    with (
        pytest.raises(CloneError),
        clones.open(target(server, served), timeout=10, max_size=LARGE),
    ):
        pass
    assert server.paths == []
