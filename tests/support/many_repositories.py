"""Many bare repositories with long histories, forks included, written in a moment.

python -m tests.support.many_repositories FOLDER [REPOSITORIES [COMMITS]]
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.helpers import leak

_FILES = 40  # of each repository
_LINES = 30  # of each file
_WORDS = "account batch cache deliver entry field group handle index job key list".split()


class Made(NamedTuple):
    """A repository: its path below the folder, the original of a fork, and how many commits add a
    secret, those of the original included."""

    name: str
    fork_of: str
    secrets: int


def write_repositories(
    folder: Path, number: int, commits: int, *, fork_every: int = 4, secret_every: int = 100
) -> list[Made]:
    """Write `number` bare repositories of `commits` commits: `team-0/repository-0.git` and so on.

    Every `fork_every`th is a fork of the one before, with the first nine tenths of its history.
    Every `secret_every`th commit adds a made-up secret to a file of its own.
    """
    made: list[Made] = []
    for seed in range(number):
        name = f"team-{seed % 7}/repository-{seed}.git"
        is_fork = fork_every > 0 and seed % fork_every == fork_every - 1
        root = folder / name
        root.mkdir(parents=True)
        _run(root, "init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        shared = commits * 9 // 10 if is_fork else commits
        history = [*_history(seed - 1 if is_fork else seed, 0, shared, secret_every)]
        if is_fork:
            history += _history(seed, shared, commits, secret_every)
        _run(root, "fast-import", "--quiet", fed=b"".join(history))
        secrets = len(range(0, commits, secret_every)) if secret_every else 0
        made.append(Made(name, made[-1].name if is_fork else "", secrets))
    return made


def _history(seed: int, first: int, last: int, secret_every: int) -> Iterator[bytes]:
    """The commits `first` to `last` of a history as commands of git fast-import.

    They depend on the seed and the number of the commit only, so forks share commits.
    """
    for number in range(first, last):
        yield _commit(seed, number, with_secret=bool(secret_every) and not number % secret_every)


def _commit(seed: int, number: int, *, with_secret: bool) -> bytes:
    date = 1_600_000_000 + number * 600
    words = random.Random(seed * 1_000_003 + number)
    path = f"src/module_{words.randrange(_FILES)}.py"
    text = "".join(
        f"{words.choice(_WORDS)}_{line} = {words.choice(_WORDS)}({words.randrange(1000)})\n"
        for line in range(_LINES)
    ).encode()
    files = [(path, text)]
    if with_secret:
        files.append((f"settings/service_{number}.py", leak(seed * 10_000 + number).encode()))
    message = f"change {number}\n".encode()
    head = f"commit refs/heads/main\ncommitter T <t@e.org> {date} +0000\n".encode()
    return (
        head
        + b"data %d\n%s" % (len(message), message)
        + b"".join(
            b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(data), data)
            for name, data in files
        )
    )


def _run(root: Path, *arguments: str, fed: bytes = b"") -> None:
    subprocess.run(["git", *arguments], cwd=root, input=fed, check=True)


if __name__ == "__main__":
    where, *numbers = sys.argv[1:]
    many, long = (*map(int, numbers), *(200, 1000)[len(numbers) :])
    write_repositories(Path(where), many, long)
