"""Detect: the detect-secrets layer (`--detect-secrets exact`).

`prefilters` go into the one pass; `scan` runs detect-secrets' own plugins and filters where they
matched. `settings_from_baseline` reads what a baseline asks for, as hostile data.
"""

from __future__ import annotations

from collections.abc import Sequence

from scanner.detect.classic.baseline import empty_document, settings_from_baseline, upgrade
from scanner.detect.classic.found import Found
from scanner.detect.classic.prefilters import Prefilter, prefilters
from scanner.detect.classic.settings import ClassicSettings, default_settings

__all__ = [
    "ClassicSettings",
    "Found",
    "Prefilter",
    "default_settings",
    "empty_document",
    "prefilters",
    "scan",
    "settings_from_baseline",
    "upgrade",
]


def scan(
    path: str,
    data: bytes,
    ends: Sequence[int],
    settings: ClassicSettings,
    numbers: Sequence[int] | None = None,
) -> tuple[Found, ...]:
    """`search.scan`: loaded at the first file that has something to look at."""
    from scanner.detect.classic import search

    return search.scan(path, data, ends, settings, numbers)
