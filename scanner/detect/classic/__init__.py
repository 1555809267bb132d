"""Detect: the detect-secrets layer (`--detect-secrets exact`).

`prefilters` go into the one pass; `scan` runs detect-secrets' own plugins and filters where they
matched. `settings_from_baseline` reads what a baseline asks for, as hostile data.

Its parts load when they are called: a clean file needs none but the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scanner.detect.classic.limits import MOST_HITS, TooLargeError
from scanner.detect.classic.settings import ClassicSettings, default_settings

if TYPE_CHECKING:
    from scanner.detect.classic.found import Found
    from scanner.detect.classic.patterns import Prefilter

__all__ = [
    "MOST_HITS",
    "ClassicSettings",
    "TooLargeError",
    "default_settings",
    "empty_document",
    "prefilters",
    "scan",
    "settings_from_baseline",
    "upgrade",
]


def settings_from_baseline(document: Mapping[str, Any], where: str) -> ClassicSettings:
    """What a baseline of any version, the file `where`, asks for. ConfigError as in baseline.py."""
    from scanner.detect.classic import baseline

    return baseline.settings_from_baseline(document, where)


def upgrade(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A baseline in the format of 1.5, its labels kept. ConfigError where it is none."""
    from scanner.detect.classic import baseline

    return baseline.upgrade(document, where)


def empty_document(settings: ClassicSettings) -> dict[str, Any]:
    """A new baseline without results."""
    from scanner.detect.classic import baseline

    return baseline.empty_document(settings)


def prefilters(settings: ClassicSettings) -> tuple[Prefilter, ...]:
    """The patterns of the one pass for the plugins of `settings`."""
    from scanner.detect.classic import patterns

    return patterns.prefilters(settings)


def scan(
    path: str,
    data: bytes,
    ends: Sequence[int],
    settings: ClassicSettings,
    numbers: Sequence[int] | None = None,
) -> tuple[Found, ...]:
    """The findings of detect-secrets in one file, from the places where prefilters matched.

    TooLargeError for a file that would take too much memory.
    """
    from scanner.detect.classic import search

    return search.scan(path, data, ends, settings, numbers)
