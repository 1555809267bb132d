"""Attacks on what --diff, --history and the hooks of a server read, from outside."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest

from tests.support.helpers import Keywatch, Scanned, git, grow, repository, scan, token

FILLER = "\n".join(f"line {number} says nothing" for number in range(60)) + "\n"


class Branch:
    """A repository whose branch `pull` began at main, which holds `files`."""

    def __init__(self, root: Path, keywatch: Keywatch, files: dict[str, str]) -> None:
        self.root = repository(root)
        self._keywatch = keywatch
        self.commit(files)
        git(self.root, "checkout", "-q", "-b", "pull")

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        grow(self.root, files)
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
