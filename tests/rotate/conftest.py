"""A Vault with a PostgreSQL behind it, both for rotations only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.helpers import unavailable
from tests.support.openbao import (
    ROOT_TOKEN,
    Bao,
    Postgres,
    developing,
    postgres,
    postgres_tools,
)
from tests.support.rotations import ROTATES, Rotator, vault_backend


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory, openbao: None) -> Iterator[Bao]:
    with developing(tmp_path_factory.mktemp("rotated-bao")) as server:
        server.mount("keywatch", "kv", options={"version": "2"})
        server.mount("app", "kv", options={"version": "2"})
        server.mount("transit", "transit")
        server.mount("pki", "pki")
        server.call("POST", "sys/auth/approle", {"type": "approle"})
        server.call("POST", "pki/root/generate/internal", {"common_name": "first"})
        yield server


@pytest.fixture
def rotator(tmp_path: Path, vault: Bao) -> Rotator:
    mounts = [each for each in ("app", "transit", "pki", "database") if mounted(vault, each)]
    made = Rotator(
        tmp_path / "rotation",
        {"prod": vault_backend(vault.address, *mounts, groups=["approle"])},
        {"prod": ROTATES},
        lock="vault://prod/-/keywatch/lock",
    )
    made.environ |= {"AUDITOR": ROOT_TOKEN, "ROTATOR": ROOT_TOKEN}
    return made


@pytest.fixture(scope="session")
def database(vault: Bao) -> Iterator[Postgres]:
    """PostgreSQL that checks the passwords of all members of the role apps."""
    if not postgres_tools():
        unavailable("there is no PostgreSQL: apt-get install postgresql")
    made_up = os.urandom(4).hex()
    with postgres() as cluster:
        cluster.demand_passwords()
        cluster.run(f"CREATE ROLE vaultroot LOGIN SUPERUSER PASSWORD '{made_up}'")
        vault.mount("database", "database")
        place = f"127.0.0.1:{cluster.port}/postgres?sslmode=disable"
        config = {
            "plugin_name": "postgresql-database-plugin",
            "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}",
            "username": "vaultroot",
            "password": made_up,
            "allowed_roles": "*",
        }
        vault.call("POST", "database/config/pg", config)
        yield cluster


def mounted(vault: Bao, name: str) -> bool:
    return f"{name}/" in vault.call("GET", "sys/mounts")["data"]
