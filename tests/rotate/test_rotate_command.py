"""The command line of `keywatch rotate`."""

from __future__ import annotations

import io
import json
import time

import pytest

from scanner.cli import rotate
from scanner.cli.parser import Parser
from scanner.console import Console
from scanner.errors import ConfigError, UsageError
from tests.support.openbao import Bao
from tests.support.rotations import Rotator


@pytest.fixture
def secret(rotator: Rotator, vault: Bao) -> str:
    name = f"command-{time.monotonic_ns()}"
    vault.put(f"app/{name}", key="made-up")
    found = f"vault://prod/-/app/{name}"
    rotator.entries.append({"match": found, "issuer": "ours", "field": "key", "destroy_old": True})
    return found


def run(rotator: Rotator, action: str, *arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    console = Console(io.BytesIO(), out, io.StringIO(), dict(rotator.environ))
    parser = Parser(prog="keywatch rotate", allow_abbrev=False)
    rotate.add_arguments(parser)
    given = [action, str(rotator.folder / "repository"), "--operator", rotator.operator()]
    code = rotate.run(parser.parse_args([*given, *arguments]), console)
    return int(code), out.getvalue()


def test_plan_says_what_a_rotation_needs_and_changes_nothing(
    rotator: Rotator, vault: Bao, secret: str
) -> None:
    code, text = run(rotator, "plan", "--secret", secret)
    assert code == 0
    assert f"1. {secret}  [rotate]" in text
    assert f"right: read on app/metadata/{secret.rsplit('/', 1)[-1]}" in text
    assert "you: restart what uses it: no consumers are declared" in text
    assert not (rotator.folder / "journal.jsonl").exists()
    code, text = run(rotator, "plan", "--secret", secret, "--json")
    assert json.loads(text)["plan"][0]["action"] == "rotate"


def test_apply_waits_and_status_says_until_when(rotator: Rotator, secret: str) -> None:
    code, text = run(rotator, "apply", "--secret", secret)
    assert code == 0
    assert f"{secret}: waiting" in text
    code, text = run(rotator, "status")
    assert "do:  keywatch rotate resume after that" in text
    code, text = run(rotator, "resume", "--as-of", "2099-01-01", "--json")
    assert code == 0
    (rotation,) = json.loads(text)["rotations"]
    assert (rotation["state"], rotation["record"]["result"]) == ("finished", "finished")
    assert run(rotator, "status") == (0, "no rotation is unfinished\n")
    assert "finished" in run(rotator, "status", "--all")[1]


def test_a_leaked_secret_needs_a_reason_and_says_until_when_it_was_exposed(
    rotator: Rotator, secret: str
) -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        run(rotator, "apply", "--now", secret)
    code, text = run(rotator, "apply", "--now", secret, "--reason", "it was in a log")
    assert code == 0
    assert "exposed until" in text


def test_a_manual_secret_is_exit_code_1(rotator: Rotator, secret: str) -> None:
    rotator.entries.clear()
    code, text = run(rotator, "apply", "--secret", secret)
    assert code == 1
    assert "not rotated: manual" in text


def test_a_secret_that_does_not_exist_is_refused(rotator: Rotator, secret: str) -> None:
    with pytest.raises(UsageError, match="cannot be rotated"):
        run(rotator, "apply", "--secret", f"{secret}-not")


def test_without_a_section_rotation_nothing_is_done(rotator: Rotator, secret: str) -> None:
    backends = rotator.config["backends"]
    rotator.config.clear()
    rotator.config["backends"] = backends
    with pytest.raises(ConfigError, match="no section rotation"):
        run(rotator, "plan")


def test_an_unknown_issuer_is_named_with_its_line(rotator: Rotator, secret: str) -> None:
    rotator.entries[0]["issuer"] = "our"
    with pytest.raises(ConfigError, match="there is no issuer our") as error:
        run(rotator, "plan")
    assert error.value.todo == "did you mean ours?"
