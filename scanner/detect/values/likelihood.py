"""Detect: estimate the probability that a value is a secret, from the features of features.py.

The model is a logistic regression. bench/train.py makes its weights, rules/likelihood.json holds
them. The probability decides the confidence of a finding, never its severity. The model judges a
value only if its name or position calls it a secret, not if its format has a prefix or a checksum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from scanner.detect.checks.checks import CHECKS, REQUIRE_RANDOM
from scanner.detect.engine.candidate import Candidate
from scanner.detect.engine.matches import Match
from scanner.detect.engine.windows import line_start
from scanner.detect.rules.model import Rule
from scanner.detect.values.features import Case, features
from scanner.detect.values.file_role import OTHER, role_of
from scanner.detect.values.placeholders import is_known_placeholder
from scanner.detect.values.templates import may_refer
from scanner.detect.values.weak_passwords import is_chosen_by_people, is_deployed, is_weak
from scanner.fingerprints import digest
from scanner.model import Confidence

WEIGHED_CHECKS = frozenset(
    (
        *("assigned-value", "configured", "vague-key", "positional"),
        *("command-argument", "command-setting", "url-password"),
    )
)
"""The checks whose matches the model judges."""
_NAMED_CHECKS = WEIGHED_CHECKS | {"fallback"}
# The checks whose values are passwords by their position.
_PASSWORD_CHECKS = frozenset(("positional", "command-argument", "url-password"))
_LEAST_IF_DEPLOYED = 0.2  # probability of a weak password in configuration that is deployed
# For values that only have the shape of a secret, the file's role lowers the confidence, but not
# below the threshold of hooks: a change must not be able to hide a key under `tests/`. A checksum
# is a proof, so those checks are not here.
_SHAPE_CHECKS = REQUIRE_RANDOM | {
    "jwt",
    "pem",
    "pem-base64",
    "pgp",
    "encoded-json",
    "service-key",
    "authorization",
}
_BYTES_BEFORE, _BYTES_AFTER = 300, 200  # bytes of the line around a value


class Model(NamedTuple):
    """The weights by feature, the bias, and the minimum probability of each confidence.

    `low_in_configuration` replaces `low` for settings of configuration files. It is lower, since a
    literal is wrong where a reference is expected.
    """

    bias: float
    weights: Mapping[str, float]
    low: float
    low_in_configuration: float
    medium: float
    high: float

    def probability(self, features: Iterable[str]) -> float:
        """Return the probability, from 0 to 1, that a case with these features is a secret."""
        total = self.bias + sum(self.weights.get(feature, 0.0) for feature in features)
        return 1 / (1 + math.exp(-total))

    def threshold(self, case: Case) -> float:
        """Return the minimum probability of a finding."""
        return self.low_in_configuration if case.check == "configured" else self.low

    def confidence(self, case: Case) -> Confidence | None:
        """Return the confidence of the finding; None if the case is below the threshold."""
        probability = self.probability(features(case))
        if probability >= self.high:
            return Confidence.HIGH
        if probability >= self.medium:
            return Confidence.MEDIUM
        return Confidence.LOW if probability >= self.threshold(case) else None


class ValueKnowledge(Protocol):
    """The part of a rulebook that is about values: the model, and digests of published examples.

    published: SHA-256 in hexadecimal.
    """

    @property
    def likelihood(self) -> Model: ...

    @property
    def published(self) -> frozenset[str]: ...

    @property
    def refinements(self) -> Mapping[str, Rule]: ...

    @property
    def disabled(self) -> frozenset[str]: ...


def weigh(match: Match, path: str, data: bytes, book: ValueKnowledge) -> Match | None:
    """Return the match with its final confidence, or marked as a placeholder.

    None if the match is unlikely to be a secret. `data` is the text in which it was found.
    """
    if match.is_placeholder or digest(match.value).hex() in book.published:
        return match._replace(is_placeholder=True)
    case = case_of(match, path, data)
    if case:
        weighed = _weigh_case(match, case, book.likelihood)
        return refined(weighed, path, book) if weighed else None
    if match.rule.check in _NAMED_CHECKS and is_known_placeholder(
        match.value.decode("latin-1"), password=holds_password(match)
    ):
        return match._replace(is_placeholder=True)
    if match.rule.check in _SHAPE_CHECKS and role_of(path) != OTHER:
        return match._replace(confidence=min(match.confidence, Confidence.MEDIUM))
    return match


def _weigh_case(match: Match, case: Case, model: Model) -> Match | None:
    if is_known_placeholder(case.value, password=holds_password(match)):
        return match._replace(is_placeholder=True)
    confidence = model.confidence(case)
    if confidence is None and _is_default_password(match, case, model):
        confidence = Confidence.LOW
    return None if confidence is None else match._replace(confidence=confidence)


def _is_default_password(match: Match, case: Case, model: Model) -> bool:
    """Is it a weak password in configuration that is deployed, or the user's name in a URL?

    A little likelihood is enough.
    """
    is_setting = holds_password(match) and is_deployed(case.path) and role_of(case.path) == OTHER
    if case.before.endswith(f"//{case.value}:"):  # `guest:guest@`, the default of a product
        return is_weak(case.value)
    is_likely = is_setting and model.probability(features(case)) >= _LEAST_IF_DEPLOYED
    return is_likely and is_weak(case.value)


def holds_password(match: Match) -> bool:
    """Do people choose the value of the match? Its name or its position says so."""
    if match.rule.check in _PASSWORD_CHECKS:
        return True
    return is_chosen_by_people(match.name.decode("latin-1"))


def refined(match: Match, path: str, book: ValueKnowledge) -> Match | None:
    """Return the match, with the rule that takes it over if there is one.

    None if that rule is disabled.
    """
    rule = book.refinements.get(match.rule.id)
    if rule is None or match.is_placeholder or not holds_password(match):
        return match
    name = b"" if match.rule.check in _PASSWORD_CHECKS else match.name
    candidate = Candidate(value=match.value, name=name, line=match.value, at=0, path=path)
    confidence = CHECKS[rule.check](candidate)
    if confidence is None:
        return match
    if rule.id in book.disabled:
        return None
    return match._replace(rule=rule, confidence=confidence, severity=None)


def case_of(match: Match, path: str, data: bytes) -> Case | None:
    """Return the case that the model judges for a match in `data`.

    None if the model does not judge it: its format identifies it, or it is a reference, whose
    default has a rule of its own.
    """
    if match.rule.check not in WEIGHED_CHECKS:
        return None
    start = line_start(data, match.start, _BYTES_BEFORE)
    end = data.find(b"\n", match.end, match.end + _BYTES_AFTER)
    after = data[match.end : end if end >= 0 else match.end + _BYTES_AFTER]
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
