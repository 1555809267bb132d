"""A backend that gives what a test wrote for it: what every backend has, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from scanner.errors import ConfigError
from scanner.inventory.interface import Backend, Options, Settings, Variables
from scanner.model import Gap, Note
from scanner.records import Record

EXTRA = "vault"
SCHEME = "vault"
VARIABLES = Variables()
OPTIONS: Mapping[str, Any] = {"script": {"type": "string"}, "address": {"type": "string"}}
MODULES = {"vault": __name__, "aws": __name__}

Items = Iterable[Record | Gap | Note]
SCRIPTS: dict[str, Callable[[Settings], Items]] = {}
"""What the option `script` names."""
RIGHTS: dict[str, tuple[str, ...]] = {}
"""By the same names, the rights held beyond need."""

CLOSED: list[str] = []
"""The scripts of the backends that were closed, in order."""


class _Small:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._script = settings.options["script"]

    def read(self) -> Iterator[Record | Gap | Note]:
        yield from SCRIPTS[self._script](self._settings)

    def excess(self) -> Iterator[str]:
        yield from RIGHTS.get(self._script, ())

    def close(self) -> None:
        CLOSED.append(self._script)


def connect(settings: Settings, now: datetime) -> Backend:
    if settings.options["script"] == "no library":
        raise ModuleNotFoundError("No module named 'far.away'", name="far.away")
    if settings.options["script"] == "bad options":
        raise ConfigError("the backend names no region", todo="add one")
    return _Small(settings)


def permissions(settings: Settings) -> str:
    return f"read {settings.options['script']}\n\n"


def scopes(options: Options) -> Iterable[str]:
    return ["**"]


def addresses(options: Options) -> list[str]:
    return [options["address"]] if "address" in options else []


def login_advice(options: Options) -> str:
    return f"log in to {options['script']}"


def identities(options: Options) -> list[str]:
    return []
