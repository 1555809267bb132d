"""Templates of made-up credentials."""

from __future__ import annotations

import contextlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.rules.samples import expand


@pytest.mark.parametrize(
    ("template", "shape"),
    [
        ("{hex:32}", r"[0-9a-f]{32}"),
        ("{HEX:8}-{digits:4}", r"[0-9A-F]{8}-[0-9]{4}"),
        ("{base62:20-40}", r"[0-9A-Za-z]{20,40}"),
        ("{base64:43}=", r"[0-9A-Za-z+/]{43}="),
        ("{uuid}", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("{{{lower:3}}}", r"\{[a-z]{3}\}"),
        ("a{{b}}c", r"a\{b\}c"),
        ("{pem:CERTIFICATE}", r"-{5}BEGIN CERTIFICATE-{5}[^-]{100,}-{5}END CERTIFICATE-{5}"),
        ("{frame:EC KEY|...}", r"-{5}BEGIN EC KEY-{5}\n\.{3}\n-{5}END EC KEY-{5}"),
        ("{repeat:xy*3}", "xyxyxy"),
        ("{jwt}", r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}"),
    ],
)
def test_a_template_becomes_text_of_its_shape(template: str, shape: str) -> None:
    assert re.fullmatch(shape, expand(template, 7))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("key={hex:32", "position 5"),
        ("key=}", "position 5"),
        ("key={hexx:32}", "unknown field 'hexx' at position 5"),
        ("key={hex}", "position 5 is not a length"),
        ("key={hex:0}", "position 5 is not a valid range"),
        ("key={hex:9-3}", "position 5 is not a valid range"),
        ("key={azure:NOPE}", "unknown argument 'NOPE' of 'azure' at position 5"),
    ],
)
def test_a_malformed_template_is_an_error_that_names_the_position(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        expand(template, 0)


def test_the_same_seed_gives_the_same_text_and_another_seed_another() -> None:
    assert expand("{base62:30}", 1) == expand("{base62:30}", 1) != expand("{base62:30}", 2)


def test_two_fields_of_one_template_differ() -> None:
    first, second = expand("{hex:32} {hex:32}", 0).split()
    assert first != second


@given(st.text(alphabet=string.printable, max_size=40), st.integers(0, 5))
def test_text_without_fields_comes_back_as_it_is(text: str, seed: int) -> None:
    assert expand(text.replace("{", "{{").replace("}", "}}"), seed) == text


@given(st.text(alphabet="{}:-0123hexjwt", max_size=20))
def test_any_template_gives_text_or_a_value_error(template: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(expand(template, 0), str)
