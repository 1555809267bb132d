"""Detect: choose the name of the variable that replaces a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scanner.fingerprints import digest

_STYLED = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_SECRET = re.compile(r"(?i)pass|pwd|secret|token|key")
_MAX_LENGTH = 60
_MIN_SHARED = 10  # bytes of a value from which equal values share a variable
# Keys of a format that do not tell what a value is for.
_GENERIC_KEYS = frozenset(
    "add appsettings args beans bean build c config configuration connectionstrings containers "
    "data default entry env environment global jobs key map name project properties property "
    "resource root run script server servers services setting settings spec stages steps "
    "stringdata string template value variable variables vars with".split()
)
# The usual variables for the settings of a .npmrc.
NPM = {"_authToken": "NPM_TOKEN", "_auth": "NPM_AUTH", "_password": "NPM_PASSWORD"}
_MAX_PARTS = 3  # keys in a name
_RESERVED = frozenset("PWD OLDPWD PATH HOME USER LOGNAME SHELL TERM LANG HOSTNAME SECRET".split())


class VariableNames:
    """The variables of a run. Each stands for one value, and only the hash of the value is kept."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._first: dict[bytes, str] = {}

    def free(self, wanted: str, value: bytes, *, share: bool) -> str:
        """Return the name for a value, with a number if the name stands for another value.

        share: if the value already has a variable and is not short, return that one.
        """
        key = _digest(value)
        if share and len(value) >= _MIN_SHARED and key in self._first:
            return self._first[key]
        name, number = wanted, 1
        while self._values.get(name, key) != key:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def take(self, name: str, value: bytes) -> None:
        """Assign a name to a value."""
        self._values[name] = _digest(value)
        self._first.setdefault(_digest(value), name)


def _digest(value: bytes) -> bytes:
    return digest(b"keywatch-variable\0" + value)


def styled(name: str) -> bool:
    """Is the name written like an environment variable, such as DB_PASSWORD?"""
    return _STYLED.fullmatch(name) is not None


def variable(context: str, keys: Sequence[str], *, in_url: bool = False) -> str:
    """Return the name of the variable for a value.

    That is `context`, the name beside the value, if it is written like a variable. Otherwise the
    name is built from the keys that lead to the value. `in_url`: the value is the password in a
    URL, and the keys name the URL.
    """
    if in_url and not _SECRET.search(context):  # then it is the name of the user or of the URL
        last = keys[-1:] if keys and styled(keys[-1]) else keys
        return _joined([*last, "password"])
    if styled(context):
        return _joined([context])
    own = [] if keys and _upper(keys[-1]) == _upper(context) else [context]
    return _joined([*keys, *own])


def _joined(keys: Sequence[str]) -> str:
    parts = [_upper(key) for key in keys if key.lstrip("@").lower() not in _GENERIC_KEYS]
    name = "_".join(part for part in parts[-_MAX_PARTS:] if part) or "SECRET"
    while len(name) > _MAX_LENGTH and "_" in name:
        name = name.partition("_")[2]
    name = name[:_MAX_LENGTH]
    return f"SECRET_{name}" if name in _RESERVED or name[0].isdigit() else name


def camel(name: str) -> str:
    """`DB_PASSWORD` -> `dbPassword`."""
    first, *rest = [part for part in name.lower().split("_") if part] or ["secret"]
    return first + "".join(part.capitalize() for part in rest)


def _upper(key: str) -> str:
    return _OTHER.sub("_", _HUMP.sub("_", key)).strip("_").upper()
