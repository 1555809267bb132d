"""`keywatch scan --diff` with a policy or baseline that an option names: the one of the merge base,
and the category of what looks at commits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.helpers import Keywatch, leak
from tests.support.repositories import Repository

EXCLUDING = "version: 1\nscan: {exclude: ['src/**']}\n"


@pytest.fixture
def change(tmp_path: Path, keywatch: Keywatch) -> Repository:
    """A branch that loosens a policy which lies in ci/, names another, and adds a leak."""
    root = Repository(tmp_path / "app", keywatch)
    root.write({"ci/old.yaml": "version: 1\n"})
    root.commit()
    root.git("checkout", "-q", "-b", "change")
    root.write({"ci/old.yaml": EXCLUDING, "ci/new.yaml": EXCLUDING, "src/app.py": leak()})
    root.commit()
    return root


@pytest.mark.parametrize("name", ["ci/old.yaml", "ci/new.yaml"])
def test_a_named_policy_is_the_one_of_the_merge_base(change: Repository, name: str) -> None:
    assert change.keywatch("scan", "--diff=HEAD~1", f"--config={name}").code == 1
    assert change.keywatch("scan", f"--config={name}").code == 0


def test_a_named_baseline_is_the_one_of_the_merge_base(change: Repository) -> None:
    assert change.keywatch("baseline", "create").code == 0
    change.git("add", "-A")
    change.git("mv", ".keywatch.baseline", "ci/debt")
    change.git("add", "-A")
    change.git("commit", "-q", "--amend", "--no-edit")
    assert change.keywatch("scan", "--baseline=ci/debt").code == 0
    assert change.keywatch("scan", "--diff=HEAD~1", "--baseline=ci/debt").code == 1


def test_one_from_elsewhere_is_what_it_is(change: Repository, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(EXCLUDING)
    assert change.keywatch("scan", "--diff=HEAD~1", "--config=../policy.yaml").code == 0
    assert change.run_in("ci", "scan", "--diff=HEAD~1", "--config=../../policy.yaml").code == 0
    assert change.run_in("ci", "scan", "--diff=HEAD~1", "--config=new.yaml").code == 1


@pytest.mark.parametrize(
    ("option", "category"), [("--diff=HEAD~1", "scan"), ("--history", "history")]
)
def test_a_history_replaces_no_alerts_of_a_scan(
    change: Repository, option: str, category: str
) -> None:
    log = json.loads(change.keywatch("scan", option, "--report=sarif=-").out)
    assert log["runs"][0]["automationDetails"]["id"] == f"keywatch/{category}/"


@pytest.mark.parametrize("folder", ["", "ci"])
def test_what_the_change_loosens_in_a_named_policy_is_a_finding(
    change: Repository, folder: str
) -> None:
    name = "old.yaml" if folder else "ci/old.yaml"
    run = change.run_in(folder, "scan", "--diff=HEAD~1", f"--config={name}", "--report=json=-")
    found = [(each["rule"], each["location"]["path"]) for each in json.loads(run.out)["findings"]]
    assert ("policy-weakened", "ci/old.yaml") in found


RULE = """\
rules:
  - id: acme-key
    title: Key of Acme
    class: api-key
    why: It reads all there is at Acme.
    revoke: Delete it in the console.
    rotate: Make a new one there.
    pattern: 'ACME_[a-z0-9]{20}'
    keywords: [ACME_]
    examples: ['ACME_{alnum:20}']
    negative_examples: ['ACME_']
"""


def test_named_rules_are_those_of_the_merge_base(change: Repository) -> None:
    change.git("checkout", "-q", "main")
    change.write({"ci/rules.yaml": RULE.replace("ACME", "acme")})
    change.commit()
    change.git("checkout", "-q", "-b", "other")
    weaker = RULE.replace("ACME", "other")
    change.write({"ci/rules.yaml": weaker, "b.txt": "acme_" + "k3v9" * 5 + "\n"})
    change.commit()
    found = change.keywatch("scan", "--diff=main", "--rules=ci/rules.yaml", "--report=json=-")
    assert [each["rule"] for each in json.loads(found.out)["findings"]] == ["acme-key"]
    missing = change.keywatch("scan", "--diff=main", "--rules=ci/none.yaml")
    assert missing.code == 2
    assert "ci/none.yaml cannot be read" in missing.err
