"""Texts of policies that cannot be used: a clear error with its line, in bounded time."""

from __future__ import annotations

import time

import pytest

from scanner.errors import ConfigError
from scanner.policy.access import hcl

BLOCK = 'path "secret/data/app/x{}" {{\n  capabilities = ["read"]\n}}\n'


def error(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        hcl.parse(text.encode(), "app", "policies/app.hcl")
    return raised.value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('path "a" {\n  capabilities = ["read"]\n', 2, "expected }"),
        ('path "a" {\n  capabilities = ["read"\n}\n', 3, "expected"),
        ('# one\npath "a" {\n  capabilities = ["raed"]\n}', 2, "did you mean read"),
        ('\n\npath "a" {\n  capabilites = ["read"]\n}', 3, "did you mean capabilities"),
        ('paths "a" {}', 1, "expected path"),
        ('path "a" { policy = "rite" }', 1, "write"),
        ('path "a{{" { policy = "read" }', 1, "pairs"),
        ('path "{{{{identity.entity.name}}}}" { policy = "read" }', 1, "pairs"),
        ('path "a/+*" { policy = "read" }', 1, "final *"),
        ('{"path": {"a": {"capabilities": ["read"]}', 1, "delimiter"),
        ('{\n"path": {\n"a": {"capabilities": ["raed"]}}}', 3, "did you mean read"),
    ],
)
def test_an_error_names_the_line_and_what_was_expected(text: str, line: int, words: str) -> None:
    found = error(text)
    assert found.where == f"policies/app.hcl:{line}"
    assert words in found.why


def test_each_rule_keeps_its_file_and_line() -> None:
    text = "# first\n\n" + BLOCK.format(1) + "/* two\nlines */ " + BLOCK.format(2)
    rules = hcl.parse(text.encode(), "app", "policies/app.hcl").rules
    assert [str(rule.location) for rule in rules] == ["policies/app.hcl:3", "policies/app.hcl:7"]


def test_the_lines_of_a_policy_in_json_are_known() -> None:
    text = '{"path": {\n "a": {"capabilities": ["read"]},\n "b": {"policy": "write"}\n}}'
    rules = hcl.parse(text.encode(), "app", "a.json").rules
    assert [(rule.pattern, str(rule.location)) for rule in rules] == [
        ("a", "a.json:2"),
        ("b", "a.json:3"),
    ]


def test_a_policy_of_ten_megabytes_is_refused_at_once() -> None:
    begun = time.monotonic()
    assert "1,048,576 bytes" in error(BLOCK.format(1) * 170_000).what
    assert time.monotonic() - begun < 1


def test_a_hundred_thousand_path_blocks_are_refused() -> None:
    assert "over" in error('path"a"{}' * 100_000).what


@pytest.mark.parametrize(
    "text",
    [
        'path "a" {' * 20_000,
        "{" * 100_000,
        "[" * 500_000,
        '"' * 900_001,
        'path "a" { allowed_parameters = ' + "{ a = " * 5_000 + "[]" + " }" * 5_000 + " }",
        "x = 1\n" * 100_000,
        "/*" * 400_000,
        '{"path": ' + "[" * 5_000 + "]" * 5_000 + "}",
    ],
)
def test_hostile_text_ends_in_a_clear_error_within_seconds(text: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError):
        hcl.parse(text.encode(), "app", "app.hcl")
    assert time.monotonic() - begun < 20


def test_names_with_control_characters_are_kept_exactly() -> None:
    rules = hcl.parse(b'path "a\\u001b[31m\\tb" { policy = "read" }', "app", "app.hcl").rules
    assert rules[0].pattern == "a\x1b[31m\tb"


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        hcl.parse(b'path "\xff" {}', "app", "app.hcl")
