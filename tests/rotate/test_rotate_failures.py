"""What goes wrong half way: kill -9, a sealed server, missing rights, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from scanner.errors import ConfigError, OutputError, UsageError
from scanner.rotate import commands
from scanner.rotate.config import Command
from scanner.rotate.model import RefusedError, State, UnknownError
from tests.support.openbao import Bao
from tests.support.relay import Relay
from tests.support.rotations import Rotator

ROOT = Path(__file__).resolve().parents[2]
KILLED = """\
import os, signal, sys
from datetime import UTC, datetime
from scanner.audit.backends import BACKENDS
from scanner.console import Console
from scanner.rotate.run import ApplyRequest, PlanRequest, World, apply
repository, operator, secret, at = sys.argv[1:]
def hook(moment):
    if moment == at:
        os.kill(os.getpid(), signal.SIGKILL)
world = World(Console.of_process(), BACKENDS, datetime.now(UTC), hook=hook)
apply(ApplyRequest(PlanRequest(repository, operator, (secret,))), world)
"""


@pytest.fixture
def issued(rotator: Rotator, vault: Bao) -> str:
    name = f"failing-{time.monotonic_ns()}"
    (rotator.issued / "first").write_text("issued-first")
    vault.put(f"app/{name}", key="issued-first")
    secret = f"vault://prod/-/app/{name}"
    rotator.entries.append({"match": secret, "issuer": "theirs", "field": "key"})
    return secret


def current(vault: Bao, secret: str) -> str:
    path = f"app/data/{secret.rsplit('/', 1)[-1]}"
    return str(vault.call("GET", path)["data"]["data"]["key"])


def live(rotator: Rotator) -> set[str]:
    return {path.read_text() for path in rotator.issued.iterdir()}


@pytest.mark.unmeasured
@pytest.mark.parametrize("moment", ["did create", "intent store", "did store", "done store"])
def test_kill_9_is_resumed_to_one_credential(
    rotator: Rotator, vault: Bao, issued: str, moment: str
) -> None:
    argv = [sys.executable, "-c", KILLED, str(rotator.folder / "repository"), rotator.operator()]
    environ = {**rotator.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*argv, issued, moment], env=environ, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = rotator.status()
    assert left.state is State.INTERRUPTED
    rotator.resume()
    rotator.resume(later=7200)
    assert live(rotator) == {current(vault, issued)}
    (record,) = rotator.records
    assert record["result"] == State.FINISHED


def test_a_server_that_stops_answering_in_the_middle_leaves_a_state_to_resume(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    """The address leads nowhere from the moment on at which the value is to be stored."""
    with Relay(vault.address) as relay:
        rotator.config["backends"]["prod"]["address"] = relay.address

        def seal(moment: str) -> None:
            relay.sealed = relay.sealed or moment == "intent store"

        (stopped,) = rotator.apply(issued, hook=seal).results
        assert stopped.progress.state is State.UNKNOWN
        relay.sealed = False
        rotator.resume()
        rotator.resume(later=7200)
    assert live(rotator) == {current(vault, issued)}


def test_an_answer_that_is_lost_after_the_write_is_read_back(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    with Relay(vault.address) as relay:
        rotator.config["backends"]["prod"]["address"] = relay.address
        relay.loses = ("PATCH", "/v1/app/data/")
        (one,) = rotator.apply(issued).results
        assert relay.loses is None
        assert one.progress.state is State.WAITING
        rotator.resume(later=7200)
    assert live(rotator) == {current(vault, issued)}


def test_without_the_right_to_write_nothing_is_left_over(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    rights = [
        'path "app/metadata/*" { capabilities = ["read"] }',
        'path "app/data/*" { capabilities = ["read"] }',
        'path "keywatch/*" { capabilities = ["create", "read", "update", "delete"] }',
    ]
    rotator.environ["ROTATOR"] = vault.token(*rights)
    (failed,) = rotator.apply(issued).results
    assert failed.progress.state is State.FAILED
    assert "403" in failed.progress.reason
    assert live(rotator) == {"issued-first"}
    rotator.environ["ROTATOR"] = rotator.environ["AUDITOR"]
    rotator.resume()
    rotator.resume(later=7200)
    assert live(rotator) == {current(vault, issued)}


def test_a_secret_without_an_issuer_is_manual_and_apply_refuses_it(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    rotator.entries.clear()
    applied = rotator.apply(issued)
    assert applied.results == ()
    ((item, why),) = applied.left
    assert item.secret == issued
    assert why.startswith("manual: no `issuer`")


def test_a_backend_without_a_rotating_identity_is_manual(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    rotator.config["backends"]["other"] = dict(rotator.config["backends"]["prod"])
    found = rotator.plan(issued.replace("prod", "other")).items
    assert "has no identity that may rotate in other" in found[0].missing


def test_an_unfinished_rotation_is_not_begun_again(rotator: Rotator, issued: str) -> None:
    rotator.apply(issued)
    ((_, why),) = rotator.apply(issued).left
    assert "has not ended" in why


def test_a_journal_of_another_version_is_refused(rotator: Rotator, issued: str) -> None:
    (rotator.folder / "journal.jsonl").write_text('{"journal":2,"holder":"x"}\n')
    with pytest.raises(ConfigError, match="version 2"):
        rotator.apply(issued)


def test_a_damaged_journal_names_the_line(rotator: Rotator, issued: str) -> None:
    rotator.apply(issued)
    path = rotator.folder / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "{broken\n", *lines[3:]]))
    with pytest.raises(ConfigError) as error:
        rotator.resume()
    assert error.value.where.endswith("journal.jsonl:4")


def test_a_line_that_a_crash_cut_off_is_dropped(rotator: Rotator, vault: Bao, issued: str) -> None:
    rotator.apply(issued)
    path = rotator.folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    rotator.resume(later=7200)
    assert live(rotator) == {current(vault, issued)}


def test_a_clock_that_went_back_stops_everything(rotator: Rotator, issued: str) -> None:
    rotator.offset = 7200
    rotator.apply(issued)
    rotator.offset = 0
    with pytest.raises(UsageError, match="the clock says"):
        rotator.resume()


def test_a_full_disk_stops_before_the_next_action(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = rotator.folder / "journal.jsonl"

    def fill(moment: str) -> None:
        if moment == "did store":
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))

    try:
        with pytest.raises(OutputError, match="journal"):
            rotator.apply(issued, hook=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    rotator.resume()
    rotator.resume(later=7200)
    assert live(rotator) == {current(vault, issued)}
    assert len(rotator.records) == 1


def test_a_command_gets_values_only_on_its_standard_input(tmp_path: Path) -> None:
    script = "import os, sys; sys.stdin.read(); print(' '.join([*sys.argv, *sorted(os.environ)]))"
    command = Command((sys.executable, "-c", script), 20, ("SHOWN",))
    environ = {"PATH": os.defpath, "SHOWN": "x", "HIDDEN": "made-up"}
    printed = commands.run(command, {"value": "made-up-value"}, environ)
    assert "made-up" not in printed
    assert "SHOWN" in printed


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    began = time.monotonic()
    with pytest.raises(UnknownError, match="did not end within 1 s"):
        commands.run(Command(("sh", "-c", "sleep 60; true"), 1), {}, {"PATH": os.defpath})
    assert time.monotonic() - began < timedelta(seconds=10).total_seconds()


def test_a_command_that_fails_shows_nothing_of_its_output() -> None:
    with pytest.raises(RefusedError) as error:
        commands.run(
            Command(("sh", "-c", "echo made-up-value; exit 3"), 5), {}, {"PATH": os.defpath}
        )
    assert "made-up-value" not in error.value.reason + error.value.todo
