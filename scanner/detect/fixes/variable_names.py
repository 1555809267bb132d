"""Detect: what to call the variable that takes a value's place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scanner.fingerprints import digest

_STYLED = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_SECRET = re.compile(r"(?i)pass|pwd|secret|token|key")
_LONGEST = 60
_SHARED_FROM = 10
# Keys that say where a value stands in a format, not what it is for.
_NOISE = frozenset(
    "add appsettings args beans bean build c config configuration connectionstrings containers "
    "data default entry env environment global jobs key map name project properties property "
    "resource root run script server servers services setting settings spec stages steps "
    "stringdata string template value variable variables vars with".split()
)
# What the variables for the settings of a .npmrc are called everywhere.
NPM = {"_authToken": "NPM_TOKEN", "_auth": "NPM_AUTH", "_password": "NPM_PASSWORD"}
_PARTS = 3
_TAKEN = frozenset("PWD OLDPWD PATH HOME USER LOGNAME SHELL TERM LANG HOSTNAME SECRET".split())


class Names:
    """The variables of a run: each stands for one value."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._first: dict[bytes, str] = {}

    def free(self, wanted: str, value: bytes, *, share: bool) -> str:
        """The name itself where it stands for no other value, else one with a number. `share`: the
        one that the value has already, where it is long enough to be the same by no chance."""
        key = _digest(value)
        if share and len(value) >= _SHARED_FROM and key in self._first:
            return self._first[key]
        name, number = wanted, 1
        while self._values.get(name, key) != key:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def take(self, name: str, value: bytes) -> None:
        self._values[name] = _digest(value)
        self._first.setdefault(_digest(value), name)


def _digest(value: bytes) -> bytes:
    return digest(b"keywatch-variable\0" + value)


def styled(name: str) -> bool:
    """Is it written as environment variables are: DB_PASSWORD?"""
    return _STYLED.fullmatch(name) is not None


def variable(context: str, keys: Sequence[str], *, in_url: bool = False) -> str:
    """The name for a value: the one beside it, if it is a variable's; else made of its keys, the
    last of which is `context` or leads to it. `in_url`: the value is a part of what they name."""
    if in_url and not _SECRET.search(context):  # then it is the user's name, or the URL's
        last = keys[-1:] if keys and styled(keys[-1]) else keys
        return _joined([*last, "password"])
    if styled(context):
        return _joined([context])
    own = [] if keys and _upper(keys[-1]) == _upper(context) else [context]
    return _joined([*keys, *own])


def _joined(keys: Sequence[str]) -> str:
    parts = [_upper(key) for key in keys if key.lstrip("@").lower() not in _NOISE]
    name = "_".join(part for part in parts[-_PARTS:] if part) or "SECRET"
    while len(name) > _LONGEST and "_" in name:
        name = name.partition("_")[2]
    name = name[:_LONGEST]
    return f"SECRET_{name}" if name in _TAKEN or name[0].isdigit() else name


def camel(name: str) -> str:
    """`DB_PASSWORD` -> `dbPassword`."""
    first, *rest = [part for part in name.lower().split("_") if part] or ["secret"]
    return first + "".join(part.capitalize() for part in rest)


def _upper(key: str) -> str:
    return _OTHER.sub("_", _HUMP.sub("_", key)).strip("_").upper()
