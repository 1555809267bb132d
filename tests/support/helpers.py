"""Builders and shortcuts that several test files share."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

import pytest

from scanner import cache
from scanner.detect.detect_secrets import DetectSecretsSettings
from scanner.detect.detector import Detector, matcher_for
from scanner.detect.rules import rulebook
from scanner.detect.rules.samples import expand
from tests.support.fork_server import CommandResult

NOW = "2026-11-24T12:00:00Z"
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


class Keywatch(Protocol):
    """The fixture `keywatch`: it runs the command in its own process."""

    def __call__(
        self, *arguments: str, cwd: Path, stdin: bytes = b"", **variables: str
    ) -> CommandResult: ...


class Scanned(NamedTuple):
    """A run of `keywatch scan`: its exit code, its JSON report (None where there is none), and
    standard error."""

    code: int
    report: Any
    err: str

    @property
    def places(self) -> list[tuple[str, int, int]]:
        """(path, line, column) of each finding."""
        where = [finding["location"] for finding in self.report["findings"]]
        return [(place["path"], place["line"], place["column"]) for place in where]

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.places]

    @property
    def skips(self) -> list[tuple[str, str]]:
        return [(skip["kind"], skip["path"]) for skip in self.report["skips"]]

    @property
    def gaps(self) -> list[tuple[str, str]]:
        return [(gap["kind"], gap["path"]) for gap in self.report["gaps"]]

    @property
    def files(self) -> int:
        return int(self.report["coverage"]["files"])


def scan(keywatch: Keywatch, *arguments: str, cwd: Path, **more: Any) -> Scanned:
    """`keywatch scan` with its JSON report."""
    done = keywatch("scan", f"--now={NOW}", "--report=json=-", *arguments, cwd=cwd, **more)
    err = done.stderr.decode(errors="surrogateescape")
    assert "Traceback" not in err
    assert done.returncode != 4, err
    return Scanned(done.returncode, json.loads(done.stdout) if done.stdout else None, err)


def processors(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let this process see so many processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(number)), raising=False)


def write_files(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write the files into the folder, and return the folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def write_commits(root: Path, commits: Iterable[Mapping[str, str]]) -> None:
    """Write commits to the branch main, one second apart. Thousands take only a moment."""
    stream = []
    for number, files in enumerate(commits):
        stream.append(
            "commit refs/heads/main\n"
            f"committer T <t@e.org> {1_700_000_000 + number} +0000\ndata 1\nx\n"
            + ("" if number else "from refs/heads/main^0\n")
        )
        for path, text in files.items():
            stream.append(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n")
    argv = ["git", "fast-import", "--quiet"]
    subprocess.run(argv, cwd=root, input="".join(stream).encode(), check=True)


def write_non_text_files(root: Path, other: Path) -> list[tuple[str, str]]:
    """Write a link, a pointer of Git LFS, and the repository `other` as a submodule.

    Return the skips that a scan of commits reports for them. The
    target of a link is scanned.
    """
    (root / "link").symlink_to("/etc/passwd")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other))
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a1' * 32}\nsize 9\n"
    write_files(root, {"model.bin": pointer})
    return [("lfs", "model.bin"), ("submodule", other.name)]


@functools.cache
def detector(engine: str = "auto", settings: DetectSecretsSettings | None = None) -> Detector:
    """The engine with the shipped rules, compiled once for all tests."""
    book = rulebook.load(cache_folder=cache.folder())
    return Detector(book, matcher_for(book, engine, cache.folder(), settings), settings)


def token(seed: int = 7) -> str:
    """A made-up credential that is reported wherever it is."""
    return expand("ghp_{base62:30}{crc32}", seed)


def leak(seed: int = 7) -> str:
    """A line with a credential in column 10."""
    return f'TOKEN = "{token(seed)}"\n'


forks = pytest.mark.skipif(sys.platform != "linux", reason="processes fork on Linux alone")


def git(folder: Path, *arguments: str, code: int = 0, **variables: str) -> str:
    """What a git command prints."""
    done = subprocess.run(
        ["git", *IDENTITY, "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return os.fsdecode(done.stdout)


def repository(folder: Path, *options: str) -> Path:
    """A new git repository with one harmless commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", *options)
    (folder / "start.txt").write_text("nothing here\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "start")
    return folder


def alone(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """No variable of whoever runs the tests leads an SDK elsewhere."""
    for name in os.environ:
        if name.startswith(prefix) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


def unavailable(reason: str) -> NoReturn:
    """CI must not pass without what the tests need; a developer without it may."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
