"""Resolve the paths that an operator config names, and refuse those in the audited repository.

Anyone who can change the repository could otherwise choose the credentials, the CAs and, through a
kubeconfig, the program that an audit runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scanner.configuration.operator import BackendConfig, OperatorConfig
from scanner.errors import UsageError

_PATHS = (
    ("kubeconfig",),
    ("ca",),
    ("auth", "file"),
    ("auth", "certificate"),
    ("tls", "ca"),
    ("tls", "client_cert"),
    ("tls", "client_key"),
)
"""The options of all kinds of backends that name a file."""


def resolved(
    operator: OperatorConfig,
    folder: str,
    environ: Mapping[str, str],
    is_inside: Callable[[str], bool],
) -> OperatorConfig:
    """The operator config with absolute paths; relative ones start at `folder`.

    UsageError for a path that `is_inside` says is in the repository.
    """
    entries = []
    for entry in operator.backends:
        options: Any = entry.options
        for keys in _PATHS:
            options = _with_path(entry, options, keys, folder, is_inside)
        for path in _kubeconfigs(entry, environ):
            _refuse(entry, path, os.path.isabs(path) and not is_inside(path), "KUBECONFIG")
        entries.append(entry._replace(options=options))
    return operator._replace(backends=tuple(entries))


def _with_path(
    entry: BackendConfig,
    options: Mapping[str, Any],
    keys: tuple[str, ...],
    folder: str,
    is_inside: Callable[[str], bool],
) -> Mapping[str, Any]:
    """The options with one of their paths resolved, if they have it."""
    key, *below = keys
    value = options.get(key)
    if below and isinstance(value, Mapping):
        return {**options, key: _with_path(entry, value, tuple(below), folder, is_inside)}
    if below or not isinstance(value, str):
        return options
    path = os.path.normpath(os.path.join(folder, os.path.expanduser(value)))
    _refuse(entry, value, not is_inside(path), "the operator config")
    return {**options, key: path}


def _kubeconfigs(entry: BackendConfig, environ: Mapping[str, str]) -> Iterator[str]:
    """The kubeconfigs that the environment names for a backend that does not name its own."""
    options = entry.options
    if entry.kind == "kubernetes" and "context" in options and "kubeconfig" not in options:
        names = environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
        yield from filter(None, names.split(os.pathsep))


def _refuse(entry: BackendConfig, path: str, is_fine: bool, named_by: str) -> None:  # noqa: FBT001
    if not is_fine:
        raise UsageError(
            f"the backend {entry.name} would read {path}, which is inside the audited repository"
            " or relative to the current folder",
            why=f"{named_by} names it, but anyone who can change the repository can change it",
            todo="keep the file outside the repository and name its absolute path",
        )
