"""Detect: read `.secrets.baseline` documents, upgrade older formats, and make new ones."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.baseline_settings import settings_of
from scanner.detect.detect_secrets.settings import ALWAYS, Component, DetectSecretsSettings
from scanner.errors import ConfigError

VERSION = "1.5.0"
# The library's upgrade modules, each for documents older than the version beside it.
_UPGRADES = (("v0_12", (0, 12)), ("v1_0", (1, 0)), ("v1_1", (1, 1)))
_TODO = "create the baseline again: keywatch baseline create --detect-secrets exact"


def settings_from_baseline(document: Mapping[str, Any], where: str) -> DetectSecretsSettings:
    """Return the settings of a baseline of any version. `where` is its file.

    Raises ConfigError for a plugin, filter or option that detect-secrets 1.5.0 does not ship, and
    for a regular expression that cannot run in linear time.
    """
    return settings_of(_upgraded(document, where), where)


def upgrade(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the document in the format of 1.5, with its labels, and with `/` in its paths.

    Runs no code of the repository and opens no file. Raises ConfigError if it is not a baseline.
    """
    upgraded = _upgraded(document, where)
    is_older = _version(document, where) < _version({"version": VERSION}, where)
    upgraded["version"] = VERSION if is_older else document["version"]
    upgraded["results"] = _results(upgraded, where)
    order = ("version", "plugins_used", "filters_used", "results", "generated_at")
    return {key: upgraded[key] for key in order if key in upgraded}


def empty_document(settings: DetectSecretsSettings) -> dict[str, Any]:
    """Return a new baseline without results, in the form that detect-secrets 1.5.0 writes."""
    filters = (component for component in settings.filters if component.name not in ALWAYS)
    return {
        "version": VERSION,
        "plugins_used": [_entry("name", component) for component in settings.plugins],
        "filters_used": [_entry("path", component) for component in filters],
        "results": {},
    }


def _entry(key: str, component: Component) -> dict[str, Any]:
    options = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in component.options
    }
    return {key: component.name, **options}


def _upgraded(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a copy with the settings of 1.5. The library's upgrade functions make it."""
    version = _version(document, where)
    if document.get("custom_plugin_paths"):
        raise ConfigError(
            "the baseline names files with custom plugins (custom_plugin_paths)",
            why="a custom plugin is code of the scanned repository, and keywatch never runs it",
            todo="remove custom_plugin_paths; a keywatch rule (--rules FILE) can replace it",
            where=where,
        )
    upgraded = {key: value for key, value in document.items() if key != "custom_plugin_paths"}
    for name, below in _UPGRADES:
        if version < below:
            upgraded = copy.deepcopy(upgraded)
            try:
                library.module(f"core.upgrades.{name}").upgrade(upgraded)
            except (AttributeError, LookupError, TypeError) as error:
                raise ConfigError(
                    f"the baseline is not what detect-secrets {document['version']} writes",
                    why=f"{type(error).__name__} while its format was upgraded",
                    todo=_TODO,
                    where=where,
                ) from None
    return upgraded


def _version(document: Mapping[str, Any], where: str) -> tuple[int, ...]:
    text = document.get("version")
    match = (
        re.fullmatch(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", text) if isinstance(text, str) else None
    )
    if match is None:
        raise ConfigError(
            f"the baseline's version is {str(text)[:50]!r}, which detect-secrets does not write",
            why="its format is unknown",
            todo=_TODO,
            where=where,
        )
    return tuple(map(int, match.groups()))


def _results(document: Mapping[str, Any], where: str) -> dict[str, list[dict[str, Any]]]:
    results = document.get("results")
    if not isinstance(results, dict) or not all(
        isinstance(rows, list) for rows in results.values()
    ):
        raise ConfigError(
            "the baseline's results are not a list for each file", todo=_TODO, where=where
        )
    by_path: dict[str, list[dict[str, Any]]] = {}
    for name, rows in results.items():
        path = name.replace("\\", "/")  # Windows writes backslashes
        by_path.setdefault(path, []).extend(_row(path, row, where) for row in rows)
    return by_path


def _row(path: str, row: Any, where: str) -> dict[str, Any]:
    is_valid = isinstance(row, dict) and all(
        isinstance(row.get(key), str) for key in ("type", "hashed_secret")
    )
    if not is_valid:
        raise ConfigError(
            f"a result of {path[:200]!r} in the baseline has no type or no hashed_secret",
            todo=_TODO,
            where=where,
        )
    optional = {key: row[key] for key in ("line_number", "is_secret") if row.get(key) is not None}
    return {
        "type": row["type"],
        "filename": path,
        "hashed_secret": row["hashed_secret"],
        "is_verified": bool(row.get("is_verified", False)),
        **optional,
    }
