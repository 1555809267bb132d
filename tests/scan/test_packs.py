"""Contents out of git's packs by libgit2: those that git gives, whatever state the packs are in."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from scanner import pool
from scanner.detect.detector import Mark
from scanner.errors import UsageError
from scanner.inputs.git import commands, packs
from scanner.inputs.git.blob_reader import Contents
from scanner.inputs.git.packs import Packs
from scanner.inputs.git.versions import NEAR, differing
from scanner.scan import history
from scanner.scan.commit_scanner import CommitResult, CommitWorkerConfig
from tests.support.calls import watched
from tests.support.helpers import (
    Keywatch,
    detector,
    forks,
    git,
    leak,
    repository,
    scan,
    token,
    write_commits,
)
from tests.support.repositories import password

MOST = 50_000  # bytes of a content; the repository has one that is larger


def grown(root: Path, texts: Mapping[str, Sequence[str]]) -> Path:
    """A repository, packed: its commits give each file one of its texts after the other."""
    repository(root)
    count = max(map(len, texts.values()))
    write_commits(
        root, ({path: t[n] for path, t in texts.items() if n < len(t)} for n in range(count))
    )
    git(root, "repack", "-adq")
    return root


def versions(count: int, seed: int = 0) -> list[str]:
    """A file that changes by a line at a time, so that git packs what differs."""
    chance = random.Random(seed)
    lines = [f"value_{n} = compute({chance.random()})\n" for n in range(80)]
    found = []
    for number in range(count):
        lines[chance.randrange(80)] = f"value = {number}\n"
        found.append("".join(lines))
    return found


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = {f"f{n}.py": versions(40, n) for n in range(4)} | {"large.txt": ["x" * (MOST + 1)]}
    return grown(tmp_path_factory.mktemp("packed") / "repo", texts)


def blobs(root: Path) -> list[str]:
    """The ids of all contents."""
    said = git(root, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
    return [line.split()[1] for line in said.splitlines() if line.startswith("blob ")]


def read(root: Path, oids: list[str], *, by_git: bool = False) -> list[bytes | int | None]:
    with closing(Contents(str(root), None if by_git else Packs.opened(str(root)))) as contents:
        return [*contents.each(oids, MOST)]


def damaged(packed: Path, root: Path, damage: Callable[[bytearray], bytearray]) -> Path:
    """A copy whose pack has other bytes."""
    shutil.copytree(packed / ".git", root / ".git")
    (pack,) = (root / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o600)
    pack.write_bytes(damage(bytearray(pack.read_bytes())))
    return root


class TestContents:
    def test_what_is_packed_is_read_without_asking_git(self, packed: Path) -> None:
        oids = blobs(packed)
        found = dict(zip(oids, read(packed, oids, by_git=True), strict=True))
        small = {oid: data for oid, data in found.items() if isinstance(data, bytes)}
        contents = Contents(str(packed), Packs.opened(str(packed)))
        requests: list[object] = []
        with watched(commands.Objects._ask, requests.append):
            assert [*contents.each([*small], MOST)] == [*small.values()]
            assert [contents.read(oid, MOST) for oid in small] == [*small.values()]
        assert requests == []
        assert len(small) > 150

    def test_what_is_not_comes_from_git_in_its_place(self, packed: Path, tmp_path: Path) -> None:
        root = tmp_path / "repo"
        shutil.copytree(packed, root)
        (root / "loose.txt").write_text("loose")
        loose = git(root, "hash-object", "-w", "loose.txt").strip()
        tree = git(root, "rev-parse", "HEAD^{tree}").strip()
        oids = blobs(root)[:40]
        oids[3:3] = [loose, "1" * 40, tree, "2" * 64, loose]
        assert read(root, oids) == read(root, oids, by_git=True)
        assert read(root, oids)[3:8] == [b"loose", None, None, None, b"loose"]

    def test_of_what_is_too_large_only_the_size_is_told(self, packed: Path) -> None:
        oids = blobs(packed)
        assert MOST + 1 in read(packed, oids)
        pack = Packs.opened(str(packed))
        assert pack is not None
        large = git(packed, "rev-parse", "HEAD:large.txt").strip()
        assert (pack.has(large, MOST), pack.has(large, MOST + 1)) == (False, True)

    def test_what_another_repository_lends_is_read(self, packed: Path, tmp_path: Path) -> None:
        root = tmp_path / "borrowing"
        git(tmp_path, "clone", "-q", "--shared", str(packed), str(root))
        oids = blobs(packed)
        assert read(root, oids) == read(packed, oids)

    def test_a_damaged_pack_gives_no_content_that_git_does_not(
        self, packed: Path, tmp_path: Path
    ) -> None:
        chance, oids, lost = random.Random(1), blobs(packed), 0
        sound = dict(zip(oids, read(packed, oids), strict=True))

        def flip(data: bytearray) -> bytearray:
            for _ in range(3):
                data[chance.randrange(12, len(data))] ^= 1 << chance.randrange(8)
            return data[: chance.choice([len(data), len(data) - 30, len(data) // 2])]

        for number in range(25):
            root = damaged(packed, tmp_path / str(number), flip)
            found = dict(zip(oids, read(root, oids), strict=True))
            lost += sum(data is None for data in found.values())
            assert all(data in (None, sound[oid]) for oid, data in found.items())
        assert lost

    def test_without_libgit2_there_are_none(
        self, packed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pygit2", None)
        assert packs.load() is None
        assert Packs.opened(str(packed)) is None


def test_a_long_history_comes_to_the_same_with_libgit2_and_without(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    """More commits than it is loaded for, secrets that come and go in code, in text and in YAML."""
    texts = {"a.py": versions(3100), "b.txt": versions(3100, 1), "c.yaml": ["a: 1\n"] * 3100}
    for number in range(50, 3100, 300):
        for path, all_of_it in texts.items():
            line = f"token: {token(number)}\n" if path == "c.yaml" else leak(number)
            all_of_it[number] += line
            all_of_it[number + 1] = all_of_it[number] + "# more\n"
    root = grown(tmp_path / "long", texts)
    seen = scan(keywatch, "--history", cwd=root)
    assert len(seen.report["findings"]) == 11 * len(texts)
    without = (
        "import sys; sys.modules['pygit2'] = None; sys.argv = ['keywatch', 'scan', '--history', "
        "'--report', 'json=-', '--quiet']; from scanner.__main__ import main; sys.exit(main())"
    )
    argv = [sys.executable, "-I", "-c", without]
    done = subprocess.run(argv, cwd=root, capture_output=True, check=False)
    report = json.loads(done.stdout)
    assert (done.returncode, report["findings"]) == (1, seen.report["findings"])
    assert report["coverage"]["files"] == seen.files


class Fragile(NamedTuple):
    """Scans commits as `CommitWorkerConfig` does, and ends its process at certain commits."""

    deadly: str
    packed: bool = True

    def task(self) -> Callable[[Sequence[str]], CommitResult]:
        return self.look

    def look(self, items: Sequence[str]) -> CommitResult:
        if "never" in items or (self.packed and self.deadly in items):
            os.kill(os.getpid(), signal.SIGKILL)
        walk = CommitResult()
        walk.done = len(items)
        return walk


@forks
@pytest.mark.parametrize(("deadly", "lost"), [("1000", 0), ("never", 64)])
def test_commits_whose_worker_ended_are_looked_at_by_git_alone(deadly: str, lost: int) -> None:
    items = [*map(str, range(2000)), deadly]
    fragile = cast("CommitWorkerConfig", Fragile(deadly))
    results = [*history._results(fragile, items)]
    gone = sum(len(each.items) for each in results if isinstance(each, pool.Lost))
    assert gone <= lost
    assert sum(each.done for each in results if isinstance(each, CommitResult)) == len(items) - gone
    assert bool(gone) == bool(lost)


def test_a_size_that_is_more_than_all_memory_is_that_of_a_damaged_content(
    packed: Path, tmp_path: Path
) -> None:
    """The first bytes of an object in a pack say its kind and how large it is."""
    oid = git(packed, "rev-parse", "HEAD:large.txt").strip()
    (index,) = (packed / ".git/objects/pack").glob("*.idx")
    rows = [line.split() for line in git(packed, "verify-pack", "-v", str(index)).splitlines()]
    (place,) = (int(row[4]) for row in rows if row[0] == oid)

    def enlarge(data: bytearray) -> bytearray:
        data[place : place + 9] = b"\xbf" + b"\xff" * 7 + b"\x3f"
        return data

    root = damaged(packed, tmp_path / "repo", enlarge)
    contents = Packs.opened(str(root))
    assert contents is not None
    assert contents.read(oid) is None
    assert not isinstance(read(root, [oid])[0], bytes)


@pytest.mark.slow
def test_git_is_fed_more_than_a_pipe_holds(packed: Path) -> None:
    fed = b"HEAD\n" * 300_000
    listed = commands.run(str(packed), "rev-list", "--stdin", fed=fed)
    assert listed == git(packed, "rev-list", "HEAD").encode()


@pytest.mark.slow
def test_what_ends_git_before_it_has_read_all_is_told(packed: Path) -> None:
    fed = b"HEAD\n" * 300_000
    with pytest.raises(UsageError, match="rev-list failed"):
        commands.run(str(packed), "rev-list", "--no-such", "--stdin", fed=fed)


FILLER = b"# nothing that is looked at stands in this line\n" * 20


def marks_in(text: bytes) -> Counter[Mark]:
    marks = detector().marks("a.py", text, NEAR)
    assert marks is not None
    return marks


def test_marks_of_what_differs_are_more_where_those_of_the_whole_are() -> None:
    chance, more = random.Random(2), 0
    lines = [b"x = 1\n", b"\n", b"key = (\n", *(password(n).encode() for n in (1, 2))]

    def some() -> bytes:
        return b"".join(chance.choices([FILLER, *lines], k=chance.randrange(9)))

    for _ in range(400):
        head, tail = some(), some()
        text, before = head + some() + tail, head + some() + tail
        is_more = not marks_in(text) <= marks_in(before)
        part, part_before = differing(text, before), differing(before, text)
        assert is_more == (not marks_in(part) <= marks_in(part_before))
        more += is_more
    assert more > 40
