"""`keywatch baseline` where there is a `.secrets.baseline`: both records, side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scanner.detect.rules.samples import expand
from tests.support.helpers import Keywatch
from tests.support.repositories import PRAGMA, Repository, allowed, password, secret

OWN, SECRETS_BASELINE = ".keywatch.baseline", ".secrets.baseline"


def detect_secrets(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("detect-secrets")), *arguments],
        cwd=root,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def hashes(repo: Repository, name: str = SECRETS_BASELINE) -> set[tuple[str, str, str]]:
    results = json.loads(repo.text(name))["results"]
    return {
        (path, row["type"], row["hashed_secret"]) for path, rows in results.items() for row in rows
    }


def scanned(repo: Repository) -> set[str]:
    """Where detect-secrets finds something, but for the hashes in its own file."""
    document = json.loads(detect_secrets(repo.root, "scan", "--all-files", "-n"))
    return set(document["results"]) - {SECRETS_BASELINE}


def ours_alone(seed: int) -> str:
    """A line with a secret that detect-secrets does not find."""
    return "see " + expand("glsa_{base62:32}_{grafana-crc32}", seed) + "\n"


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    """A repository as a user of detect-secrets has it, with one secret more."""
    made = Repository(tmp_path / "repo", keywatch)
    made.write({"app.py": password(1) + password(2, "api_key")})
    made.commit()
    made.write({SECRETS_BASELINE: detect_secrets(made.root, "scan", "--all-files", "-n")})
    return made


def entries(repo: Repository) -> list[Any]:
    return [json.loads(line) for line in repo.text(OWN).splitlines()[1:]]


def test_update_keeps_both_records_and_the_scan_is_clean(repo: Repository) -> None:
    repo.write({"notes.txt": ours_alone(1), "new.py": password(3)})
    assert len(repo.findings()) == 2
    result = repo.keywatch("baseline", "update")
    assert result.code == 0
    assert repo.findings() == []
    assert [each["path"] for each in entries(repo)] == ["notes.txt"]
    assert {path for path, _, _ in hashes(repo)} == {"app.py", "new.py"}


def test_an_entry_of_a_mere_prefix_covers_no_new_token(repo: Repository) -> None:
    """detect-secrets hashes `ghp` alone of a token, and a private key's header alone."""
    token = "see ghp_{base62:30}{crc32}\n"
    repo.write({"a.md": expand(token, 1)})
    (repo.root / SECRETS_BASELINE).unlink()
    repo.write({SECRETS_BASELINE: detect_secrets(repo.root, "scan", "--all-files", "-n")})
    assert "a.md" in {path for path, _, _ in hashes(repo)}
    repo.keywatch("baseline", "create")
    assert repo.findings() == []
    repo.write({"a.md": expand(token, 2)})
    assert repo.findings() == [("a.md", 1)]


def test_update_makes_no_file_that_nobody_needs(repo: Repository) -> None:
    before = repo.text(SECRETS_BASELINE)
    repo.keywatch("baseline", "update")
    assert not (repo.root / OWN).exists()
    assert repo.text(SECRETS_BASELINE) == before


def test_create_records_what_the_old_baseline_does_not_cover(repo: Repository) -> None:
    before = repo.text(SECRETS_BASELINE)
    repo.write({"notes.txt": ours_alone(1), "new.py": password(3)})
    assert repo.keywatch("baseline", "create").code == 0
    assert {each["path"] for each in entries(repo)} == {"new.py", "notes.txt"}
    assert repo.text(SECRETS_BASELINE) == before
    assert repo.findings() == []


def test_create_for_both_lists_each_debt_once(repo: Repository) -> None:
    (repo.root / SECRETS_BASELINE).unlink()
    repo.write({"notes.txt": ours_alone(1)})
    result = repo.keywatch("baseline", "create", "--detect-secrets", "exact")
    assert result.code == 0
    assert f"{OWN}: 1 finding (1 new, 0 gone)" in result.out
    assert [each["path"] for each in entries(repo)] == ["notes.txt"]
    wanted = scanned(repo)
    assert {path for path, _, _ in hashes(repo)} == wanted
    assert repo.findings() == []


def test_the_output_of_create_is_relative_to_where_one_stands(repo: Repository) -> None:
    (repo.root / "sub").mkdir()
    done = repo.run_in(
        "sub", "baseline", "create", "--detect-secrets", "exact", "--output", "o.json"
    )
    assert done.code == 0
    assert hashes(repo, "sub/o.json") == hashes(repo)


def test_an_update_keeps_version_form_labels_and_what_is_not_ours(repo: Repository) -> None:
    document = json.loads(repo.text(SECRETS_BASELINE))
    document["version"], document["team"] = "1.4.0", "@sec"
    document["generated_at"] = "2020-01-01T00:00:00Z"  # never the second of this run
    for number, row in enumerate(document["results"]["app.py"]):
        row["is_secret"] = bool(number)
    before = json.dumps(document, indent=4, sort_keys=True)
    repo.write({SECRETS_BASELINE: before})
    repo.keywatch("baseline", "update")
    assert repo.text(SECRETS_BASELINE) == before
    repo.write({"zz.py": password(3)})
    repo.keywatch("baseline", "update")
    old, new = before.splitlines(), repo.text(SECRETS_BASELINE).splitlines()
    assert [line for line in old if line not in new] == [
        line for line in old if "generated_at" in line
    ]
    assert json.loads(repo.text(SECRETS_BASELINE))["version"] == "1.4.0"


def test_an_old_format_is_renewed_with_its_labels(repo: Repository) -> None:
    value = json.loads(repo.text(SECRETS_BASELINE))["results"]["app.py"][0]["hashed_secret"]
    row = {"type": "Secret Keyword", "hashed_secret": value, "line_number": 1, "is_secret": False}
    old = {
        "version": "0.13.1",
        "exclude": {"files": None, "lines": None},
        "word_list": {"file": None, "hash": None},
        "plugins_used": [{"name": "KeywordDetector", "keyword_exclude": None}],
        "generated_at": "2020-01-01T00:00:00Z",
        "results": {"app.py": [row]},
    }
    repo.write({SECRETS_BASELINE: json.dumps(old, indent=2), "new.py": password(3)})
    assert repo.keywatch("baseline", "update").code == 0
    document = json.loads(repo.text(SECRETS_BASELINE))
    assert document["version"] == "1.5.0"
    assert document["results"]["app.py"][0]["is_secret"] is False
    assert "new.py" in document["results"]
    detect_secrets(repo.root, "scan", "--all-files", "--baseline", SECRETS_BASELINE)
    again = json.loads(repo.text(SECRETS_BASELINE))
    assert again["results"]["app.py"][0]["is_secret"] is False


def test_an_update_of_what_is_staged_keeps_what_is_not(repo: Repository) -> None:
    repo.commit()
    repo.write({"b.py": password(4)})
    repo.keywatch("baseline", "update")  # not staged
    repo.write({"c.py": password(5)})
    repo.git("add", "c.py")
    assert repo.keywatch("baseline", "update", "--staged").code == 0
    assert {path for path, _, _ in hashes(repo)} == {"app.py", "b.py", "c.py"}


def test_detect_secrets_is_told_of_what_only_our_own_comments_explain(repo: Repository) -> None:
    repo.write({"b.py": allowed(password(4)), "c.py": password(5).rstrip() + PRAGMA})
    repo.keywatch("baseline", "update")
    wanted = scanned(repo)
    assert {path for path, _, _ in hashes(repo)} == wanted == {"app.py", "b.py"}
    assert not (repo.root / OWN).exists()


def test_findings_of_the_old_layer_may_be_recorded_in_ours(repo: Repository) -> None:
    (repo.root / SECRETS_BASELINE).unlink()
    hexes = expand("{hex:40}", 4)
    repo.write({"keywatch.yaml": "version: 1\nscan: {detect_secrets: exact}\n"})
    repo.write({"b.py": f'sum_ = "{hexes}"\n'})
    assert repo.keywatch("baseline", "create").code == 0
    assert repo.findings() == []
    assert "b.py" in {each["path"] for each in entries(repo)}
    (repo.root / "b.py").unlink()
    assert repo.keywatch("baseline", "update").code == 0
    assert "b.py" not in {each["path"] for each in entries(repo)}


def test_without_the_old_layer_its_entries_are_kept(repo: Repository) -> None:
    repo.write({"keywatch.yaml": "version: 1\nscan: {detect_secrets: exact}\n"})
    repo.write({"b.py": f'sum_ = "{expand("{hex:40}", 4)}"\n'})
    before = repo.text(SECRETS_BASELINE)
    (repo.root / SECRETS_BASELINE).unlink()
    repo.keywatch("baseline", "create")
    kept = repo.text(OWN)
    repo.write({"keywatch.yaml": "version: 1\n"})
    for action in ("update", "prune"):
        repo.keywatch("baseline", action)
        assert repo.text(OWN) == kept
    repo.write({SECRETS_BASELINE: before})
    repo.keywatch("baseline", "update", "--detect-secrets", "off")
    assert repo.text(SECRETS_BASELINE) == before


@pytest.mark.parametrize("kind", [OWN, SECRETS_BASELINE])
def test_the_named_baseline_is_the_one_that_is_kept(repo: Repository, kind: str) -> None:
    repo.keywatch("baseline", "create")
    (repo.root / kind).rename(repo.root / "named")
    repo.write(
        {"new.py": password(3) if kind == SECRETS_BASELINE else "", "notes.txt": ours_alone(1)}
    )
    assert repo.keywatch("baseline", "update", "--baseline", "named").code == 0
    assert ("new.py" if kind == SECRETS_BASELINE else "notes.txt") in repo.text("named")
    assert not (repo.root / kind).exists()
    assert repo.findings("--baseline", "named") == []


def test_a_hostile_document_is_an_error_before_anything_is_written(repo: Repository) -> None:
    damaged: list[Any] = [{"app.py": [{"type": "x"}]}, {"app.py": 1}, []]
    for results in damaged:
        document = json.loads(repo.text(SECRETS_BASELINE)) | {"results": results}
        repo.write({SECRETS_BASELINE: json.dumps(document), "notes.txt": ours_alone(1)})
        before = repo.text(SECRETS_BASELINE)
        result = repo.keywatch("baseline", "update")
        assert result.code == 2
        assert SECRETS_BASELINE in result.err
        assert repo.text(SECRETS_BASELINE) == before
        assert not (repo.root / OWN).exists()
        repo.write({SECRETS_BASELINE: json.dumps(document | {"results": {}})})


def test_no_record_holds_a_secret(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    text = repo.text(OWN) + repo.text(SECRETS_BASELINE)
    for value in (secret(1), secret(2)):
        assert not any(value[i : i + 5] in text for i in range(len(value) - 4))
