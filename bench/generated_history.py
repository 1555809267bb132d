"""Benchmark: a seeded git repository of many commits: real files that are edited line by line.

The files are those of a source distribution; a commit adds some, and replaces lines of others by
lines of the same tree. Every tenth commit is a merge of two branches. Passwords are random letters.
"""

from __future__ import annotations

import random
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bench import corpora, peers

SEED = 50
TIME = 1_600_000_000
LONGEST = 60_000
"""Bytes of the largest file that is taken."""

PLANTED = 500
"""Each commit of this number holds a password, which goes two hundred commits later."""


def write(folder: Path, tree: Path, commits: int) -> None:
    """Fill the empty repository `folder` with `commits` commits over the files of `tree`."""
    argv = ["git", "fast-import", "--quiet", "--depth=50"]
    process = subprocess.Popen(argv, cwd=folder, env=peers.environment(), stdin=subprocess.PIPE)
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with process.stdin as out:
        _History(out, texts(tree)).write(commits)
    if process.wait():
        raise peers.BenchError("git fast-import failed")
    corpora.run_git(folder, "repack", "-adfq", "--depth=50", "--window=10")
    corpora.run_git(folder, "reset", "-q", "--hard")


def texts(tree: Path) -> dict[str, list[bytes]]:
    """The lines of each text file, by its path."""
    found = {}
    for path in sorted(corpora.regular_files(tree)):
        data = path.read_bytes()
        if data and len(data) <= LONGEST and b"\0" not in data:
            found[path.relative_to(tree).as_posix()] = data.splitlines(keepends=True)
    return found


class _History:
    """Writes commits in the language of `git fast-import`."""

    def __init__(self, out: IO[bytes], texts: dict[str, list[bytes]]) -> None:
        self._out = out
        self._rng = random.Random(SEED)  # noqa: S311 - a history that can be made again
        self._texts = texts
        self._pool = [line for lines in texts.values() for line in lines[::7]]
        self._waiting = list(texts)
        self._rng.shuffle(self._waiting)
        self._there: list[str] = []

    def write(self, commits: int) -> None:
        first = len(self._waiting) // 5
        for number in range(1, commits + 1):
            share = max(1, (len(self._waiting) - first) // commits) if number > 1 else first
            added = self._added(share) if number == 1 or self._rng.random() < 0.1 else []
            self._commit(number, {**dict(self._edited(number)), **dict.fromkeys(added)})

    def _added(self, most: int) -> list[str]:
        new = [self._waiting.pop() for _ in range(min(most, len(self._waiting)))]
        self._there += new
        return new

    def _edited(self, number: int) -> Iterator[tuple[str, None]]:
        if number == 1:
            return
        for _ in range(self._rng.choice((1, 1, 2, 3, 5))):
            path = self._there[int(len(self._there) * self._rng.random() ** 3)]
            self._edit(self._texts[path])
            yield path, None
        for planted, line in ((number, self._password()), (number - 200, b"")):
            if planted > 0 and planted % PLANTED == 0:
                path = self._there[planted % len(self._there)]
                lines = self._texts[path]
                lines[:] = [each for each in lines if b"db_password" not in each]
                lines.insert(0, line)
                yield path, None

    def _password(self) -> bytes:
        value = "".join(self._rng.choices(string.ascii_letters + string.digits, k=24))
        return f'db_password = "{value}"\n'.encode()

    def _edit(self, lines: list[bytes]) -> None:
        for _ in range(self._rng.choice((1, 1, 2, 4))):
            at = self._rng.randrange(len(lines) + 1)
            gone, new = self._rng.randrange(8), self._rng.randrange(8)
            lines[at : at + gone] = self._rng.choices(self._pool, k=new)

    def _commit(self, number: int, paths: dict[str, None]) -> None:
        when = TIME + 1000 * number
        person = f"A Person <person{number % 40}@example.org> {when} +0000"
        head = f"commit refs/heads/main\nmark :{number}\nauthor {person}\ncommitter {person}\n"
        self._out.write(f"{head}data 7\nchange\n\n".encode())
        if number > 20 and number % 10 == 0:
            self._out.write(f"from :{number - 1}\nmerge :{number - 15}\n".encode())
        for path in paths:
            data = b"".join(self._texts[path])
            self._out.write(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
