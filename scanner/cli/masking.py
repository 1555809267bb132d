"""The command line: words that others chose, made safe to repeat.

A reason in keywatch.yaml, a key of it, an argument or a path may hold a secret, like any text.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from scanner import cache

if TYPE_CHECKING:
    from scanner.detect.detector import Detector

_SHORTEST = 8


def masked(text: str) -> str:
    """`text` with every secret in it masked. A text that cannot be checked is left out."""
    if len(text) < _SHORTEST:
        return text
    try:
        said = _detector().names([text]).get(text)
    except Exception:  # noqa: BLE001 - an error on the way to an error message
        return "(left out: it could not be checked for secrets)"
    return said.seen.path if said and said.seen else text


def prepare() -> None:
    """Load what `masked` needs, before it is needed."""
    masked(" " * _SHORTEST)


@functools.cache
def _detector() -> Detector:
    from scanner.detect import matcher, rulebook
    from scanner.detect.detector import Detector, patterns, patterns_key

    folder = cache.folder()
    book = rulebook.load(cache_folder=folder)
    ready = matcher.build("auto", lambda: patterns(book), patterns_key(book), folder)
    return Detector(book, ready)
