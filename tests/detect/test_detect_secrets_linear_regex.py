"""Patterns of `re` in the linear engine: the same meaning, or a clear no."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.detect_secrets.linear_regex import Guarded, Linear, UnsupportedError, linear

pytest.importorskip("re2")

PATTERNS = (
    *(
        r"^a.*\.py$",
        r"(?i)test[^\s]+\d{2,}|foo",
        r"[\w.-]+[\[(][^\v]*[\])]",
        r"a{,2}b*?c+",
        r"\W\S\D",
    ),
    *(r"(?:^|/)vendor(/|$)", r"(?s)a.b", r"(?m)^x$", r"(?x) a b # c", r"[^a-c\d]", r"é[à-ü]+\Z"),
    *(
        r"(?i)pass",
        r"(?i)[h-k]{2}",
        r"(?i:KI)s",
        r"(?a)\w\d",
        r"x|(?-i:Y)z",
        r"(?i)[^i]x",
        r"\x41|\t",
    ),
    *(r"", r"()", r"(a)(b)?", r"\.secrets\.baseline$", r"a\s+b", r"[\s,]+$", r"(?P<n>a+)b"),
)
TEXT = st.text(
    st.sampled_from(list("abcxyzikspYKI019 _-./\\\t\n\v\x1c,[]()#éàüİıſ\u212a\u0663\u00a0\u2028")),
    max_size=12,
)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=TEXT)
def test_a_pattern_finds_in_linear_time_what_it_finds_in_re(pattern: str, text: str) -> None:
    found = Linear(pattern).search(text)
    expected = re.search(pattern, text)
    assert (found is None) == (expected is None)
    if found and expected:
        assert found.start() == expected.start()
        assert Linear(pattern).findall(text)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"a(?=b)", "assert"),
        (r"(?<!a)b", "assert not"),
        (r"(a)\1", "groupref"),
        (r"(?>a)b", "atomic group"),
        (r"a++b", "possessive repeat"),
        (r"(", "not a regular expression"),
        (r"[\W\d]", "next to other characters"),
        (r"a{3000}", "RE2 rejects it"),
        (r"((a{900}){900}){900}", "RE2 rejects it"),
        ("(" * 5000, "not a regular expression"),
    ],
)
def test_what_the_linear_engine_cannot_say_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        Linear(pattern)


def test_a_pattern_with_look_around_runs_only_where_it_would_match_without() -> None:
    guarded = linear(re.compile(r"(?<!a)b+(?!c)"))
    assert isinstance(guarded, Guarded)
    for text in ("b", "ab", "abb", "bc", "bbc", "x", ""):
        assert guarded.findall(text) == re.findall(r"(?<!a)b+(?!c)", text)


def test_a_pattern_with_back_references_stays_as_it_is() -> None:
    regex = re.compile(r"(['\"])a\1")
    assert linear(regex) is regex
