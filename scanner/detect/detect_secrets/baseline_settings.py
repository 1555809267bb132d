"""Detect: read which plugins and filters a baseline configures. It is untrusted input.

Only plugins and filters that detect-secrets 1.5.0 ships are accepted. Nothing else that a baseline
names is looked up, imported or opened.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from scanner.detect.detect_secrets.linear_regex import UnsupportedError, translate
from scanner.detect.detect_secrets.settings import (
    ALWAYS,
    BASELINE_FILE,
    DEFAULT_FILTERS,
    DEFAULT_OPTIONS,
    EXCLUDE_FILE,
    EXCLUDE_LINE,
    EXCLUDE_SECRET,
    GIBBERISH,
    LIMITS,
    PLUGINS,
    VERIFICATION,
    WORDLIST,
    Component,
    DetectSecretsSettings,
    default_settings,
    in_order,
)
from scanner.errors import ConfigError

_MAX_PATTERN = 4000


def settings_of(document: Mapping[str, Any], where: str) -> DetectSecretsSettings:
    """Return the settings of a baseline in the format of 1.5. `where` is its file.

    Raises ConfigError for an unknown plugin, filter or option.
    """
    plugins = (_plugin(entry, where) for entry in _entries(document, "plugins_used", where))
    if document.get("filters_used") is None:
        filters = default_settings().filters
    else:
        entries = _entries(document, "filters_used", where)
        filters = in_order(_filter(entry, where) for entry in entries)
    return DetectSecretsSettings(
        plugins=in_order(plugins),
        filters=filters,
        own_file=posixpath.basename(where.replace("\\", "/")),
    )


def _entries(document: Mapping[str, Any], key: str, where: str) -> Sequence[Mapping[str, Any]]:
    entries = document.get(key)
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise ConfigError(
            f"{key} of the baseline is not a list of objects",
            todo="create the baseline again: keywatch baseline create --detect-secrets exact",
            where=where,
        )
    return entries


def _plugin(entry: Mapping[str, Any], where: str) -> Component:
    name = str(entry.get("name"))
    if name not in PLUGINS or "path" in entry:
        raise ConfigError(
            f"the baseline uses the plugin {name[:200]!r}, which detect-secrets 1.5.0 "
            "does not ship",
            why="a custom plugin is code of the scanned repository, and keywatch never runs it",
            todo="remove it from plugins_used; a keywatch rule (--rules FILE) can replace it",
            where=where,
        )
    options = {key: value for key, value in entry.items() if key != "name"}
    defaults = dict(DEFAULT_OPTIONS.get(name, ()))
    _known_options(f"the plugin {name}", options, defaults, where)
    merged = {**defaults, **options}
    if "limit" in merged:
        merged["limit"] = _limit(name, merged["limit"], where)
    if merged.get("keyword_exclude"):
        _linear(f"keyword_exclude of {name}", merged["keyword_exclude"], where, re.IGNORECASE)
    elif "keyword_exclude" in merged:
        merged["keyword_exclude"] = ""  # versions 0.x write null
    return Component(name, tuple(merged.items()))


def _limit(name: str, value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 8:
        raise ConfigError(
            f"the limit of {name} is not a number from 0 to 8",
            todo=f"write the default, {LIMITS[name]}",
            where=where,
        )
    return float(value)


def _filter(entry: Mapping[str, Any], where: str) -> Component:
    path = entry.get("path")
    check = _FILTERS.get(path) if isinstance(path, str) else None
    if path is None or check is None:
        raise ConfigError(
            f"the baseline uses the filter {str(path)[:200]!r}, which detect-secrets 1.5.0 "
            "does not ship",
            why="a custom filter is code of the scanned repository, and keywatch never runs it",
            todo="remove it from filters_used",
            where=where,
        )
    options = {key: value for key, value in entry.items() if key != "path"}
    return Component(path, tuple(check(path, options, where).items()))


_Options = dict[str, Any]
_Check = Callable[[str, _Options, str], _Options]


def _without_options(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {}, where)
    return options


def _patterns(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"pattern"}, where)
    patterns = options.get("pattern")
    if not isinstance(patterns, list):
        raise ConfigError(
            f"pattern of the filter {path} is not a list of regular expressions",
            todo='write "pattern": ["..."]',
            where=where,
        )
    for pattern in patterns:
        _linear(f"the filter {path}", pattern, where)
    return {"pattern": tuple(patterns)}


def _file_name(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"filename"}, where)
    return {"filename": str(options.get("filename", ""))}


def _verification(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"min_level"}, where)
    level = options.get("min_level", 2)
    return {"min_level": level if level in (1, 2, 3) else 2}


def _gibberish(path: str, options: _Options, where: str) -> _Options:
    _known_options(f"the filter {path}", options, {"limit", "model", "file_hash"}, where)
    limit = options.get("limit", 3.7)
    problem = todo = ""
    if "model" in options:
        problem = "reads a model from a file of the scanned repository"
        todo = "remove model and file_hash, so that the model of detect-secrets is used"
    elif isinstance(limit, bool) or not isinstance(limit, int | float):
        problem, todo = "has a limit that is not a number", "write the default, 3.7"
    elif find_spec("gibberish_detector") is None:
        problem, todo = "needs a package that is not installed", "pip install gibberish-detector"
    if problem:
        raise ConfigError(f"the filter {path} {problem}", todo=todo, where=where)
    return {"limit": float(limit)}


def _wordlist(path: str, options: _Options, where: str) -> _Options:
    raise ConfigError(
        f"the filter {path} reads the file {str(options.get('file_name'))[:200]!r}",
        why="keywatch opens no file that a baseline names",
        todo=f"add the words to {EXCLUDE_SECRET} as patterns: (?i)word",
        where=where,
    )


_FILTERS: Mapping[str, _Check] = {
    **dict.fromkeys((*ALWAYS, *DEFAULT_FILTERS), _without_options),
    **dict.fromkeys((EXCLUDE_FILE, EXCLUDE_LINE, EXCLUDE_SECRET), _patterns),
    BASELINE_FILE: _file_name,
    VERIFICATION: _verification,
    GIBBERISH: _gibberish,
    WORDLIST: _wordlist,
}


def _known_options(what: str, options: _Options, known: Iterable[str], where: str) -> None:
    for name in options:
        if name not in known:
            raise ConfigError(
                f"{what} has no option {name[:200]!r} in detect-secrets 1.5.0",
                todo="remove it from the baseline",
                where=where,
            )


def _linear(what: str, pattern: Any, where: str, flags: int = 0) -> None:
    """Raise ConfigError if the linear engine cannot run a pattern with the same meaning."""
    try:
        is_short_text = isinstance(pattern, str) and len(pattern) <= _MAX_PATTERN
        translate(pattern if is_short_text else "(", flags)
    except UnsupportedError as error:
        reason = error if is_short_text else "it is not a string, or too long"
        raise ConfigError(
            f"{what} has a regular expression that cannot be run safely: {str(pattern)[:200]!r}",
            why=f"{reason}; a baseline is untrusted input",
            todo="write it without look-around and back-references",
            where=where,
        ) from None
