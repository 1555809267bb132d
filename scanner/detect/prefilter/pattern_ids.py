"""Detect: the numbers of the prefilter's patterns.

The order is: shipped rules (from 0), variable uses, encoded text, allow comments, and the
prefilters of the detect-secrets layer. A repository's own rules begin at `matcher.OWN`.
"""

from __future__ import annotations

from typing import NamedTuple

from scanner.detect.decoding.encoded_patterns import ENCODINGS
from scanner.detect.engine.allow_comments import ANCHORS
from scanner.detect.prefilter.variable_uses import USES


class Numbering(NamedTuple):
    """The first number of each kind of pattern after the rules, in ascending order."""

    uses: int
    encoded: int
    comments: int
    detect_secrets: int


def numbering(rules: int) -> Numbering:
    """Return the numbering for this number of shipped rules."""
    encoded = rules + len(USES)
    comments = encoded + len(ENCODINGS)
    detect_secrets = comments + len(ANCHORS)
    return Numbering(uses=rules, encoded=encoded, comments=comments, detect_secrets=detect_secrets)
