"""Where a value stands in its file does not matter: long lines, pieces, neighbours, encodings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scanner.detect import detect_secrets
from scanner.detect.detector import Detector
from scanner.detect.rules.samples import expand
from scanner.model import Finding, Observation
from tests.support import helpers
from tests.support.helpers import token

SAID = "keywatch" + ': allow some-rule reason="x y" owner=@a until=2027-01-31'
RULES = Path(__file__).resolve().parents[2] / "rules" / "secrets"


def examples() -> Iterator[tuple[str, str]]:
    for path in sorted(RULES.glob("*.yaml")):
        for rule in yaml.safe_load(path.read_bytes())["rules"]:
            for template in rule["examples"]:
                if isinstance(template, str):  # it is found in any file
                    yield rule["id"], template


@pytest.fixture(scope="module")
def detector() -> Detector:
    return helpers.detector()


def observe(detector: Detector, *chunks: str | bytes, path: str = "example") -> Observation:
    data = (each.encode() if isinstance(each, str) else each for each in chunks)
    return detector.observe(path, data) or Observation(path=path, size=0)


def spans(findings: tuple[Finding, ...], rule: str) -> list[tuple[int, int]]:
    return [(f.location.column, f.location.end_column) for f in findings if f.rule == rule]


def password() -> str:
    return expand("{upper:1}{lower:5}{digits:3}!x", 4)


def test_every_rule_finds_its_examples_again_after_all_others(detector: Detector) -> None:
    """The one pass is one automaton for all patterns: none may hide another, or itself."""
    whole = list(examples())
    texts = [expand(template, seed) for seed in (1, 2) for _, template in whole]
    starts, line = [], 1
    for text in texts:
        starts.append(line)
        line += text.count("\n") + 1
    found = observe(detector, "\n".join(texts)).findings
    at = {(f.rule, f.location.line) for f in found}
    for (rule, template), start, text in zip(whole * 2, starts, texts, strict=True):
        lines = range(start, start + text.count("\n") + 1)
        assert any((rule, line) in at for line in lines), (rule, template)


@pytest.mark.parametrize(
    ("rule", "template"), [e for e in examples() if "\n" not in expand(e[1], 2)]
)
def test_a_value_in_a_long_line_is_found_whole_wherever_it_stands(
    detector: Detector, rule: str, template: str
) -> None:
    first, second = expand(template, 1), expand(template, 2)
    wanted = spans(observe(detector, second).findings, rule)
    for cut in {len(second) + 9, len(second) * 2 // 3, len(second) // 3, 8}:
        shift = 8192 - cut  # the first one's window ends in the second one
        line = first.ljust(shift) + second + " " * 3000
        found = spans(observe(detector, line).findings, rule)
        assert set(found) >= {(a + shift, b + shift) for a, b in wanted}


def test_a_token_is_not_the_name_of_the_next_one(detector: Detector) -> None:
    one, two = token(1), token(2)
    for text in (f'["{one}", "{two}"]', f"{one},{two}", f"{one}:{two}", f'f("{one}")("{two}")'):
        found = observe(detector, text).findings
        assert [f.rule for f in found] == ["github-personal-access-token"] * 2
        assert all(each not in f"{f.context}{f!r}" for each in (one, two) for f in found)


def test_the_argument_before_a_value_is_its_name_only_where_it_says_so(detector: Detector) -> None:
    def context(before: str) -> str:
        return observe(detector, f'login("{before}", "{token()}")').findings[0].context

    assert context("GITHUB_TOKEN") == "GITHUB_TOKEN"
    assert context(password().strip("!x")) == ""


def test_a_password_in_latin_1_is_found_as_in_utf_8(detector: Detector) -> None:
    line = f'password = "{password()}\u00e4\u00f6"'
    for encoding in ("utf-8", "latin-1"):
        (found,) = observe(detector, line.encode(encoding)).findings
        assert found.location.column == 13


def test_a_literal_is_one_though_its_value_stands_in_the_line_before_it(
    detector: Detector,
) -> None:
    value = password()
    (found,) = observe(detector, f'# {value}: password = "{value}"').findings
    assert found.location.column == len(f'# {value}: password = "') + 1


def test_lines_are_counted_over_many_pieces(detector: Detector) -> None:
    text = "a line of no interest whatever\n" * 20_000 + token()
    size = 100_000
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert observe(detector, *chunks).findings[0].location.line == 20_001


class TestComments:
    def test_a_comment_far_right_is_not_mixed_up_with_the_one_above(
        self, detector: Detector
    ) -> None:
        first = f"# {SAID}\n"
        second = "x" * 3000 + " // gitleaks:" + "allow\n"
        assert [c.line for c in observe(detector, first + second).comments] == [1, 2]

    @pytest.mark.unmeasured
    @pytest.mark.parametrize("filler", [";", "%", "/*", "# ", " ", "\t", "{{- ", "*/ "])
    def test_a_hostile_line_takes_no_more_time_than_any_other(
        self, detector: Detector, filler: str
    ) -> None:
        line = filler * (900 // len(filler)) + "keywatch:" + "allow a" + " " * 900 + "b\n"
        start = time.process_time()
        observe(detector, line * 1000)
        assert time.process_time() - start < 2

    @pytest.mark.parametrize(
        ("before", "after", "covers"),
        [
            ("# ", "", 2),
            ("x = 1  # ", "", 1),
            ("/* ", " */", 2),
            ("{{- /* ", " */ -}}", 2),
            ("<!-- ", " -->", 2),
            (";;; ", "", 2),
            ("REM ", "", 2),
            ("x ' ", "", 1),
            ("-- ", "", 2),
        ],
    )
    def test_a_comment_of_any_language(
        self, detector: Detector, before: str, after: str, covers: int
    ) -> None:
        (comment,) = observe(detector, before + SAID + after).comments
        assert (comment.rule, comment.problem, comment.covers) == ("some-rule", "", covers)

    def test_one_comment_in_a_long_line_is_read_once(self, detector: Detector) -> None:
        line = f"{'x' * 3000} # {SAID} " + "gitleaks:" + "allow " + "y" * 3000
        assert len(observe(detector, line).comments) == 1

    def test_words_that_only_end_like_a_remark_are_none(self, detector: Detector) -> None:
        assert not observe(detector, f"HAREM {SAID}").comments
        assert not observe(detector, f"say {SAID}").comments
        assert not observe(detector, f"# {SAID}", path="a.md").comments


@pytest.mark.unmeasured
def test_thousands_of_values_that_both_layers_find_are_joined_in_linear_time() -> None:
    settings = detect_secrets.default_settings()
    both = helpers.detector(settings=settings)
    spent = []
    for count in (750, 3000):
        text = "\n".join(f'token = "{token(seed)}"' for seed in range(count))
        start = time.process_time()
        findings = observe(both, text).findings
        spent.append(time.process_time() - start)
        joined = sum(bool(finding.detect_secrets) for finding in findings)
        assert count * 0.9 < joined <= len(findings) == count
    assert spent[1] < 10 * spent[0]
