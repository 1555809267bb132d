"""Documents that PyYAML or `re` cannot make sense of are errors with a place, never a defect."""

from __future__ import annotations

import pytest

from scanner import document
from scanner.detect.rules import model, rulebook
from scanner.errors import ConfigError

RULE = """\
rules:
  - id: my-rule
    title: A rule of mine
    class: api-key
    why: It opens the door.
    revoke: Take it back at once.
    rotate: Make a new one instead.
    pattern: zzkey_[a-z]{10}
    keywords: [zzkey_]
    edges: 'EDGES'
    examples: ['zzkey_{lower:10}']
    negative_examples: [zzkey]
"""


@pytest.mark.parametrize(
    "value", ['!!int ""', "!!bool maybe", '!!float ""', "!!timestamp x", "!!set [1]", "!!omap [1]"]
)
def test_a_tag_that_does_not_fit_its_value_is_an_error_of_the_file(value: str) -> None:
    with pytest.raises(ConfigError, match=r"some\.yaml is not valid YAML"):
        document.parse(f"a: {value}".encode(), "some.yaml")


@pytest.mark.parametrize("edges", ["z-a", r"\p", "a\\"])
def test_edges_that_are_no_character_class_are_an_error_of_the_rule(edges: str) -> None:
    source = model.RuleFile("mine.yaml", RULE.replace("EDGES", edges).encode())
    with pytest.raises(ConfigError, match="edges: not a character class") as caught:
        _ = rulebook.load((source,)).own_rules
    assert caught.value.where == "mine.yaml:10"


@pytest.mark.parametrize("edges", ["", "a-z", "[a-z]", r"\w\-"])
def test_edges_may_be_any_class_or_none(edges: str) -> None:
    source = model.RuleFile("mine.yaml", RULE.replace("EDGES", edges).encode())
    assert "my-rule" in {rule.id for rule in rulebook.load((source,)).own_rules}
