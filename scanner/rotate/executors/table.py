"""The executors by the kind of a live secret, as the inventory names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from scanner.rotate.executors import (
    aws_iam,
    aws_secrets_manager,
    azure,
    vault_approle,
    vault_database,
    vault_kv,
    vault_pki,
    vault_transit,
)
from scanner.rotate.executors.interface import Executor

EXECUTORS: Mapping[str, Executor] = {
    "database-static-role": vault_database.StaticRole(),
    "database-root": vault_database.Root(),
    "transit-key": cast("Executor", vault_transit),
    "approle-secret-id": cast("Executor", vault_approle),
    "pki-issuer": cast("Executor", vault_pki),
    "kv-v2": cast("Executor", vault_kv),
    "secretsmanager-secret": cast("Executor", aws_secrets_manager),
    "iam-access-key": cast("Executor", aws_iam),
    "key-vault-secret": azure.Secret(),
    "key-vault-key": azure.Key(),
}
