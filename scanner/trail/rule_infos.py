"""All rules of `keywatch trail` in words, without the libraries that only a run needs."""

from __future__ import annotations

from scanner.model import RuleInfo
from scanner.trail.detections.rules import DETECTIONS
from scanner.trail.logging_checks.rules import RULES as LOGGING_RULES
from scanner.trail.sigma import rule_files
from scanner.trail.sigma.rule_files import Described


def detections() -> list[Described]:
    """The shipped detections: the Sigma rules first, then those in Python."""
    documents = rule_files.replaced(rule_files.shipped(), ())
    return [*rule_files.described(documents), *DETECTIONS]


def rules() -> tuple[RuleInfo, ...]:
    """Every rule that can make a finding or a note."""
    return (*(each.info for each in detections()), *LOGGING_RULES)
