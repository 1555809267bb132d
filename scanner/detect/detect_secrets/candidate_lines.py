"""Detect: choose the lines that plugins must see, from the offsets where prefilters matched.

Most prefilter matches are long texts for the entropy plugins. Here texts with too few different
characters are dropped, before any module of detect-secrets is imported.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner.detect.detect_secrets.plugin_patterns import Usage, usages
from scanner.detect.detect_secrets.settings import LIMITS, DetectSecretsSettings, min_distinct

_WINDOW = 256
_ALPHABETS = {
    "Base64HighEntropyString": string.ascii_letters + string.digits + "+/\\-_=",
    "HexHighEntropyString": string.hexdigits,
}


class _MinDistinct(NamedTuple):
    """The minimum number of different characters that an entropy plugin needs.

    alphabet: a translation table that replaces all other characters by spaces.
    """

    alphabet: bytes
    distinct: int

    def is_met(self, data: bytes, end: int) -> bool:
        """Does the text of a match that ends at `end` have enough different characters?"""
        window = data[max(0, end - _WINDOW) : end].translate(self.alphabet).rstrip(b" ")
        text = window[window.rfind(b" ") + 1 :]
        return len(text) == len(window) or len(set(text)) >= self.distinct


CandidateLines = dict[int, frozenset[str]]
"""Sorted line numbers from 0, and the plugins whose prefilters matched in each line."""


def lines(
    data: bytes,
    ends: Sequence[int],
    numbers: Sequence[int] | None,
    settings: DetectSecretsSettings,
    *,
    ini: bool,
) -> CandidateLines:
    """Return the lines that contain the last byte before each of `ends`, and their plugins.

    numbers: the number of the prefilter that matched at each end; None if unknown, then every
        plugin counts.
    ini: the file may be INI.
    """
    found: CandidateLines = {}
    at = line = 0
    for end, plugins in _useful_hits(data, ends, numbers, settings, ini=ini):
        last = max(end - 1, 0)
        line += data.count(b"\n", at, last)
        at = last
        found[line] = found[line] | plugins if line in found else plugins
    return found


def _useful_hits(
    data: bytes,
    ends: Sequence[int],
    numbers: Sequence[int] | None,
    settings: DetectSecretsSettings,
    *,
    ini: bool,
) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield the ends of the hits that a plugin may find something at, and these plugins."""
    table = _table(settings)
    if numbers is None:
        every = frozenset(component.name for component in settings.plugins)
        yield from ((end, every) for end in ends)
        return
    for end, number in zip(ends, numbers, strict=True):
        usage, minimum = table[number]
        if (ini or not usage.ini) and (minimum is None or minimum.is_met(data, end)):
            yield end, usage.plugins


@functools.lru_cache(maxsize=4)
def _table(settings: DetectSecretsSettings) -> tuple[tuple[Usage, _MinDistinct | None], ...]:
    """Return the usage of each prefilter, and the minimum of those that one entropy plugin uses."""
    minimums = {
        component.name: _min_distinct(component.name, component.option("limit"))
        for component in settings.plugins
        if component.name in LIMITS
    }
    return tuple(
        (usage, minimums.get(next(iter(usage.plugins))) if len(usage.plugins) == 1 else None)
        for usage in usages(settings)
    )


def _min_distinct(name: str, limit: float) -> _MinDistinct:
    characters = _ALPHABETS[name].encode()
    alphabet = bytes(code if code in characters else ord(" ") for code in range(256))
    # A transformer may add a backslash, which then counts as one of the characters.
    added = int(b"\\"[0] in characters)
    return _MinDistinct(alphabet=alphabet, distinct=min_distinct(limit) - added)
