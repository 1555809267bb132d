"""Rotations in a real Vault."""

from __future__ import annotations

import itertools

import pytest

from scanner.rotate.model import State
from tests.support.openbao import Bao
from tests.support.rotations import Rotator

NUMBERS = itertools.count()


@pytest.fixture
def generated(rotator: Rotator, vault: Bao) -> str:
    """A signing key in KV, with a second field beside it."""
    name = f"jwt-{next(NUMBERS)}"
    vault.put(f"app/{name}", key="made-up", issuer="example")
    secret = f"vault://prod/-/app/{name}"
    rotator.entries.append({"match": secret, "issuer": "ours", "field": "key"})
    return secret


def read(vault: Bao, secret: str) -> dict[str, str]:
    data: dict[str, str] = vault.call("GET", f"app/data/{secret.split('/')[-1]}")["data"]["data"]
    return data


def version(vault: Bao, secret: str) -> int:
    path = f"app/metadata/{secret.split('/')[-1]}"
    return int(vault.call("GET", path)["data"]["current_version"])


def test_a_generated_value_is_replaced_and_the_other_fields_stay(
    rotator: Rotator, vault: Bao, generated: str
) -> None:
    rotator.finish(generated)
    data = read(vault, generated)
    assert data["issuer"] == "example"
    assert len(data["key"]) == 32
    assert version(vault, generated) == 2


def test_a_crash_at_any_moment_leaves_one_new_value(
    rotator: Rotator, vault: Bao, generated: str
) -> None:
    moments = rotator.crashed(generated, 10_000)
    for number in range(1, len(moments) + 1):
        before = version(vault, generated)
        rotator.crashed(generated, number)
        assert version(vault, generated) == before + 1, moments[number - 1]
    assert {each["result"] for each in rotator.records} == {State.FINISHED}
