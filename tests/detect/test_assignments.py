"""What the checks of names and values refuse: each is a class of false findings that was seen."""

from __future__ import annotations

import random

import pytest

from scanner.detect.checks.checks import CHECKS, Candidate
from scanner.detect.rules.samples import expand
from scanner.detect.values.assignments import reads_as_identifier
from scanner.detect.values.placeholders import is_known_placeholder
from scanner.model import Confidence

TOKEN = expand("{base62:24}", 0)


def judge(
    check: str, line: str, name: str, value: str, path: str = "app/client.py"
) -> Confidence | None:
    """The verdict on `value`, which stands after `name` in the line."""
    at = line.index(value)
    return CHECKS[check](Candidate(value.encode(), name.encode(), line.encode(), at, path))


def assigned(name: str, value: str, path: str = "app/client.py") -> Confidence | None:
    return judge("assigned-value", f'{name} = "{value}"', name, value, path)


def vague(name: str, value: str) -> Confidence | None:
    return judge("vague-key", f'{name} = "{value}"', name, value)


@pytest.mark.parametrize(
    "name",
    [
        "page_token",
        "previousToken",
        "ContinuationToken",
        "input_token",
        "sync_tokens",
        "IdempotencyToken",
        "clientRequestToken",
    ],
)
def test_a_token_that_says_where_one_is_or_that_a_request_is_repeated_opens_nothing(
    name: str,
) -> None:
    assert assigned(name, TOKEN) is None


@pytest.mark.parametrize("name", ["access_token", "request_token", "page_access_token"])
def test_a_token_that_grants_access_to_a_page_or_a_request_is_one(name: str) -> None:
    assert assigned(name, TOKEN)


@pytest.mark.parametrize(
    "name", ["passwordFromStore", "fromSecretKey", "password_encryption", "secret_security"]
)
def test_a_name_that_says_where_a_secret_comes_from_or_how_it_is_kept_holds_none(name: str) -> None:
    assert assigned(name, TOKEN) is None


@pytest.mark.parametrize("value", ["#976806", "italic #a3aab2", "#a3aab2ff bold"])
def test_a_colour_is_no_secret(value: str) -> None:
    assert assigned("token", value) is None


def test_names_in_camel_case_are_not_what_a_machine_makes_for_a_token() -> None:
    value = "bank2ChargeTotal"
    assert assigned("api_key", value) is None
    assert assigned("signing_secret", value), "people make up secrets of words"


def test_a_backquote_in_python_is_markup_of_a_comment() -> None:
    line, value = "or the `secret`: `StreamOrdering1`", "StreamOrdering1"
    assert judge("assigned-value", line, "secret", value, "a.py") is None
    assert judge("assigned-value", line, "secret", value, "a.js")


def test_the_name_of_an_encoding_is_what_a_secret_is_decoded_by() -> None:
    line = 'config["password"] = self.PASSWORD.decode("utf-8")'
    assert judge("fallback", line, "password", "utf-8") is None


def test_after_an_arrow_python_has_a_type() -> None:
    line, value = "def get_secret(store: Store) -> 'StoreIterator':", "StoreIterator"
    assert judge("assigned-value", line, "get_secret", value, "a.py") is None
    assert judge("assigned-value", line, "get_secret", value, "a.pl")


def test_a_reference_of_template_toolkit_is_no_literal() -> None:
    assert assigned("password", "[%key:forms::fields::password9%]") is None


def test_a_file_of_strings_holds_texts_for_people() -> None:
    assert assigned("password", "Passworttext", "ui/strings.json") is None
    assert assigned("password", "Passworttext", "ui/settings.json")


def test_a_word_that_ends_a_sentence_is_no_setting() -> None:
    assert judge("fallback", "secret store.", "secret", "store.", "a.tpl") is None


@pytest.mark.parametrize(
    "value",
    ["TAI8570/temperature", "MASS_CONCENTRATION_PM_1_24H", "sha224WithRSAEncryption"],
)
def test_numbered_words_under_the_name_key_are_a_name(value: str) -> None:
    assert vague("key", value) is None


@pytest.mark.parametrize("template", ["{hex:32}", "{base62:24}", "{base64url:40}"])
def test_machine_made_values_do_not_read_as_names(template: str) -> None:
    assert sum(reads_as_identifier(expand(template, seed)) for seed in range(1000)) <= 5


def test_groups_of_letters_and_digits_are_a_serial_number_not_a_name() -> None:
    group = random.Random(0)
    parts = ["".join(group.choices("BCDFGHJKLMNPQR", k=3)) + str(n) for n in (8, 0, 1, 3)]
    assert vague("key", "-".join((*parts, "2192")))


def test_a_word_after_key_says_that_the_value_is_only_about_it() -> None:
    assert vague("SignatureAlgorithm.RSA", expand("{hex:32}", 0)) is None
    assert vague("validationKey", expand("{hex:32}", 0))


@pytest.mark.parametrize("name", ["Sec-WebSocket-Key", "master_pubkey"])
def test_a_handshake_s_nonce_and_a_public_key_are_no_secrets(name: str) -> None:
    assert vague(name, expand("{base62:24}", 0)) is None


def test_the_next_item_of_a_list_is_not_the_value_of_a_key() -> None:
    value = expand("{hex:32}", 0)
    assert judge("vague-key", f"names = ['hot-key', '{value}', 'x']", "hot-key", value) is None


@pytest.mark.parametrize(
    "value",
    [
        "AQoDYXdzEXAMPLEtc764",
        "AQoDYXdzXXXXXXXXtc764",
        "123-456-789",
        "ijklmnopqrst",
        "ABCDEFGH",
        "23456789",
    ],
)
def test_an_example_of_a_manual_and_signs_in_their_order_stand_for_a_secret(value: str) -> None:
    assert is_known_placeholder(value)


@pytest.mark.parametrize("value", ["987-654-123", "abcdfghi", "1357-2468"])
def test_signs_out_of_order_do_not(value: str) -> None:
    assert not is_known_placeholder(value)
