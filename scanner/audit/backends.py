"""The command line: the modules that read the live stores of the operator's file."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from scanner import project
from scanner.configuration.operator import Entry, Options
from scanner.document import nearest
from scanner.errors import UsageError
from scanner.inventory.interface import Backend, Settings

if TYPE_CHECKING:
    from scanner.inventory.interface import Module

Modules = Mapping[str, str]
"""By kind of backend, the name of its module: it is loaded when it is asked for."""
BACKENDS: Modules = {
    "vault": "scanner.inventory.vault",
    "kubernetes": "scanner.inventory.kubernetes",
    "aws": "scanner.inventory.aws",
    "azure": "scanner.inventory.azure",
}


def options(modules: Modules) -> Options:
    return {kind: functools.partial(_options, name) for kind, name in modules.items()}


def _options(name: str) -> Mapping[str, Any]:
    return _load(name).OPTIONS


def _load(name: str) -> Module:
    return cast("Module", importlib.import_module(name))


def chosen(entries: Sequence[Entry], names: Iterable[str]) -> list[Entry]:
    """The backends of these names, without any name all. UsageError for a name that none has."""
    known = {entry.name: entry for entry in entries}
    for name in names:
        if name not in known:
            has = f"the operator's file has {', '.join(known)}"
            raise UsageError(f"there is no backend {name}", todo=nearest(name, known) or has)
    return [known[name] for name in dict.fromkeys(names)] or [*entries]


def connected(settings: Settings, modules: Modules, now: datetime) -> Backend:
    """The backend, of which nothing is asked yet. UsageError where its library is not here."""
    module = _load(modules[settings.kind])
    try:
        return module.connect(settings, now)
    except ImportError as error:
        raise UsageError(
            f"the backend {settings.name} needs a library that is not here",
            why=f"{settings.kind} is read with {(error.name or '').partition('.')[0]}",
            todo=f"pip install {project.requirement(module.EXTRA)}",
        ) from None


def permissions(settings: Settings, modules: Modules) -> str:
    """What the backend must grant, under a heading."""
    said = _load(modules[settings.kind]).permissions(settings)
    return f"# {settings.name} ({settings.kind})\n{said.rstrip()}\n"
