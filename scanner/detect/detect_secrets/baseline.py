"""Detect: `.secrets.baseline` documents: their settings, older formats, the head of a new one."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.baseline_settings import settings_of
from scanner.detect.detect_secrets.settings import ALWAYS, DetectSecretsSettings, Part
from scanner.errors import ConfigError

VERSION = "1.5.0"
# The library's own steps, each for documents older than its version.
_STEPS = (("v0_12", (0, 12)), ("v1_0", (1, 0)), ("v1_1", (1, 1)))
_TODO = "write the baseline anew: keywatch baseline create --detect-secrets exact"


def settings_from_baseline(document: Mapping[str, Any], where: str) -> DetectSecretsSettings:
    """What a baseline of any version, the file `where`, asks for.

    ConfigError for a plugin, filter or option that detect-secrets 1.5.0 does not ship, and for a
    regular expression that cannot run in linear time.
    """
    return settings_of(_renewed(document, where), where)


def upgrade(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The document in the format of 1.5, its labels kept, its paths with `/`.

    Runs no code of the repository and opens nothing. ConfigError where it is not a baseline.
    """
    renewed = _renewed(document, where)
    older = _version(document, where) < _version({"version": VERSION}, where)
    renewed["version"] = VERSION if older else document["version"]
    renewed["results"] = _results(renewed, where)
    order = ("version", "plugins_used", "filters_used", "results", "generated_at")
    return {key: renewed[key] for key in order if key in renewed}


def empty_document(settings: DetectSecretsSettings) -> dict[str, Any]:
    """A new baseline without results, as detect-secrets 1.5.0 writes it."""
    filters = (part for part in settings.filters if part.name not in ALWAYS)
    return {
        "version": VERSION,
        "plugins_used": [_entry("name", part) for part in settings.plugins],
        "filters_used": [_entry("path", part) for part in filters],
        "results": {},
    }


def _entry(key: str, part: Part) -> dict[str, Any]:
    options = {
        name: list(value) if isinstance(value, tuple) else value for name, value in part.options
    }
    return {key: part.name, **options}


def _renewed(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A copy with the settings of 1.5, by the library's own upgrades."""
    version = _version(document, where)
    if document.get("custom_plugin_paths"):
        raise ConfigError(
            "the baseline names files with plugins of its own (custom_plugin_paths)",
            why="a custom plugin is code of the scanned repository, and none of that is run",
            todo="take custom_plugin_paths out; a keywatch rule (--rules FILE) can take its place",
            where=where,
        )
    renewed = {key: value for key, value in document.items() if key != "custom_plugin_paths"}
    for name, below in _STEPS:
        if version < below:
            renewed = copy.deepcopy(renewed)
            try:
                library.module(f"core.upgrades.{name}").upgrade(renewed)
            except (AttributeError, LookupError, TypeError) as error:
                raise ConfigError(
                    f"the baseline is not what detect-secrets {document['version']} wrote",
                    why=f"{type(error).__name__} while its format was renewed",
                    todo=_TODO,
                    where=where,
                ) from None
    return renewed


def _version(document: Mapping[str, Any], where: str) -> tuple[int, ...]:
    text = document.get("version")
    match = (
        re.fullmatch(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", text) if isinstance(text, str) else None
    )
    if match is None:
        raise ConfigError(
            f"the baseline's version is {str(text)[:50]!r}, which detect-secrets does not write",
            why="its format is not known",
            todo=_TODO,
            where=where,
        )
    return tuple(map(int, match.groups()))


def _results(document: Mapping[str, Any], where: str) -> dict[str, list[dict[str, Any]]]:
    results = document.get("results")
    if not isinstance(results, dict) or not all(
        isinstance(rows, list) for rows in results.values()
    ):
        raise ConfigError("results of the baseline are not lists by file", todo=_TODO, where=where)
    renewed: dict[str, list[dict[str, Any]]] = {}
    for name, rows in results.items():
        path = name.replace("\\", "/")  # written on Windows
        renewed.setdefault(path, []).extend(_row(path, row, where) for row in rows)
    return renewed


def _row(path: str, row: Any, where: str) -> dict[str, Any]:
    texts = isinstance(row, dict) and all(
        isinstance(row.get(key), str) for key in ("type", "hashed_secret")
    )
    if not texts:
        raise ConfigError(
            f"a result of {path[:200]!r} in the baseline has no type or no hashed_secret",
            todo=_TODO,
            where=where,
        )
    kept = {key: row[key] for key in ("line_number", "is_secret") if row.get(key) is not None}
    return {
        "type": row["type"],
        "filename": path,
        "hashed_secret": row["hashed_secret"],
        "is_verified": bool(row.get("is_verified", False)),
        **kept,
    }
