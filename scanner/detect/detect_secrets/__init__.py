"""Detect: the detect-secrets layer (`--detect-secrets exact`).

`prefilters` go into the one pass; `scan` runs detect-secrets' own plugins and filters where they
matched. `settings_from_baseline` reads what a baseline asks for, as hostile data.

Its parts load when they are called: a clean file needs none but the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scanner.detect.detect_secrets.limits import MOST_HITS, TooLargeError
from scanner.detect.detect_secrets.settings import DetectSecretsSettings, default_settings

if TYPE_CHECKING:
    from scanner.detect.detect_secrets.found import Found
    from scanner.detect.detect_secrets.plugin_patterns import Prefilter

__all__ = [
    "MOST_HITS",
    "DetectSecretsSettings",
    "TooLargeError",
    "default_settings",
    "empty_document",
    "prefilters",
    "scan",
    "settings_from_baseline",
    "upgrade",
]


def settings_from_baseline(document: Mapping[str, Any], where: str) -> DetectSecretsSettings:
    """What a baseline of any version, the file `where`, asks for. ConfigError as in baseline.py."""
    from scanner.detect.detect_secrets import baseline

    return baseline.settings_from_baseline(document, where)


def upgrade(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A baseline in the format of 1.5, its labels kept. ConfigError where it is none."""
    from scanner.detect.detect_secrets import baseline

    return baseline.upgrade(document, where)


def empty_document(settings: DetectSecretsSettings) -> dict[str, Any]:
    """A new baseline without results."""
    from scanner.detect.detect_secrets import baseline

    return baseline.empty_document(settings)


def prefilters(settings: DetectSecretsSettings) -> tuple[Prefilter, ...]:
    """The patterns of the one pass for the plugins of `settings`."""
    from scanner.detect.detect_secrets import plugin_patterns

    return plugin_patterns.prefilters(settings)


def scan(
    path: str,
    data: bytes,
    ends: Sequence[int],
    settings: DetectSecretsSettings,
    numbers: Sequence[int] | None = None,
) -> tuple[Found, ...]:
    """The findings of detect-secrets in one file, from the places where prefilters matched.

    TooLargeError for a file that would take too much memory.
    """
    from scanner.detect.detect_secrets import search

    return search.scan(path, data, ends, settings, numbers)
