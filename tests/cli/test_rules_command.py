"""`keywatch rules`: the list, one rule in full, and the examples of a rule file of one's own."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from scanner.detect.rules.samples import expand
from scanner.policy.access.rules import RULES as ACCESS_RULES
from scanner.policy.live.rules import RULES as LIVE_RULES
from scanner.policy.repository.rules import RULES as CHECK_RULES
from scanner.policy.rules import OWN_RULES
from scanner.policy.variables import RULE_IDS
from scanner.rotate.rules import RULES as ROTATE_RULES
from scanner.trail.rule_infos import rules as trail_rules
from tests.support.helpers import Keywatch, scan, write_files

ROOT = Path(__file__).resolve().parents[2]
ACME = """\
rules:
  - id: acme-api-key
    title: Acme API key
    class: api-key
    why: It reads and changes everything in the Acme account.
    revoke: Delete it in the Acme console.
    rotate: Make a new one and keep it in the secret store.
    pattern: 'acme_[a-z0-9]{20}'
    keywords: [acme_]
    examples: ['key = "acme_{alnum:20}"']
    negative_examples: ['key = "acme_{alnum:8}"']
"""


def shipped_ids() -> set[str]:
    files = [
        *(ROOT / "rules" / "secrets").glob("*.yaml"),
        *(ROOT / "rules" / "config").glob("*.yaml"),
    ]
    found = [re.findall(r"^  - id: (\S+)$", file.read_text(), re.MULTILINE) for file in files]
    return {rule for rules in found for rule in rules}


def test_the_list_holds_every_rule_of_the_rule_files_the_judge_and_detect_secrets(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    lines = keywatch("rules", "list", cwd=tmp_path).stdout.decode().splitlines()
    names = [line.split()[0] for line in lines]
    assert names == sorted(names)
    detect_secrets = {name for name in names if name.startswith("ds-")}
    coded = (*CHECK_RULES, *LIVE_RULES, *ACCESS_RULES, *trail_rules(), *ROTATE_RULES)
    judged = OWN_RULES | RULE_IDS | {rule.id for rule in coded}
    assert set(names) - detect_secrets == shipped_ids() | judged
    assert len(detect_secrets) == 27  # the plugins of detect-secrets 1.5.0


def test_the_list_for_programs_says_what_to_do_after_a_leak(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    rows = json.loads(keywatch("rules", "list", "--json", cwd=tmp_path).stdout)
    (npm,) = [row for row in rows if row["id"] == "npm-access-token"]
    assert npm["severity"] in {"high", "critical"}
    assert all(npm[field] for field in ("title", "why", "revoke", "rotate", "purge", "source"))


def test_a_rule_in_full_names_its_severity_its_reason_and_its_remedy(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    done = keywatch("rules", "show", "github-personal-access-token", cwd=tmp_path)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert text.startswith("github-personal-access-token: ")
    for part in ("critical severity", "Revoke: ", "Rotate: ", "Purge: ", "Format: https://"):
        assert part in text


def test_an_unknown_rule_is_answered_with_the_nearest_name(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    done = keywatch("rules", "show", "github-personal-acces-token", cwd=tmp_path)
    assert done.returncode == 2
    assert b"github-personal-access-token" in done.stderr
    assert done.stdout == b""


def test_rules_whose_examples_hold_pass(keywatch: Keywatch, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(ACME)
    done = keywatch("rules", "test", "mine.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "2 examples, none failed\n"


def test_examples_that_do_not_hold_are_named_by_file_line_and_rule(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    changes = (
        ("acme_{alnum:20}", "acme_{alnum:19}"),
        ("acme_{alnum:8}", "acme_{alnum:20}"),
        ("acme_{alnum:20}", "acme_{alnum:"),
    )
    rules = [
        ACME.removeprefix("rules:\n").replace(*change).replace("acme", f"acme{number}")
        for number, change in enumerate(changes)
    ]
    (tmp_path / "mine.yaml").write_text("rules:\n" + "".join(rules))
    done = keywatch("rules", "test", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 1
    named = [line for line in done.stdout.decode().splitlines() if line.startswith("mine.yaml:")]
    expected = (
        "mine.yaml:10: acme0-api-key: the example is not found",
        "mine.yaml:21: acme1-api-key: the negative example is found",
        "mine.yaml:30: acme2-api-key: the template is malformed",
    )
    assert all(line.startswith(says) for line, says in zip(named, expected, strict=True)), named


def test_a_least_length_beside_a_pattern_is_refused_since_it_would_do_nothing(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(ACME.replace("    why:", "    min_length: 12\n    why:"))
    done = keywatch("rules", "test", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert b"mine.yaml:" in done.stderr
    assert (
        b"min_length: only a rule with named and without pattern may have this field" in done.stderr
    )


@pytest.mark.parametrize("missing", ["examples", "negative_examples"])
def test_a_rule_without_examples_scans_and_fails_its_test(
    keywatch: Keywatch, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "mine.yaml").write_text(re.sub(rf"    {missing}: .*\n", "", ACME))
    tested = keywatch("rules", "test", "mine.yaml", cwd=tmp_path)
    scanned = keywatch("scan", "--no-git", "--rules=mine.yaml", cwd=tmp_path)
    assert tested.returncode == 1
    assert f"mine.yaml:2: acme-api-key: it has no {missing}" in tested.stdout.decode()
    assert scanned.returncode == 0


def test_an_id_that_is_taken_and_a_severity_that_is_none_are_refused_with_advice(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    for old, new, words in (
        ("id: acme-api-key", "id: github-oauth-token", "already exists\n  do:  use another ID"),
        ("class: api-key", "severity: 3", "high, critical\n  do:  for example: low"),
    ):
        (tmp_path / "mine.yaml").write_text(ACME.replace(old, new))
        done = keywatch("scan", "--no-git", "--rules=mine.yaml", cwd=tmp_path)
        assert (done.returncode, words in done.stderr.decode()) == (2, True)


def test_a_rule_file_that_is_not_there_is_a_usage_error(keywatch: Keywatch, tmp_path: Path) -> None:
    done = keywatch("rules", "test", "gone.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert b"gone.yaml cannot be read" in done.stderr
    assert b"do:  check the path" in done.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/own-rules.md"])
def test_the_documented_example_of_a_rule_holds(
    keywatch: Keywatch, tmp_path: Path, page: str
) -> None:
    (block,) = re.findall(r"```yaml\n(rules:\n.*?)```", (ROOT / page).read_text(), re.DOTALL)
    (tmp_path / "readme.yaml").write_text(block)
    assert keywatch("rules", "test", "readme.yaml", cwd=tmp_path).returncode == 0


class TestBeside:
    """A secret that is known by what stands near it."""

    RULE = """\
rules:
  - id: acme-secret
    title: Acme secret
    class: api-key
    why: It reads and changes everything in the Acme account.
    revoke: Delete it in the Acme console.
    rotate: Make a new one and keep it in the secret store.
    pattern: '[a-z0-9]{24}'
    beside: 'acme_id_[0-9]{6}'
    lines: 3
    keywords: [acme_id_]
    examples: ["id: acme_id_{digits:6}\\nx: {alnum:24}"]
    negative_examples: ["id: acme_id_{digits:6}\\n\\n\\n\\n\\nx: {alnum:24}"]
"""
    VALUE = expand("{alnum:24}", 3)

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            (f"acme_id_123456\n{VALUE}\n", [2]),
            (f"{VALUE}\nacme_id_123456\n", [1]),
            (f"acme_id_123456 {VALUE}\n", [1]),
            (f"acme_id_123456\n\n{VALUE}\n", [3]),
            (f"acme_id_123456\n\n\n\n{VALUE}\n", []),
            (f"acme_id_\n{VALUE}\n", []),
            (f"acme_id_123456\nacme_id_123456\n{VALUE}\n", [3]),
        ],
    )
    @pytest.mark.parametrize("matcher", ["hyperscan", "re"])
    def test_it_counts_only_near_enough(
        self, keywatch: Keywatch, tmp_path: Path, text: str, lines: list[int], matcher: str
    ) -> None:
        write_files(tmp_path, {"rules.yaml": self.RULE, "src/a.txt": text})
        options = ("--no-git", "--rules=rules.yaml", f"--matcher={matcher}")
        done = scan(keywatch, *options, "src", cwd=tmp_path)
        found = [each for each in done.report["findings"] if each["rule"] == "acme-secret"]
        assert [each["location"]["line"] for each in found] == lines

    def test_its_examples_are_run(self, keywatch: Keywatch, tmp_path: Path) -> None:
        write_files(tmp_path, {"rules.yaml": self.RULE})
        done = keywatch("rules", "test", "rules.yaml", cwd=tmp_path)
        assert done.stdout == b"2 examples, none failed\n"

    def test_a_pattern_that_is_none_is_an_error_in_its_place(
        self, keywatch: Keywatch, tmp_path: Path
    ) -> None:
        write_files(tmp_path, {"rules.yaml": self.RULE.replace("[0-9]{6}", "(?=x)")})
        done = keywatch("rules", "test", "rules.yaml", cwd=tmp_path)
        assert done.returncode == 2
        assert b"rules.yaml:9: beside: does not compile" in done.stderr


def test_a_rule_of_ones_own_compiles_nothing_but_itself(keywatch: Keywatch, tmp_path: Path) -> None:
    """What is compiled of the shipped rules is found again, with any rules beside them."""
    write_files(tmp_path, {"src/a.txt": "nothing\n"})
    assert scan(keywatch, "--no-git", "src", cwd=tmp_path).code == 0
    cached = Path(os.environ["HOME"]) / ".cache" / "keywatch"
    before = {file.name for file in cached.glob("database-*")}
    write_files(tmp_path, {"rules.yaml": ACME.replace("Acme API key", "Key of Acme")})
    options = ("--no-git", "--rules=rules.yaml", "src")
    assert scan(keywatch, *options, cwd=tmp_path).code == 0
    more = {file.name: file.stat().st_size for file in cached.glob("database-*")}
    assert all(size < 100_000 for name, size in more.items() if name not in before)
    assert len(more.keys() - before) == 1
