"""The rules about a whole repository prove themselves: by the small ones of rules/trees.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from scanner.detect.rules.samples import expand
from scanner.policy.repository.rules import RULES as CHECK_RULES
from scanner.policy.rules import RULES as JUDGE_RULES
from scanner.policy.variables import RULES as TREE_RULES
from tests.support.helpers import Keywatch, git, scan, write_files
from tests.support.policy_trees import check

ROOT = Path(__file__).resolve().parents[2]
CHECKED = {rule.id for rule in CHECK_RULES}
TREES: dict[str, Any] = yaml.safe_load((ROOT / "rules" / "trees.yaml").read_bytes())
CASES = [
    pytest.param(rule, kind, files, id=f"{rule}-{kind}-{number}")
    for rule, proof in TREES.items()
    for kind in ("examples", "negative_examples")
    for number, files in enumerate(proof[kind])
]


@pytest.mark.parametrize(("rule", "kind", "files"), CASES)
def test_a_rule_finds_one_thing_in_each_of_its_examples_and_nothing_in_a_near_miss(
    keywatch: Keywatch, tmp_path: Path, rule: str, kind: str, files: Mapping[str, str]
) -> None:
    git(
        write_files(tmp_path, {path: expand(text, 1) for path, text in files.items()}), "init", "-q"
    )
    run = check(keywatch, tmp_path) if rule in CHECKED else scan(keywatch, cwd=tmp_path)
    found = [each["rule"] for each in run.report["findings"]]
    assert found.count(rule) == (kind == "examples")


def test_each_rule_that_is_code_has_examples_and_near_misses() -> None:
    assert set(TREES) == CHECKED | {rule.id for rule in (*TREE_RULES, *JUDGE_RULES)}
    assert all(proof["examples"] and proof["negative_examples"] for proof in TREES.values())
