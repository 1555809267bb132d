"""Detect: how likely is a value a secret? What features.py sees of it, weighed.

rules/likelihood.json holds the weights: a logistic model that bench/train.py makes. Its probability
is the finding's confidence, never its severity. It is asked where only a name or a place calls a
value a secret; a format with a prefix or a checksum speaks for itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from scanner.detect.checks.checks import REQUIRE_RANDOM
from scanner.detect.engine.matches import Match
from scanner.detect.engine.windows import line_start
from scanner.detect.values.features import Case, features
from scanner.detect.values.file_role import ELSEWHERE, place_of
from scanner.detect.values.placeholders import stands_for_one
from scanner.detect.values.templates import may_refer
from scanner.fingerprints import digest
from scanner.model import Confidence

WEIGHED = frozenset(
    (
        *("assigned-value", "configured", "vague-key", "positional"),
        *("command-argument", "command-setting", "url-password"),
    )
)
"""The checks whose word is not the last one."""
# Of a value that only its shape makes a secret, the place says something; a checksum is a proof.
_SHAPES = REQUIRE_RANDOM | {"jwt", "pem", "pem-base64", "pgp", "encoded-json", "authorization"}
_LOWER = {
    Confidence.HIGH: Confidence.MEDIUM,
    Confidence.MEDIUM: Confidence.LOW,
    Confidence.LOW: Confidence.LOW,
}
_BEFORE, _AFTER = 300, 200  # bytes of the line around a value


class Model(NamedTuple):
    """Weights by feature, what is added to them all, and the least probability of each confidence.

    `low_in_configuration`: where a reference belongs, a literal needs less to be a finding.
    """

    bias: float
    weights: Mapping[str, float]
    low: float
    low_in_configuration: float
    medium: float
    high: float

    def probability(self, seen: Iterable[str]) -> float:
        """How likely a case with these features is a secret, from 0 to 1."""
        total = self.bias + sum(self.weights.get(each, 0.0) for each in seen)
        return 1 / (1 + math.exp(-total))

    def least(self, case: Case) -> float:
        """The probability from which the case is a finding."""
        return self.low_in_configuration if case.check == "configured" else self.low

    def confidence(self, case: Case) -> Confidence | None:
        """What a finding of the case is given; None where it is no finding."""
        probability = self.probability(features(case))
        if probability >= self.high:
            return Confidence.HIGH
        if probability >= self.medium:
            return Confidence.MEDIUM
        return Confidence.LOW if probability >= self.least(case) else None


class Known(Protocol):
    """What a rulebook knows of values: the model, and the SHA-256 of published examples."""

    @property
    def likelihood(self) -> Model: ...

    @property
    def published(self) -> frozenset[str]: ...


def weighed(match: Match, path: str, data: bytes, book: Known) -> Match | None:
    """The match with the confidence that it deserves, or as a placeholder; none at all where it is
    hardly a secret."""
    if match.is_placeholder or digest(match.value).hex() in book.published:
        return match._replace(is_placeholder=True)
    case = case_of(match, path, data)
    if case:
        return _by_model(match, case, book.likelihood)
    if match.rule.check in _SHAPES and place_of(path) != ELSEWHERE:
        return match._replace(confidence=_LOWER[match.confidence])
    return match


def _by_model(match: Match, case: Case, model: Model) -> Match | None:
    if stands_for_one(case.value):
        return match._replace(is_placeholder=True)
    confidence = model.confidence(case)
    return None if confidence is None else match._replace(confidence=confidence)


def case_of(match: Match, path: str, data: bytes) -> Case | None:
    """What there is to see of a match that is weighed, in the data that it was found in; None where
    another has the word: its format, or the rule of a reference that has a default."""
    if match.rule.check not in WEIGHED:
        return None
    start = line_start(data, match.start, _BEFORE)
    end = data.find(b"\n", match.end, match.end + _AFTER)
    after = data[match.end : end if end >= 0 else match.end + _AFTER]
    before, value = data[start : match.start].decode("latin-1"), match.value.decode("latin-1")
    if value.endswith("}") and "{" in before and "{" not in value:
        value = value.rstrip("}")  # `${NAME:=value}`
    if may_refer(value):
        return None
    return Case(
        name=match.name.decode("latin-1"),
        value=value,
        before=before,
        after=after.decode("latin-1"),
        path=path,
        check=match.rule.check,
    )
