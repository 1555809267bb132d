"""`keywatch fleet scan` of repositories on a real git server that asks for a token."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.support.fleets import FleetRun, ended, values
from tests.support.git_server import git_server
from tests.support.helpers import NOW
from tests.support.many_repositories import write_repositories


def command_lines() -> Iterator[bytes]:
    """Those of all processes of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def watched(command: list[str], checkout: Path, home: Path, token: bytes) -> FleetRun:
    """Run the command. Its token must not be in the arguments of any process."""
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env=os.environ | {"GIT_CONFIG_GLOBAL": str(home / ".gitconfig")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        assert not any(token in line for line in command_lines())
        time.sleep(0.05)
    return ended(process)


def test_a_list_is_cloned_with_a_token_that_is_in_no_argument_and_no_file(
    few_rules: Path, tmp_path: Path
) -> None:
    made = write_repositories(tmp_path / "served", 2, 20, secret_every=10)
    token = os.urandom(12).hex()
    credential = tmp_path / "credential"
    credential.write_text(f"username=bot\npassword={token}\n")
    home, output, clones = tmp_path / "home", tmp_path / "out", tmp_path / "clones"
    home.mkdir()
    with (
        git_server(tmp_path / "served", user="bot", token=token) as server,
        git_server(tmp_path / "served", user="bot", token=token) as other,
    ):
        (home / ".gitconfig").write_text(
            f'[credential "{server.address}"]\n\thelper = "!f() {{ cat {credential}; }}; f"\n'
        )
        addresses = [server.of(made[0].name), server.of(made[1].name), other.of(made[0].name)]
        (tmp_path / "list.txt").write_text("\n".join(addresses) + "\n")
        command = [
            *(sys.executable, "-m", "scanner", "fleet", "scan", f"--now={NOW}", "--workers=1"),
            *("--loopback-http", f"--list={tmp_path}/list.txt", f"--output={output}"),
            f"--clone-folder={clones}",
        ]
        done = watched(command, few_rules, home, token.encode())
    assert done.code == 1, done.out
    found = [place for value in values(output) for place in value["places"]]
    assert len(found) == sum(one.secrets for one in made)
    assert "1 gap" in done.err
    assert "bind a credential helper to the host" in done.out  # the other server has none
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path != credential]
    assert not any(token.encode() in path.read_bytes() for path in written)
    assert token not in done.out + done.err
