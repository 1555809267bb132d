"""Detect: from the places where prefilters matched to the lines that a plugin must see.

Most matches are of the entropy plugins' prefilters, for a text that is long enough. Whether it also
has enough different characters is counted here, before anything of detect-secrets is loaded.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner.detect.detect_secrets.plugin_patterns import Owner, owners
from scanner.detect.detect_secrets.settings import LIMITS, DetectSecretsSettings, least_distinct

_WINDOW = 256
_ALPHABETS = {
    "Base64HighEntropyString": string.ascii_letters + string.digits + "+/\\-_=",
    "HexHighEntropyString": string.hexdigits,
}


class _Demand(NamedTuple):
    """What a text must have: so many different bytes of those that `blanks` does not blank."""

    blanks: bytes
    distinct: int

    def met(self, data: bytes, end: int) -> bool:
        """By the text that a match up to `end` is about."""
        window = data[max(0, end - _WINDOW) : end].translate(self.blanks).rstrip(b" ")
        text = window[window.rfind(b" ") + 1 :]
        return len(text) == len(window) or len(set(text)) >= self.distinct


Lines = dict[int, frozenset[str]]
"""Line numbers, from 0 and rising, and the plugins whose prefilter matched there."""


def lines(
    data: bytes,
    ends: Sequence[int],
    numbers: Sequence[int] | None,
    settings: DetectSecretsSettings,
    *,
    ini: bool,
) -> Lines:
    """The lines that hold the last byte before each end.

    `numbers[i]`: the prefilter of `ends[i]`. Where they are not given, any plugin may be meant.
    `ini`: can the file be INI?
    """
    found: Lines = {}
    at = line = 0
    for end, plugins in _sound(data, ends, numbers, settings, ini=ini):
        last = max(end - 1, 0)
        line += data.count(b"\n", at, last)
        at = last
        found[line] = found[line] | plugins if line in found else plugins
    return found


def _sound(
    data: bytes,
    ends: Sequence[int],
    numbers: Sequence[int] | None,
    settings: DetectSecretsSettings,
    *,
    ini: bool,
) -> Iterator[tuple[int, frozenset[str]]]:
    table = _table(settings)
    if numbers is None:
        every = frozenset(part.name for part in settings.plugins)
        yield from ((end, every) for end in ends)
        return
    for end, number in zip(ends, numbers, strict=True):
        owner, demand = table[number]
        if (ini or not owner.ini) and (demand is None or demand.met(data, end)):
            yield end, owner.plugins


@functools.lru_cache(maxsize=4)
def _table(settings: DetectSecretsSettings) -> tuple[tuple[Owner, _Demand | None], ...]:
    demands = {
        part.name: _demand(part.name, part.option("limit"))
        for part in settings.plugins
        if part.name in LIMITS
    }
    return tuple(
        (owner, demands.get(next(iter(owner.plugins))) if len(owner.plugins) == 1 else None)
        for owner in owners(settings)
    )


def _demand(name: str, limit: float) -> _Demand:
    own = _ALPHABETS[name].encode()
    blanks = bytes(code if code in own else ord(" ") for code in range(256))
    # A transformer's backslash may be one of them.
    return _Demand(blanks, least_distinct(limit) - (b"\\"[0] in own))
