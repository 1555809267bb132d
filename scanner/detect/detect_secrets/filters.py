"""Detect: the filters of detect-secrets, which decide which files, lines and secrets it ignores.

Most are the library's functions. The functions that would take quadratic time on a hostile path or
line are replaced: the linear engine runs their patterns.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.linear_regex import Linear, linear
from scanner.detect.detect_secrets.settings import (
    ALLOWLIST,
    ALWAYS,
    BASELINE_FILE,
    EXCLUDE_FILE,
    EXCLUDE_LINE,
    EXCLUDE_SECRET,
    GIBBERISH,
    INDIRECT,
    VERIFICATION,
    Component,
    DetectSecretsSettings,
)

_INVALID_FILE, _NON_TEXT_FILE = ALWAYS
_HEURISTIC = "detect_secrets.filters.heuristic."
_SWAGGER = _HEURISTIC + "is_swagger_file"
# The arguments of the functions that run as they are. The first one tells the stage.
ARGUMENTS = {
    _NON_TEXT_FILE: ("filename",),
    _HEURISTIC + "is_lock_file": ("filename",),
    _HEURISTIC + "is_likely_id_string": ("secret", "line", "plugin"),
    _HEURISTIC + "is_not_alphanumeric_string": ("secret",),
    _HEURISTIC + "is_potential_uuid": ("secret",),
    _HEURISTIC + "is_prefixed_with_dollar_sign": ("secret",),
    _HEURISTIC + "is_sequential_string": ("secret",),
    _HEURISTIC + "is_templated_secret": ("secret",),
}
# Copied from detect-secrets 1.5.0, which has them only in private functions. Tests compare them.
# `key = get_secret(name)`, `key := headers['apikey']`.
INDIRECT_REFERENCE = re.compile(r"([^\v=!:]*)\s*(:=?|[!=]{1,3})\s*([\w.-]+[\[\(][^\v]*[\]\)])")
# The beginning and end of comments, as parts of a pattern.
COMMENTS = (
    ("#", ""),
    ("//", ""),
    (r"/\*", r" *\*/"),
    ("'", ""),
    ("--", ""),
    (r"<!--[# \t]*?", " *?-->"),
)
_YAML_COMMENT = COMMENTS[:1]
_MAX_INDIRECT_LINE = 1000  # the library's limit
_Filter = Callable[[Mapping[str, Any]], bool]


class Filters:
    """The filters of one configuration, by the stage in which they run."""

    def __init__(self, settings: DetectSecretsSettings) -> None:
        self._by_stage: dict[str, list[_Filter]] = {"filename": [], "line": [], "secret": []}
        filters = [*settings.filters, Component(_NON_TEXT_FILE)]
        if settings.own_file:
            filters.append(Component(BASELINE_FILE, (("filename", settings.own_file),)))
        for component in filters:
            if component.name not in {_INVALID_FILE, VERIFICATION}:
                stage, function = _filter(component)
                self._by_stage[stage].append(function)

    def ignore(self, stage: str, **values: Any) -> bool:
        """Does a filter of the stage ("filename", "line", "secret") ignore these values?"""
        return any(function(values) for function in self._by_stage[stage])


def _filter(component: Component) -> tuple[str, _Filter]:
    """Return the stage and the function of a filter. The function takes values by their names."""
    replaced = _REPLACED.get(component.name)
    if replaced:
        stage, create = replaced
        return stage, create(component)
    function = library.filter_function(component.name)
    arguments = ARGUMENTS[component.name]
    return arguments[0], lambda values: function(**{name: values[name] for name in arguments})


def _excluded(what: str) -> Callable[[Component], _Filter]:
    def create(component: Component) -> _Filter:
        regexes = [Linear(pattern) for pattern in component.option("pattern")]
        return lambda values: any(regex.search(values[what]) for regex in regexes)

    return create


def _baseline_file(component: Component) -> _Filter:
    return lambda values: posixpath.basename(values["filename"]) == component.option("filename")


def _swagger(_component: Component) -> _Filter:
    # The library searches `.*swagger.*`, which means the same but takes quadratic time.
    return lambda values: "swagger" in values["filename"]


def _indirect(_component: Component) -> _Filter:
    regex = linear(INDIRECT_REFERENCE)
    return lambda values: (
        len(values["line"]) <= _MAX_INDIRECT_LINE and bool(regex.search(values["line"]))
    )


def _allowlisted(_component: Component) -> _Filter:
    regex_of = library.module("filters.allowlist").get_allowlist_regexes

    @functools.cache
    def regexes(*, is_yaml: bool, nextline: bool) -> list[Any]:
        comments = _YAML_COMMENT if is_yaml else COMMENTS
        return [linear(regex_of(comment_tuple=each, nextline=nextline)) for each in comments]

    def has_pragma(values: Mapping[str, Any]) -> bool:
        line, previous = values["line"], values["previous"]
        if "pragma" not in line and "pragma" not in previous:
            return False
        is_yaml = posixpath.splitext(values["filename"])[1] == ".yaml"
        return any(regex.search(line) for regex in regexes(is_yaml=is_yaml, nextline=False)) or any(
            regex.search(previous) for regex in regexes(is_yaml=is_yaml, nextline=True)
        )

    return has_pragma


def _gibberish(component: Component) -> _Filter:
    library.module("filters.gibberish").initialize(limit=component.option("limit"))
    function = library.filter_function(GIBBERISH)
    return lambda values: function(secret=values["secret"], plugin=values["plugin"])


# The stage and the constructor of the filters that do not run the library's function as it is.
_REPLACED: Mapping[str, tuple[str, Callable[[Component], _Filter]]] = {
    ALLOWLIST: ("line", _allowlisted),
    BASELINE_FILE: ("filename", _baseline_file),
    EXCLUDE_FILE: ("filename", _excluded("filename")),
    EXCLUDE_LINE: ("line", _excluded("line")),
    EXCLUDE_SECRET: ("secret", _excluded("secret")),
    GIBBERISH: ("secret", _gibberish),
    INDIRECT: ("line", _indirect),
    _SWAGGER: ("filename", _swagger),
}
