"""Detect: the records of an explanation. They hold no plaintext: values are masked."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Status(enum.StrEnum):
    """What happened to a value that a rule's pattern matches.

    REPORTED: it is a finding.
    IGNORED: it does not meet a requirement of the rule.
    OVERRIDDEN: a more specific rule matches the same text.
    PLACEHOLDER: it is reported as a note.
    UNLIKELY: the likelihood model says that it is not a secret.
    """

    REPORTED = "reported"
    IGNORED = "ignored"
    OVERRIDDEN = "overridden"
    PLACEHOLDER = "placeholder"
    UNLIKELY = "unlikely"


class ModelResult(NamedTuple):
    """How the likelihood model rated a value.

    threshold: the probability from which a value is a finding.
    features: each feature of the value with its weight, the heaviest first. Together with `bias`
        they make up the probability.
    """

    probability: float
    threshold: float
    bias: float
    features: tuple[tuple[str, float], ...]


class ExplainedValue(NamedTuple):
    """A value that a rule's pattern matches. `layers`: its encodings, the innermost first."""

    rule: str
    line: int
    column: int
    preview: str
    name: str
    status: Status
    reason: str
    model: ModelResult | None = None
    layers: tuple[str, ...] = ()


class RuleWithoutValue(NamedTuple):
    """A rule that was run because of a hit near the line, and why it has no value there."""

    rule: str
    reason: str


class ExplainedSetting(NamedTuple):
    """A setting of a structured file. `reason`: what its name and its value are."""

    name: str
    line: int
    column: int
    preview: str
    reason: str


class Explanation(NamedTuple):
    """How one line was scanned.

    decoded: the encodings of each decoded text on the line, the innermost first.
    omitted: how many values are left out.
    """

    values: tuple[ExplainedValue, ...] = ()
    rules: tuple[RuleWithoutValue, ...] = ()
    settings: tuple[ExplainedSetting, ...] = ()
    decoded: tuple[tuple[str, ...], ...] = ()
    omitted: int = 0
