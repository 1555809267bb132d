"""Detect: the numbers of what the one pass looks for, in any repository: rules from 0 on, then uses
of variables, what is encoded, comments, and the prefilters of the detect-secrets layer. What a
repository's own rules look for begins at matcher.OWN.
"""

from __future__ import annotations

from typing import NamedTuple

from scanner.detect.decoding.encoded_patterns import KINDS
from scanner.detect.engine.allow_comments import ANCHORS
from scanner.detect.prefilter.variable_uses import USES


class Numbering(NamedTuple):
    """Where each begins; the one before ends there. Before `uses` there are only rules."""

    uses: int
    encoded: int
    comments: int
    detect_secrets: int


def numbering(rules: int) -> Numbering:
    """For so many shipped rules."""
    encoded = rules + len(USES)
    comments = encoded + len(KINDS)
    detect_secrets = comments + len(ANCHORS)
    return Numbering(uses=rules, encoded=encoded, comments=comments, detect_secrets=detect_secrets)
