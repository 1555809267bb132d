"""Detect: the filters of detect-secrets: which files, lines and secrets it passes over.

Each is the library's own function, called with what it asks for by name. Where that would take
quadratic time on a hostile line, its own pattern runs in the linear engine.
"""

from __future__ import annotations

import posixpath
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
    DetectSecretsSettings,
    Part,
)

_INVALID_FILE, _NON_TEXT_FILE = ALWAYS
_SWAGGER = "detect_secrets.filters.heuristic.is_swagger_file"
_Filter = Callable[[Mapping[str, Any]], bool]
_LONGEST_INDIRECT = 1000  # of the library


class Filters:
    """The filters of one configuration, by what they look at."""

    def __init__(self, settings: DetectSecretsSettings) -> None:
        self._by_stage: dict[str, list[_Filter]] = {"filename": [], "line": [], "secret": []}
        names = [*settings.filters, Part(_NON_TEXT_FILE)]
        if settings.own_file:
            names.append(Part(BASELINE_FILE, (("filename", settings.own_file),)))
        for part in names:
            if part.name not in {_INVALID_FILE, VERIFICATION}:
                stage, function = _made(part)
                self._by_stage[stage].append(function)

    def hide(self, stage: str, **values: Any) -> bool:
        """Does a filter of the stage ("filename", "line", "secret") pass over these values?"""
        return any(function(values) for function in self._by_stage[stage])


def _made(part: Part) -> tuple[str, _Filter]:
    special = _SPECIAL.get(part.name)
    if special:
        stage, make = special
        return stage, make(part)
    function = library.filter_function(part.name)
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    stage = next(stage for stage in ("secret", "line", "filename") if stage in names)
    return stage, lambda values: function(**{name: values[name] for name in names})


def _excluded(what: str) -> Callable[[Part], _Filter]:
    def make(part: Part) -> _Filter:
        regexes = [Linear(pattern) for pattern in part.option("pattern")]
        return lambda values: any(regex.search(values[what]) for regex in regexes)

    return make


def _baseline_file(part: Part) -> _Filter:
    return lambda values: posixpath.basename(values["filename"]) == part.option("filename")


def _swagger(_part: Part) -> _Filter:
    regex = linear(library.module("filters.heuristic")._get_swagger_regex())  # noqa: SLF001
    return lambda values: bool(regex.search(values["filename"]))


def _indirect(_part: Part) -> _Filter:
    regex = linear(library.module("filters.heuristic")._get_indirect_reference_regex())  # noqa: SLF001
    return lambda values: (
        len(values["line"]) <= _LONGEST_INDIRECT and bool(regex.search(values["line"]))
    )


def _allowlisted(_part: Part) -> _Filter:
    allowlist = library.module("filters.allowlist")
    regexes = allowlist._get_allowlist_regexes_for_file  # noqa: SLF001
    cache: dict[str, Any] = {}

    def hides(values: Mapping[str, Any]) -> bool:
        lines = (values["line"], values["previous"])
        if not any("pragma" in line for line in lines):
            return False
        ending = posixpath.splitext(values["filename"])[1]
        if ending not in cache:
            cache[ending] = [[linear(one) for one in kind] for kind in regexes("x" + ending)]
        return any(
            regex.search(line)
            for line, kind in zip(lines, cache[ending], strict=True)
            for regex in kind
        )

    return hides


def _gibberish(part: Part) -> _Filter:
    library.module("filters.gibberish").initialize(limit=part.option("limit"))
    function = library.filter_function(GIBBERISH)
    return lambda values: function(secret=values["secret"], plugin=values["plugin"])


_SPECIAL: Mapping[str, tuple[str, Callable[[Part], _Filter]]] = {
    ALLOWLIST: ("line", _allowlisted),
    BASELINE_FILE: ("filename", _baseline_file),
    EXCLUDE_FILE: ("filename", _excluded("filename")),
    EXCLUDE_LINE: ("line", _excluded("line")),
    EXCLUDE_SECRET: ("secret", _excluded("secret")),
    GIBBERISH: ("secret", _gibberish),
    INDIRECT: ("line", _indirect),
    _SWAGGER: ("filename", _swagger),
}
