"""Real git repositories with made-up secrets, and keywatch run in them."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import helpers
from tests.support.helpers import NOW, Keywatch


def secret(seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=24))


def password(seed: int, name: str = "db_password") -> str:
    """A line of code that holds a secret."""
    return f'{name} = "{secret(seed)}"\n'


NOTHING_COMPILED = ("--matcher", "re")
"""For a run with rules that no other run has: a database for them takes seconds to compile."""


PRAGMA = "  # pragma: " + "allowlist secret\n"


def allowed(line: str, *, reason: str = "y", owner: str = "@b", until: str = "2099-01-01") -> str:
    """The line of code with an allow comment. Put together: the tests are scanned too."""
    terms = f'generic-password reason="{reason}" owner={owner} until={until}'
    return f"{line.rstrip()}  # keywatch: " + f"allow {terms}\n"


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Repository:
    """A git repository; `keywatch` runs in it."""

    def __init__(self, root: Path, keywatch: Keywatch) -> None:
        self.root = root
        self._run = keywatch
        root.mkdir()
        self.git("init", "-q")

    def git(self, *arguments: str, code: int = 0) -> str:
        return helpers.git(self.root, *arguments, code=code)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, message: str = "change") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def text(self, name: str) -> str:
        return (self.root / name).read_text()

    def keywatch(self, *arguments: str) -> Result:
        return self.run_in(".", *arguments)

    def run_in(self, folder: str, *arguments: str) -> Result:
        done = self._run(*arguments, cwd=self.root / folder)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def findings(self, *arguments: str) -> list[tuple[str, int]]:
        """(path, line) of what a scan reports."""
        places = (each["location"] for each in self.report(*arguments)["findings"])
        return [(place["path"], place["line"]) for place in places]

    def report(self, *arguments: str) -> Any:
        return json.loads(self.keywatch("scan", "--now", NOW, "--report", "json=-", *arguments).out)
