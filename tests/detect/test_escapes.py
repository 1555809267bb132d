"""A token is found behind an escape, whatever its last character is, and behind colours."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from scanner.detect.checks.checks import CHECKSUMS
from scanner.detect.detector import Detector
from scanner.detect.rules import rulebook, samples
from tests.support import helpers

ESCAPES = {
    "line break": "\\n",
    "tab": "\\t",
    "quote in hex": "\\x22",
    "quote in Unicode": "\\u0022",
    "quote in braces": "\\u{22}",
    "octal": "\\033",
    "URL": "%20",
    "HTML": "&#34;",
    "quoted-printable": "=3D",
    "colour": "\x1b[1;31m",
    "escaped colour": "\\e[0m",
}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return helpers.detector()


# A line of its own kind of file; and a number at the start of a value, which takes the digits of an
# escape before it.
EXCEPT = {"remote-desktop-password", "canvas-access-token"}

# Formats without a fixed text: the search for them begins at the start of a word.
WITHOUT_PREFIX = {"bitcoin-private-key", "stellar-secret-seed"}


def rules_in(detector: Detector, line: str) -> set[str]:
    observation = detector.observe("notes.log", [line.encode()])
    return {finding.rule for finding in observation.findings} if observation else set()


def values(detector: Detector) -> Iterator[tuple[str, str, str]]:
    """Yield (rule, check, value) for each format whose value is found without a name before it."""
    for source in rulebook.shipped():
        for rule in yaml.safe_load(source.data).get("rules", ()):
            pattern = rule.get("pattern")
            example = next(iter(rule.get("examples", ())), None)
            if not pattern or not isinstance(example, str) or "\n" in example:
                continue
            found = re.search(f"({pattern})", samples.expand(example, 1))
            if rule["id"] in EXCEPT or not found:
                continue
            if rules_in(detector, found[1]) == {rule["id"]}:
                yield rule["id"], rule.get("check", ""), found[1]


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_a_token_behind_an_escape_is_found(detector: Detector, escape: str) -> None:
    every = list(values(detector))
    assert len(every) > 250
    hidden = [
        rule for rule, _, value in every if rule not in rules_in(detector, f"Token:{escape}{value}")
    ]
    assert hidden == []


def test_a_checksum_that_is_right_needs_no_edges(detector: Detector) -> None:
    proven = [
        (rule, value)
        for rule, check, value in values(detector)
        if check in CHECKSUMS and rule not in WITHOUT_PREFIX
    ]
    assert len(proven) > 10
    hidden = [rule for rule, value in proven if rule not in rules_in(detector, f"A_{value}")]
    assert hidden == []


def test_a_word_before_a_token_without_a_checksum_is_part_of_it(detector: Detector) -> None:
    token = samples.expand("xoxb-{digits:12}-{digits:13}-{base62:24}", 3)
    assert rules_in(detector, f"see {token}")
    assert not rules_in(detector, f"see A{token}")
