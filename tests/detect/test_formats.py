"""Formats: without its prefix, or with a wrong checksum, a token is any random string. The whole of
it, beside the peers, is bench/formats.py."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from bench import formats
from bench.published import Format, Published
from scanner.detect.checks.checks import CHECKSUMS
from scanner.detect.rules import samples
from tests.support.helpers import Keywatch

ALPHABETS = ("alnum", "base32", "base62", "base64", "base64url", "digits", "hex", "HEX", "upper")
COUNT = 4_000


def found(keywatch: Keywatch, folder: Path, lines: list[str]) -> list[str]:
    (folder / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = keywatch("scan", "--no-git", "--report", "json=-", "--quiet", cwd=folder).stdout
    places = (each["location"] for each in json.loads(report)["findings"])
    return [lines[place["line"] - 1] for place in places]


def test_random_strings_with_no_prefix_and_no_name_beside_them_are_nobodys_secret(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    lines = [
        samples.expand(f"{{{ALPHABETS[seed % len(ALPHABETS)]}:16-90}}", seed)
        for seed in range(COUNT)
    ]
    assert found(keywatch, tmp_path, lines) == []


def test_a_token_whose_checksum_is_wrong_is_none(keywatch: Keywatch, tmp_path: Path) -> None:
    source = Random("wrong")
    right = [text for check, text in formats.examples() if check in CHECKSUMS]
    assert found(keywatch, tmp_path, [formats.broken(text, source) for text in right]) == []


@pytest.mark.parametrize(
    ("pattern", "prefixes"),
    [
        (r"\b(acme_[0-9a-f]{32})\b", ("acme_",)),
        (r"(?i)acme.{0,20}=\s*([ab]c_live_[0-9]{8})", ("",)),
        (r"\b((?:sk|rk)_live_[0-9a-zA-Z]{24})(?:['\"\s]|$)", ("rk_live_", "sk_live_")),
        (r"acme(?i)-KEY-[[:xdigit:]]{8}", ("acme-KEY-",)),
    ],
)
def test_values_of_a_peers_pattern_begin_with_its_literal_and_are_accepted_by_it(
    pattern: str, prefixes: tuple[str, ...]
) -> None:
    made = Format(Published("made-up", pattern))
    assert made.prefixes == prefixes
    values = made.values("seed")
    assert values
    assert values == made.values("seed")
    for value in values:
        assert made.accepts(value.text)
        assert value.text[value.start : value.end].startswith(prefixes)
