"""The kinds of backends, and the backends of an operator config."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from scanner import project
from scanner.configuration.operator import BackendConfig, OptionSchemas
from scanner.document import nearest
from scanner.errors import UsageError
from scanner.inventory.interface import Backend, Settings, Variables
from scanner.policy.declarations import secret_ids
from scanner.policy.live.comparison import Store

if TYPE_CHECKING:
    from scanner.inventory.interface import Module

Modules = Mapping[str, str]
"""By kind of backend, the name of its module. A module is imported when it is first needed."""
BACKENDS: Modules = {
    "vault": "scanner.inventory.vault",
    "kubernetes": "scanner.inventory.kubernetes",
    "aws": "scanner.inventory.aws",
    "azure": "scanner.inventory.azure",
}


LOGIN_GAPS = frozenset({"login", "token", "unauthenticated", "unconfigured"})
"""Kinds of gaps of an auditor that cannot log in, or whose login has ended."""


def load(kind: str, modules: Modules) -> Module:
    """The module of a kind. It satisfies `Module` in inventory/interface.py."""
    return cast("Module", importlib.import_module(modules[kind]))


def options(modules: Modules) -> OptionSchemas:
    return {kind: functools.partial(_options, kind, modules) for kind in modules}


def _options(kind: str, modules: Modules) -> Mapping[str, Any]:
    return load(kind, modules).OPTIONS


def variables(modules: Modules) -> list[Variables]:
    """The environment variables that the libraries of all kinds read by themselves."""
    return [load(kind, modules).VARIABLES for kind in modules]


def chosen(configured: Sequence[BackendConfig], names: Iterable[str]) -> list[BackendConfig]:
    """The backends with these names, or all without a name. UsageError for an unknown name."""
    known = {backend.name: backend for backend in configured}
    for name in names:
        if name not in known:
            listed = f"the operator config has {', '.join(known)}"
            raise UsageError(f"unknown backend {name}", todo=nearest(name, known) or listed)
    return [known[name] for name in dict.fromkeys(names)] or [*configured]


def settings(backend: BackendConfig, *, timeout: float, environ: Mapping[str, str]) -> Settings:
    """What the backend is created from. `timeout` is in seconds."""
    return Settings(
        name=backend.name,
        kind=backend.kind,
        options=backend.options,
        timeout=timeout,
        environ=environ,
    )


def address(name: str, kind: str, modules: Modules) -> str:
    """The beginning of the canonical IDs of a backend's secrets: `vault://prod`."""
    return f"{load(kind, modules).SCHEME}://{name}"


def store(backend: BackendConfig, modules: Modules) -> Store:
    """A backend as the policy compares it with what a repository declares."""
    module = load(backend.kind, modules)
    prefix = address(backend.name, backend.kind, modules)
    globs = (f"{prefix}/{scope}" for scope in module.scopes(backend.options))
    return Store(
        name=backend.name,
        scheme=module.SCHEME,
        scope=tuple(map(secret_ids.pattern, globs)),
        addresses=module.addresses(backend.options),
        identities=module.identities(backend.options),
    )


def advice(settings: Settings, kind: str, modules: Modules) -> str:
    """What to do first about a gap of this kind that concerns the whole store. "" if unknown."""
    module = load(settings.kind, modules)
    if kind in LOGIN_GAPS:
        return module.login_advice(settings.options)
    if kind == "unreachable":
        address = next(iter(module.addresses(settings.options)), "")
        named = f" {address}" if address else ""
        return f"check that the server runs and that its address{named} is right"
    return {
        "denied": "grant what keywatch audit --permissions prints",
        "timeout": f"give it more time: --timeout {2 * settings.timeout:.0f}s",
        "sealed": "unseal it",
    }.get(kind, "")


def connected(settings: Settings, modules: Modules, now: datetime) -> Backend:
    """The backend. It has sent no request yet. UsageError if its library is not installed."""
    module = load(settings.kind, modules)
    try:
        return module.connect(settings, now)
    except ImportError as error:
        raise not_installed(settings, error, modules) from None


def not_installed(
    settings: Settings, error: ImportError, modules: Modules = BACKENDS
) -> UsageError:
    """The error for a backend whose library cannot be imported."""
    library = (error.name or "").partition(".")[0]
    return UsageError(
        f"a library for backend {settings.name} is not installed",
        why=f"{settings.kind} needs {library}",
        todo=f"pip install {project.requirement(load(settings.kind, modules).EXTRA)}",
    )


def permissions(settings: Settings, modules: Modules) -> str:
    """What the backend must grant, under a heading."""
    text = load(settings.kind, modules).permissions(settings)
    return f"# {settings.name} ({settings.kind})\n{text.rstrip()}\n"
