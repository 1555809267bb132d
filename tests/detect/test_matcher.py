"""The one pass: its two engines agree, and a pattern's stem is found wherever the pattern is."""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.detector import Detector
from scanner.detect.prefilter import matcher, shortest_prefix
from scanner.detect.rules.samples import expand
from scanner.errors import ConfigError
from tests.support import helpers

RULES = Path(__file__).resolve().parents[2] / "rules" / "secrets"
TEMPLATES = tuple(
    template
    for path in sorted(RULES.glob("*.yaml"))
    for rule in yaml.safe_load(path.read_bytes())["rules"]
    for template in (*rule["examples"], *rule["negative_examples"])
    if isinstance(template, str)
)


@pytest.fixture(scope="module")
def detectors() -> tuple[Detector, Detector]:
    """One for each engine."""
    return helpers.detector("hyperscan"), helpers.detector("re")


def a_file(source: random.Random) -> bytes:
    """Examples, negative examples, prose and noise, in lines and in one line."""
    parts = []
    for _ in range(source.randint(1, 40)):
        kind = source.random()
        if kind < 0.6:
            part = expand(source.choice(TEMPLATES), source.randrange(1000)).encode()
        elif kind < 0.8:
            part = b"".join(source.choices([b"key", b"=", b" ", b"'", b"a1", "é".encode()], k=30))
        else:
            part = source.randbytes(30).replace(b"\0", b"")
        parts.append(part)
    ends = source.choice([[b"\n"], [b"\r\n"], [b" "], [b"\n", b" ", b"; ", b","]])
    return b"".join(part + source.choice(ends) for part in parts)


@pytest.mark.parametrize("seed", range(60))
def test_both_engines_give_the_same_findings_and_comments(
    detectors: tuple[Detector, Detector], seed: int
) -> None:
    data = a_file(random.Random(seed))
    first, second = (each.observe("example.txt", (data,)) for each in detectors)
    assert first == second


def test_the_files_that_are_compared_hold_findings(detectors: tuple[Detector, Detector]) -> None:
    seen = (detectors[0].observe("x", (a_file(random.Random(seed)),)) for seed in range(60))
    assert sum(len(each.findings) for each in seen if each) > 300


@given(st.binary(max_size=400), st.integers(0, len(TEMPLATES) - 1), st.integers(0, 99))
def test_both_engines_agree_on_any_bytes(
    detectors: tuple[Detector, Detector], noise: bytes, number: int, seed: int
) -> None:
    data = noise[:200] + expand(TEMPLATES[number], seed).encode() + noise[200:]
    first, second = (each.observe("example.txt", (data,)) for each in detectors)
    assert first == second


@given(st.lists(st.binary(min_size=1).filter(lambda name: 0 not in name), min_size=1))
def test_both_engines_agree_on_names(
    detectors: tuple[Detector, Detector], encoded: Sequence[bytes]
) -> None:
    names = [*map(os.fsdecode, encoded), expand("a/ghp_{base62:30}{crc32}.txt", len(encoded))]
    first, second = (each.names(names) for each in detectors)
    assert first == second
    assert [name for name, said in first.items() if said.observation] == [names[-1]]


def test_where_hyperscan_is_not_installed_its_twin_does_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    made = matcher.build("auto", dict, "key", None)
    assert made.name == "re"
    with pytest.raises(ConfigError, match="not installed"):
        matcher.build("hyperscan", dict, "key", None)


class TestTwin:
    def hits(self, data: bytes, *patterns: matcher.Pattern) -> set[matcher.Hit]:
        return set(matcher.build("re", lambda: dict(enumerate(patterns)), "", None).hits(data))

    def test_a_keyword_is_found_in_any_case(self) -> None:
        pattern = matcher.Pattern("x", keywords=("secret",))
        assert self.hits(b"a SECRET\nSecret", pattern) == {(0, 8), (0, 15)}

    def test_of_many_keywords_in_a_line_some_are_enough(self) -> None:
        pattern = matcher.Pattern("x", keywords=("key",))
        hits = sorted(to for _, to in self.hits(b"key" * 1000, pattern))
        assert hits[0] == 3
        assert max(after - before for before, after in pairwise(hits)) < 1024
        assert len(hits) < 20

    def test_a_pattern_without_keywords_is_a_regular_expression(self) -> None:
        pattern = matcher.Pattern("ab+", ignore_case=True)
        assert self.hits(b"xABB ab", pattern) == {(0, 4), (0, 7)}


# Patterns as rule files have them: classes, counts, groups, alternatives, anchors.
atoms = st.sampled_from(
    ["a", "b", "c", r"\d", r"\w", "[a-c]", "[^a\n]", r"[\]a]", "[]b]", "[^]b]", ".", r"\.", r"\x61"]
)
quantifiers = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{1,3}", "{0,2}", "{2,}", "+?"])


def quantified(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, inner, quantifiers)


def grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    opening = st.sampled_from(["(", "(?:", "(?i:", "(?P<secret>"])
    branches = st.lists(inner, min_size=1, max_size=3).map("|".join)
    return st.builds("{}{})".format, opening, branches)


def sequences(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    edge = st.sampled_from(["", "", r"\b"])
    body = st.lists(quantified(inner), min_size=1, max_size=4).map("".join)
    return st.builds("{}{}{}".format, edge, body, edge)


def once(pattern: str) -> str:
    """With one group of a name at most, as Python wants it."""
    head, name, tail = pattern.partition("(?P<secret>")
    return head + name + tail.replace(name, "(") if name else pattern


grammar = st.recursive(
    sequences(atoms), lambda inner: sequences(st.one_of(atoms, grouped(inner))), max_leaves=8
)
whole = st.lists(grammar, min_size=1, max_size=3).map("|".join).map(once)


@given(whole, st.text("abc1. \n", max_size=30))
def test_every_match_begins_with_a_match_of_the_stem(pattern: str, text: str) -> None:
    try:
        stem = re.compile(shortest_prefix.without_open_end(pattern))
    except ValueError:
        return  # it has none: it may match nothing
    for match in re.finditer(pattern, text):
        end = len(text) if r"\b" in pattern else match.end()  # where a search ends there is an edge
        assert stem.match(text, match.start(), end), (stem.pattern, match)


@given(whole)
def test_a_stem_does_not_match_everywhere(pattern: str) -> None:
    try:
        stem = shortest_prefix.without_open_end(pattern)
    except ValueError:
        return
    assert not re.fullmatch(stem, "")


@pytest.mark.parametrize(
    ("pattern", "stem"),
    [
        ("ghp_[0-9A-Za-z]{36,255}", "ghp_[0-9A-Za-z]{36}"),
        ("key=.+", "key=."),
        ("key=.*", "key="),
        ("a|bc*", "a|b"),
        ("x(?:ab+|c)", "x(?:ab|c)"),
        ("x(?:ab+|c)+", "x(?:ab|c)"),
        ("x(?:ab+|c?)", "x"),
        ("x(?:ab+|c?)+", "x"),
        (r"x[\]|(]+y?\b", r"x[\]|(]"),
        ("a{2,5}?b?", "a{2}"),
    ],
)
def test_a_stem_ends_at_the_shortest_match(pattern: str, stem: str) -> None:
    assert shortest_prefix.without_open_end(pattern) == stem


@pytest.mark.parametrize("pattern", ["a*", "a?b*", "(a|b*)", "(a?b?)+", "a|", "(", "(a", "a*|b"])
def test_a_pattern_that_may_match_nothing_has_no_stem(pattern: str) -> None:
    with pytest.raises(ValueError):
        shortest_prefix.without_open_end(pattern)


@pytest.mark.parametrize(
    ("pattern", "in_line", "over_lines"),
    [
        ("ghp_[0-9]{36}", "ghp_[0-9]{16,}", "ghp_[0-9]{36}"),
        ("a{16}b{2,16}", "a{16}b{2,16}", "a{16}b{2,16}"),
        ("x{27,300}y", "x{16,}y", "x{16,}y"),
        (r"[^\n]{1,200}=", r"[^\n]{1,}=", r"[^\n]{1,}="),
        ("[^;]{0,320}=", "[^;]{0,}=", "[^;]{0,320}="),
        (r"(?:a\n){0,18}", r"(?:a\n){0,}", r"(?:a\n){0,18}"),
        (r"\{20}[\]{30}]", r"\{20}[\]{30}]", r"\{20}[\]{30}]"),
    ],
)
def test_large_counts_become_open(pattern: str, in_line: str, over_lines: str) -> None:
    assert shortest_prefix.with_small_counts(pattern) == in_line
    assert shortest_prefix.with_small_counts(pattern, in_line=False) == over_lines


@pytest.mark.parametrize("name", ["hyperscan", "re"])
def test_each_scope_searches_its_own_patterns_and_those_for_all(name: str) -> None:
    patterns = {
        0: matcher.Pattern("every", keywords=("every",)),
        1: matcher.Pattern("code", keywords=("code",), scope="code"),
        2: matcher.Pattern("config", keywords=("config",), scope="config"),
        3: matcher.Pattern("name", keywords=("name",), scope=matcher.NAME),
        4: matcher.Pattern("loose", keywords=("loose",), in_code="l_strict"),
    }
    made = matcher.build(name, lambda: patterns, "", None)

    def found(scope: str) -> set[int]:
        return {number for number, _ in made.hits(b"every code config name loose", scope)}

    assert found("") == {0}
    assert found("code") >= {0, 1}
    assert found("config") == {0, 2, 4}
    assert found("any") == {0, 1, 2, 4}
    assert found(matcher.NAME) == {0, 3, 4}


@pytest.mark.parametrize(
    "anchor",
    [
        r"(?i:github|gitlab)\w*=[0-9]",
        r"(?i:github|gitlab)\w*=[0-9]|other=[0-9]",
        r"(?i:github|gitlab)?=[0-9]",
        r"(?i:github|gitlab)(?:=|:)[0-9|]",
    ],
)
def test_an_anchor_that_begins_with_words_is_found_wherever_it_matches(anchor: str) -> None:
    patterns = {7: matcher.Pattern(anchor, keywords=("github", "gitlab", "other"))}
    made = matcher.build("hyperscan", lambda: patterns, "", None)
    for part in b"GitHub_key=1 x gitlab:2 gitlab=| other=3 =4 github_=gitlab=5 gitlab".split(b" "):
        assert bool(made.hits(part, "")) == bool(re.search(anchor.encode(), part)), part
