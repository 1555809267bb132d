"""Every shipped rule proves itself: its examples are found by it, its near misses are not."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hyperscan
import jsonschema
import pytest
import yaml

from scanner.detect.checks.checks import CHECKS
from scanner.detect.engine.linear_regex import linear
from scanner.detect.rules import rulebook
from scanner.detect.rules.samples import expand
from scanner.inputs.git.versions import differing
from tests.support.helpers import detector

RULES = Path(__file__).parents[2] / "rules"
SEEDS = range(5)


def _documents() -> dict[str, Any]:
    return {
        f"{path.parent.name}/{path.name}": yaml.safe_load(path.read_bytes())
        for folder in ("secrets", "config")
        for path in sorted((RULES / folder).glob("*.yaml"))
    }


DOCUMENTS = _documents()
DECLARED: list[dict[str, Any]] = [rule for text in DOCUMENTS.values() for rule in text["rules"]]
CANDIDATES = [each for text in DOCUMENTS.values() for each in text.get("candidates", ())]
SOURCED = [
    ((text.get("defaults") or {}) | rule)
    for name, text in DOCUMENTS.items()
    if name.startswith("secrets/") and name != "secrets/generic.yaml"
    for rule in text["rules"]
]
# One test for a rule, not for each of its examples: there are thousands, each found in a moment.
EACH_RULE = pytest.mark.parametrize("rule", DECLARED, ids=lambda rule: rule["id"])


@pytest.fixture(scope="module")
def book() -> rulebook.Rulebook:
    return rulebook.load()


@pytest.fixture(params=["hyperscan", "re"])
def scan(request: pytest.FixtureRequest) -> Any:
    """The product's own engine over text, once with each matcher: the rules of what it found."""
    ready = detector(request.param)

    def found(example: Any, seed: int) -> list[str]:
        if isinstance(example, str):
            example = {"file": "app/settings", "text": example}
        text = expand(example["text"], seed) + "\n"
        seen = ready.observe(example["file"], [text.encode()])
        return [finding.rule for finding in seen.findings] if seen else []

    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_rule_file_keeps_to_the_published_schema(name: str) -> None:
    schema = json.loads((RULES / "schema" / "rule.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(DOCUMENTS[name])


def test_the_ids_of_all_rules_are_different() -> None:
    assert [rule for rule, count in Counter(r["id"] for r in DECLARED).items() if count > 1] == []


@EACH_RULE
def test_an_example_is_found_once_by_its_rule(rule: dict[str, Any], scan: Any) -> None:
    for example, seed in product(rule["examples"], SEEDS):
        assert scan(example, seed).count(rule["id"]) == 1, (example, seed)


@EACH_RULE
def test_what_an_example_adds_to_a_text_says_so_by_itself(rule: dict[str, Any]) -> None:
    """Of a file in a commit, only what differs from the file before is looked at."""
    ready, filler = detector(), b"# no line like this one asks for a closer look\n" * 20
    for example in rule["examples"]:
        path, text = "app/settings", example
        if not isinstance(example, str):
            path, text = example["file"], example["text"]
        lines = expand(text, 1).encode().splitlines(keepends=True)
        whole = filler + b"".join(lines) + b"\n" + filler
        for known in range(len(lines)):
            before = filler + b"".join(lines[:known]) + filler
            if ready.has_candidate(path, whole) and not ready.has_candidate(path, before):
                assert ready.has_candidate(path, differing(whole, before)), (example, known)


@EACH_RULE
def test_a_near_miss_is_not_found_by_its_rule(rule: dict[str, Any], scan: Any) -> None:
    for example, seed in product(rule["negative_examples"], SEEDS):
        assert rule["id"] not in scan(example, seed), (example, seed)


@EACH_RULE
def test_an_example_holds_a_keyword_of_its_rule(rule: dict[str, Any]) -> None:
    for template in (example for example in rule["examples"] if isinstance(example, str)):
        assert any(word in expand(template, 0).lower() for word in rule["keywords"]), template


@EACH_RULE
def test_a_shipped_pattern_means_the_same_in_every_engine(rule: dict[str, Any]) -> None:
    """`re`, RE2 and Hyperscan must take it."""
    for text in (rule.get(key, "x") for key in ("pattern", "named", "anchor")):
        re.compile(text.encode())
        assert not re.search(r"\(\?[=!<][=!]?(?!P)|\\[1-9]|\\[pPCQE]", text.replace("(?P<", ""))


def test_every_pattern_of_a_shipped_rule_needs_some_text_in_re2(book: rulebook.Rulebook) -> None:
    for rule in book.rules:
        for pattern in filter(
            None, (rule.pattern, rule.files, rule.value, rule.needs, rule.beside)
        ):
            assert not linear(pattern).search(b""), rule.id
            assert linear(pattern).groups <= 20, rule.id


@pytest.mark.slow
def test_all_anchors_compile_in_hyperscan(book: rulebook.Rulebook) -> None:
    flags = hyperscan.HS_FLAG_MULTILINE | hyperscan.HS_FLAG_ALLOWEMPTY
    for rule in book.rules:
        hyperscan.Database().compile(expressions=[rule.anchor.encode()], flags=[flags])


def test_every_check_is_used_by_a_rule() -> None:
    assert set(CHECKS) == {r["check"] for r in [*DECLARED, *CANDIDATES] if "check" in r}


@pytest.mark.parametrize("rule", SOURCED, ids=lambda rule: rule["id"])
def test_a_vendor_rule_says_where_its_format_is_from(rule: dict[str, Any]) -> None:
    source = rule["source"]
    address = urlsplit(source["url"])
    assert address.scheme == "https"
    assert "." in (address.hostname or "")
    assert str(date.fromisoformat(source["seen"])) == source["seen"]


def test_well_over_150_rules_are_shipped() -> None:
    assert len(SOURCED) > 150
