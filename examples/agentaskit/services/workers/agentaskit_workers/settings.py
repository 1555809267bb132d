"""Settings, read once from the environment and from files that the Vault agent renders."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

SECRETS_DIR = Path(os.environ.get("SECRETS_DIR", "/vault/secrets"))
PASSWORD_FIELD = "db_password"  # the key inside secret/data/agentaskit/db-credentials
TOKEN_PLACEHOLDER = "<token>"


def read_secret(name: str) -> str:
    """The value of a rendered secret file, without its final newline."""
    return (SECRETS_DIR / name).read_text(encoding="utf-8").rstrip("\n")


@dataclass(frozen=True)
class Settings:
    """All that a worker needs to know; secrets do not appear in its repr."""

    database_url: str = field(repr=False)
    smtp_user: str
    smtp_password: str = field(repr=False)
    queue_url: str
    log_level: str = "info"


def load(environ: os._Environ[str] = os.environ) -> Settings:
    return Settings(
        database_url=environ["DATABASE_URL"],
        smtp_user=environ.get("SMTP_USER", "no-reply@agentaskit.example"),
        smtp_password=read_secret("smtp-password"),
        queue_url=environ["QUEUE_URL"],
        log_level=environ.get("LOG_LEVEL", "info"),
    )
