"""Detect: the detect-secrets layer (`--detect-secrets exact`).

`prefilters` returns the patterns for the prefilter. `scan` runs the plugins and filters of
detect-secrets on the lines where they matched. `settings_from_baseline` reads the settings of a
baseline, which is untrusted input.

Functions import their modules when they are called, since a file without a hit needs only the
settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scanner.detect.detect_secrets.limits import MAX_HITS, TooLargeError
from scanner.detect.detect_secrets.settings import DetectSecretsSettings, default_settings

if TYPE_CHECKING:
    from scanner.detect.detect_secrets.found import FoundSecret
    from scanner.detect.detect_secrets.plugin_patterns import Prefilter

__all__ = [
    "MAX_HITS",
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
    """Return the settings of a baseline of any version. `where` is its file.

    Raises ConfigError for settings that cannot run here; see baseline.py.
    """
    from scanner.detect.detect_secrets import baseline

    return baseline.settings_from_baseline(document, where)


def upgrade(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a baseline in the format of 1.5, with its labels.

    Raises ConfigError if the document is not a baseline.
    """
    from scanner.detect.detect_secrets import baseline

    return baseline.upgrade(document, where)


def empty_document(settings: DetectSecretsSettings) -> dict[str, Any]:
    """Return a new baseline without results."""
    from scanner.detect.detect_secrets import baseline

    return baseline.empty_document(settings)


def prefilters(settings: DetectSecretsSettings) -> tuple[Prefilter, ...]:
    """Return the patterns that the prefilter searches for the plugins of `settings`."""
    from scanner.detect.detect_secrets import plugin_patterns

    return plugin_patterns.prefilters(settings)


def scan(
    path: str,
    data: bytes,
    ends: Sequence[int],
    settings: DetectSecretsSettings,
    numbers: Sequence[int] | None = None,
) -> tuple[FoundSecret, ...]:
    """Return the findings of detect-secrets in one file. The arguments are those of search.scan.

    Raises TooLargeError for a file that would take too much memory.
    """
    from scanner.detect.detect_secrets import search

    return search.scan(path, data, ends, settings, numbers)
