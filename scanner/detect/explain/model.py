"""Detect: the nouns of an explanation. No plaintext: values are previews, features are phrases."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Fate(enum.StrEnum):
    """What became of a value."""

    KEPT = "kept"
    REFUSED = "refused"
    LOST = "lost"
    PLACEHOLDER = "placeholder"
    UNLIKELY = "unlikely"


class Weighed(NamedTuple):
    """What the model made of a value. `features`: each that was seen, with its weight, the heaviest
    first; with `bias` they make the probability. `least`: the one from which it is a finding."""

    probability: float
    least: float
    bias: float
    features: tuple[tuple[str, float], ...]


class Considered(NamedTuple):
    """A value that a rule's pattern matches, and its fate. `layers`: what it is encoded in, the
    innermost first."""

    rule: str
    line: int
    column: int
    preview: str
    name: str
    fate: Fate
    reason: str
    weighed: Weighed | None = None
    layers: tuple[str, ...] = ()


class Looked(NamedTuple):
    """A rule that the one pass called for, and why it has no value here."""

    rule: str
    reason: str


class SettingSeen(NamedTuple):
    """A value of a structured file, and what its name and its text say."""

    name: str
    line: int
    column: int
    preview: str
    words: str


class Explained(NamedTuple):
    """One line as detection saw it. `decoded`: what texts on it are encoded in, the innermost layer
    first. `more`: how many values are left out."""

    considered: tuple[Considered, ...] = ()
    looked: tuple[Looked, ...] = ()
    settings: tuple[SettingSeen, ...] = ()
    decoded: tuple[tuple[str, ...], ...] = ()
    more: int = 0
