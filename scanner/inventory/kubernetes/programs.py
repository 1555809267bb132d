"""Find the users of a kubeconfig whose credentials come from a program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from scanner import document
from scanner.errors import ConfigError

_MOST = 1 << 20


def runs_program(file: str) -> bool:
    """Does a user of a kubeconfig, or of a list of them, get its credentials from a program?

    A file that cannot be read or parsed has no users.
    """
    return any(_is_program(user) for path in file.split(os.pathsep) for user in _users(path))


def _users(path: str) -> Iterator[Any]:
    try:
        with open(os.path.expanduser(path), "rb") as stream:
            config = document.parse(stream.read(_MOST), path).data
    except (OSError, ConfigError):
        return
    users = config.get("users") if isinstance(config, dict) else None
    for each in users if isinstance(users, list) else ():
        if isinstance(each, dict):
            yield each.get("user")


def _is_program(user: Any) -> bool:
    return isinstance(user, dict) and bool(user.get("exec") or user.get("auth-provider"))
