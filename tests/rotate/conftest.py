"""A Vault with a PostgreSQL behind it, both for rotations only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.openbao import ROOT_TOKEN, Bao, developing
from tests.support.rotations import ROTATES, Rotator, vault_backend


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory, openbao: None) -> Iterator[Bao]:
    with developing(tmp_path_factory.mktemp("rotated-bao")) as server:
        server.mount("keywatch", "kv", options={"version": "2"})
        server.mount("app", "kv", options={"version": "2"})
        server.mount("transit", "transit")
        server.mount("pki", "pki")
        server.call("POST", "sys/auth/approle", {"type": "approle"})
        yield server


@pytest.fixture
def rotator(tmp_path: Path, vault: Bao) -> Rotator:
    mounts = ("app", "transit", "pki")
    made = Rotator(
        tmp_path / "rotation",
        {"prod": vault_backend(vault.address, *mounts, groups=["approle"])},
        {"prod": ROTATES},
        lock="vault://prod/-/keywatch/lock",
    )
    made.environ |= {"AUDITOR": ROOT_TOKEN, "ROTATOR": ROOT_TOKEN}
    return made
