"""The detect-secrets layer as a user meets it, beside the real detect-secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import Keywatch
from tests.support.repositories import NOTHING_COMPILED, PRAGMA, Repository, password, secret

FILE = ".secrets.baseline"
SCAN = ("scan", "--all-files", "-n")


def detect_secrets(root: Path, *arguments: str, stdin: str = "") -> str:
    """The real one, which is installed beside this interpreter."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("detect-secrets")), *arguments],
        cwd=root,
        input=stdin,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def found(document: Any) -> dict[str, set[tuple[str, str, int]]]:
    return {
        path: {(row["type"], row["hashed_secret"], row["line_number"]) for row in rows}
        for path, rows in document["results"].items()
    }


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    made = Repository(tmp_path / "repo", keywatch)
    made.write(
        {
            "app.py": password(1) + "x = 1\n" + password(2, "api_key"),
            "deploy/values.yaml": f"db:\n  password: {secret(3)}\n  user: app\n",
            "settings.ini": f"[db]\npassword = {secret(4)}\n",
            "link.txt": f"see https://app:{secret(5)}@db.example.org/ for it\n",
            "allowed.py": password(6).rstrip() + PRAGMA,
        }
    )
    made.commit()
    return made


def test_a_new_baseline_is_what_detect_secrets_itself_finds(repo: Repository) -> None:
    wanted = json.loads(detect_secrets(repo.root, *SCAN))
    result = repo.keywatch("baseline", "create", "--detect-secrets", "exact")
    assert (result.code, result.err) == (0, "")
    document = json.loads(repo.text(FILE))
    assert found(document) == found(wanted)
    assert {key: document[key] for key in ("version", "plugins_used")} == {
        key: wanted[key] for key in ("version", "plugins_used")
    }
    assert repo.keywatch("scan").code == 0


def test_detect_secrets_reads_what_was_written(repo: Repository) -> None:
    repo.keywatch("baseline", "create", "--detect-secrets", "exact")
    before = found(json.loads(repo.text(FILE)))
    detect_secrets(repo.root, "scan", "--baseline", FILE)
    assert found(json.loads(repo.text(FILE))) == before
    said = detect_secrets(repo.root, "audit", FILE, stdin="n\n" * 20)
    assert "Saving progress" in said
    results = json.loads(repo.text(FILE))["results"]
    labels = [row["is_secret"] for rows in results.values() for row in rows]
    assert labels
    assert all(labels)


def test_a_baseline_switches_the_layer_on_and_covers_its_entries(repo: Repository) -> None:
    (repo.root / FILE).write_text(detect_secrets(repo.root, *SCAN))
    assert repo.findings() == []
    assert repo.report()["summary"]["suppressed"]["detect-secrets-baseline"] > 3
    assert repo.findings("--detect-secrets", "off") != []


def test_the_source_documents_own_arguments_work_unchanged(repo: Repository) -> None:
    (repo.root / FILE).write_text(detect_secrets(repo.root, *SCAN))
    hook = ("hook", "pre-commit", "--baseline", FILE)
    assert repo.keywatch(*hook, "app.py", "deploy/values.yaml").code == 0
    repo.write({"app.py": repo.text("app.py") + password(9, "token")})
    repo.git("add", "app.py")
    result = repo.keywatch(*hook, "app.py")
    assert result.code == 1
    assert "app.py:4:" in result.out


def test_a_new_value_on_a_known_line_is_a_finding(repo: Repository) -> None:
    (repo.root / FILE).write_text(detect_secrets(repo.root, *SCAN))
    repo.write({"app.py": password(77) + "x = 1\n" + password(2, "api_key")})
    assert repo.findings() == [("app.py", 1)]


def test_moved_lines_stay_known(repo: Repository) -> None:
    (repo.root / FILE).write_text(detect_secrets(repo.root, *SCAN))
    repo.write({"app.py": "\n\n# moved\n" + repo.text("app.py")})
    assert repo.findings() == []


def test_a_file_whose_name_is_no_utf_8_is_read_as_any_other(repo: Repository) -> None:
    (repo.root / os.fsdecode(b"caf\xe9.py")).write_text(password(8))
    result = repo.keywatch("scan", "--detect-secrets", "exact", "--report", "json=-")
    report = json.loads(result.out)
    assert report["gaps"] == []
    assert any(each["location"]["path"].startswith("caf") for each in report["findings"])


def test_what_both_layers_find_in_one_place_is_one_finding(repo: Repository) -> None:
    both = repo.findings("--detect-secrets", "exact")
    assert len(both) == len(set(both))
    assert set(repo.findings("--detect-secrets", "off")) <= set(both)


def test_update_leaves_untouched_entries_as_they_are(repo: Repository) -> None:
    detect = detect_secrets(repo.root, *SCAN)
    (repo.root / FILE).write_text(detect)
    assert repo.keywatch("baseline", "update").code == 0
    assert repo.text(FILE) == detect
    repo.write({"new.py": password(10)})
    assert repo.keywatch("baseline", "update").code == 0
    before, after = json.loads(detect), json.loads(repo.text(FILE))
    assert set(after["results"]) == {*before["results"], "new.py"}
    del after["results"]["new.py"]
    assert after["results"] == before["results"]


def test_prune_drops_what_is_gone(repo: Repository) -> None:
    (repo.root / FILE).write_text(detect_secrets(repo.root, *SCAN))
    repo.write({"app.py": password(2, "api_key"), "new.py": password(10)})
    assert repo.keywatch("baseline", "prune").code == 0
    results = json.loads(repo.text(FILE))["results"]
    assert len({row["hashed_secret"] for row in results["app.py"]}) == 1
    assert "new.py" not in results


def test_create_does_not_write_over_a_baseline(repo: Repository) -> None:
    (repo.root / FILE).write_text(detect_secrets(repo.root, *SCAN))
    before = repo.text(FILE)
    result = repo.keywatch("baseline", "create", "--detect-secrets", "exact")
    assert result.code == 2
    assert "exists already" in result.err
    assert repo.text(FILE) == before
    assert not (repo.root / ".keywatch.baseline").exists()


def test_create_writes_where_it_is_told(repo: Repository) -> None:
    repo.keywatch("baseline", "create", "--detect-secrets", "exact", "--output", "old.json")
    assert json.loads(repo.text("old.json"))["results"]
    assert not (repo.root / FILE).exists()


def test_show_lists_the_old_debt_with_its_labels_and_no_hash(repo: Repository) -> None:
    text = detect_secrets(repo.root, *SCAN)
    (repo.root / FILE).write_text(text)
    shown = repo.keywatch("baseline", "show").out
    assert "Secret Keyword" in shown
    assert "not audited" in shown
    hashes = [row["hashed_secret"] for rows in json.loads(text)["results"].values() for row in rows]
    assert not any(each in shown for each in hashes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"filters_used": [{"path": "file://evil.py::f"}]}, "evil.py"),
        ({"plugins_used": [{"name": "Evil", "path": "file://evil.py"}]}, "Evil"),
        ({"plugins_used": [{"name": "NoSuchPlugin"}]}, "NoSuchPlugin"),
    ],
)
def test_a_baseline_runs_no_code(repo: Repository, change: dict[str, Any], why: str) -> None:
    canary = repo.root.parent / "canary"
    repo.write({"evil.py": f"open({str(canary)!r}, 'w')\ndef f(*a, **k): return True\n"})
    document = json.loads(detect_secrets(repo.root, *SCAN)) | change
    repo.write({FILE: json.dumps(document)})
    result = repo.keywatch("scan")
    assert result.code == 2
    assert why in result.err
    assert not canary.exists()


def test_what_a_baseline_switches_off_is_in_the_register(repo: Repository) -> None:
    document = json.loads(detect_secrets(repo.root, *SCAN))
    plugins = document["plugins_used"]
    document["plugins_used"] = [each for each in plugins if each["name"] != "KeywordDetector"]
    document["filters_used"].append(
        {"path": "detect_secrets.filters.regex.should_exclude_line", "pattern": ["fixture"]}
    )
    repo.write({FILE: json.dumps(document)})
    register = repo.report(*NOTHING_COMPILED)["register"]
    assert {"plugin-disabled", "filter-added"} <= {each["by"] for each in register}


def test_a_damaged_baseline_stops_the_run_with_its_line(repo: Repository) -> None:
    repo.write({FILE: '{\n "version": "1.5.0",\n oops\n}'})
    result = repo.keywatch("scan")
    assert result.code == 2
    assert f"{FILE}:3" in result.err


def test_a_missing_baseline_that_is_named_stops_the_run(repo: Repository) -> None:
    result = repo.keywatch("scan", "--baseline", "nowhere.json")
    assert result.code == 2
    assert "nowhere.json" in result.err
