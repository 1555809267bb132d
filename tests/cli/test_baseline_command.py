"""`keywatch baseline`: the record of debt in real repositories, and its merges by git itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.helpers import Keywatch
from tests.support.repositories import (
    NOTHING_COMPILED,
    PRAGMA,
    Repository,
    allowed,
    password,
    secret,
)

ROOT = Path(__file__).resolve().parents[2]
FILE = ".keywatch.baseline"
SECRETS_BASELINE = ".secrets.baseline"


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    made = Repository(tmp_path / "repo", keywatch)
    made.write({"app.py": password(1), "sub/other.py": password(2)})
    made.commit()
    return made


def test_after_create_the_scan_is_clean_and_says_what_it_does_not_show(repo: Repository) -> None:
    assert len(repo.findings()) == 2
    result = repo.keywatch("baseline", "create")
    assert (result.code, result.err) == (0, "")
    assert "2 findings (2 new, 0 gone)" in result.out
    assert repo.keywatch("scan").code == 0
    assert repo.report()["summary"]["suppressed"] == {"baseline": 2}


def test_create_does_not_write_over_a_record(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    repo.write({"new.py": password(3)})
    before = repo.text(FILE)
    result = repo.keywatch("baseline", "create")
    assert result.code == 2
    assert "keywatch baseline update" in result.err
    assert repo.text(FILE) == before


@pytest.mark.parametrize("action", ["update", "prune"])
def test_without_a_record_there_is_nothing_to_keep(repo: Repository, action: str) -> None:
    result = repo.keywatch("baseline", action)
    assert result.code == 2
    assert "keywatch baseline create" in result.err


def test_lines_may_move_and_a_new_secret_before_an_old_one_is_the_one_reported(
    repo: Repository,
) -> None:
    repo.keywatch("baseline", "create")
    repo.write({"app.py": "\n" * 30 + password(1)})
    assert repo.findings() == []
    repo.write({"app.py": password(9) + "\n" * 30 + password(1)})
    assert repo.findings() == [("app.py", 1)]


def test_a_new_value_on_an_old_line_is_a_finding(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    repo.write({"app.py": password(9)})
    assert repo.findings() == [("app.py", 1)]


def test_the_hook_reports_what_is_new_alone(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    repo.commit()
    repo.write({"app.py": password(1) + password(9, "api_key")})
    repo.git("add", "-A")
    assert repo.findings("--staged") == [("app.py", 2)]


def test_update_adds_and_drops_and_leaves_every_other_line_as_it_was(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    header, app, _other = repo.text(FILE).splitlines()
    repo.write({"app.py": password(5) + password(1), "sub/other.py": ""})
    result = repo.keywatch("baseline", "update")
    assert "2 findings (1 new, 1 gone)" in result.out
    lines = repo.text(FILE).splitlines()
    assert len(lines) == 3
    assert {header, app} < set(lines)
    assert repo.findings() == []


def test_an_update_without_a_change_does_not_touch_the_file(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    os.utime(repo.root / FILE, (1, 1))
    assert repo.keywatch("baseline", "update").code == 0
    assert (repo.root / FILE).stat().st_mtime == 1


def test_an_update_of_some_files_says_nothing_of_the_others(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    repo.write({"app.py": password(5), "sub/other.py": password(6)})
    assert "(1 new, 1 gone)" in repo.keywatch("baseline", "update", "app.py").out
    assert repo.findings() == [("sub/other.py", 1)]
    (repo.root / "sub/other.py").unlink()
    assert "(0 new, 0 gone)" in repo.keywatch("baseline", "update", "app.py").out


def test_prune_drops_what_is_gone_and_adds_nothing(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    repo.write({"app.py": password(1) + password(5)})
    (repo.root / "sub/other.py").unlink()
    report = repo.report()
    assert "stale-baseline" in [note["kind"] for note in report["notes"]]
    assert "1 finding (0 new, 1 gone)" in repo.keywatch("baseline", "prune").out
    assert repo.findings() == [("app.py", 2)]
    assert "stale-baseline" not in [note["kind"] for note in repo.report()["notes"]]


@pytest.mark.parametrize("part", [["app.py"], ["--staged"], ["--exclude", "sub"]])
def test_prune_needs_the_whole_tree(repo: Repository, part: list[str]) -> None:
    repo.keywatch("baseline", "create")
    before = repo.text(FILE)
    assert repo.keywatch("baseline", "prune", *part).code == 2
    assert repo.text(FILE) == before


def test_a_create_of_some_files_records_these(repo: Repository) -> None:
    assert "1 finding " in repo.keywatch("baseline", "create", "sub").out
    assert repo.findings() == [("app.py", 1)]


def test_what_has_an_exception_is_no_debt(repo: Repository) -> None:
    repo.write({"app.py": allowed(password(7)) + password(8).rstrip() + PRAGMA})
    assert "1 finding " in repo.keywatch("baseline", "create").out
    assert "sub/other.py" in repo.text(FILE)


def test_a_rule_that_did_not_run_keeps_its_entries(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    before = repo.text(FILE)
    repo.write({"keywatch.yaml": "version: 1\nscan:\n  disable_rules: [generic-password]\n"})
    for action in ("update", "prune"):
        repo.keywatch("baseline", action, *NOTHING_COMPILED)
        assert repo.text(FILE) == before


def test_a_file_that_was_not_read_to_its_end_keeps_its_entries(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    app = next(line for line in repo.text(FILE).splitlines() if '"app.py"' in line)
    repo.write({"app.py": "".join(password(n) for n in range(100, 10_103))})
    result = repo.keywatch("baseline", "update")
    assert result.code == 3
    assert "keywatch scan lists them" in result.err
    assert app in repo.text(FILE)


def test_a_damaged_record_stops_every_verb_with_its_line(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    repo.write({FILE: repo.text(FILE) + "<<<<<<< HEAD\n"})
    for arguments in (["scan"], ["baseline", "update"], ["baseline", "show"]):
        result = repo.keywatch(*arguments)
        assert result.code == 2
        assert f"{FILE}:4" in result.err
        assert "merge conflict" in result.err


def test_a_record_is_never_written_through_a_link(repo: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (repo.root / FILE).symlink_to(outside)
    assert repo.keywatch("baseline", "create").code == 2
    assert outside.read_text() == "precious"


def test_show_lists_the_accepted_findings_for_people_and_programs(repo: Repository) -> None:
    repo.keywatch("baseline", "create")
    shown = repo.keywatch("baseline", "show").out
    assert "sub/other.py" in shown
    assert "2 accepted findings" in shown
    accepted = json.loads(repo.keywatch("baseline", "show", "--json").out)["baseline"]
    assert accepted[0] == {
        "baseline": FILE,
        "path": "app.py",
        "rule": "generic-password",
        "name": "db_password",
    }


def test_show_without_a_baseline_says_so(repo: Repository) -> None:
    assert repo.keywatch("baseline", "show").out == "0 accepted findings\n"


def test_what_a_hostile_record_says_is_shown_harmlessly(repo: Repository) -> None:
    row = {"path": "\x1b[2J\udcff", "rule": "x\u202e", "name": "::error::\n"}
    repo.write({FILE: '{"keywatch-baseline":1}\n' + json.dumps(row) + "\n"})
    shown = repo.keywatch("baseline", "show").out
    assert shown.isascii()
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3
    assert json.loads(repo.keywatch("baseline", "show", "--json").out)


# Merges by git


@pytest.fixture
def driver(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository with the merge driver, as the help text says to set it up."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = f"'{sys.executable}' -m scanner baseline merge %O %A %B %P"
    repo.git("config", "merge.keywatch.driver", command)
    attributes = f"{SECRETS_BASELINE} merge=keywatch\n{FILE} merge=keywatch\n"
    repo.write({".gitattributes": attributes})
    return repo


def branches(repo: Repository, *, code: int = 0) -> str:
    """One branch adds two files and their debt, the other one more and drops an old one."""
    repo.keywatch("baseline", "create")
    repo.commit("base")
    repo.git("checkout", "-q", "-b", "side")
    repo.write({"a.py": password(11), "z.py": password(12)})
    repo.keywatch("baseline", "update")
    repo.commit("side")
    repo.git("checkout", "-q", "main")
    repo.write({"b.py": password(13), "app.py": ""})
    repo.keywatch("baseline", "update")
    repo.commit("main")
    return repo.git("merge", "-q", "--no-edit", "side", code=code)


def test_gits_union_merge_of_two_branches_covers_what_both_recorded(repo: Repository) -> None:
    repo.write({".gitattributes": f"{FILE} merge=union\n"})
    branches(repo)
    assert repo.findings() == []
    repo.keywatch("baseline", "prune")
    assert len(repo.text(FILE).splitlines()) == 5


def test_the_merge_driver_covers_what_both_recorded_and_keeps_no_stale_line(
    driver: Repository,
) -> None:
    branches(driver)
    assert driver.findings() == []
    assert driver.report()["notes"] == []
    merged = driver.text(FILE)
    driver.keywatch("baseline", "update")
    assert driver.text(FILE) == merged


def row(value: str, line: int, **more: object) -> dict[str, object]:
    from tests.support.policy_values import match

    hashed = match(value).hashed_secret
    kind = {"type": "Secret Keyword", "filename": "app.py", "hashed_secret": hashed}
    return {**kind, "is_verified": False, "line_number": line, **more}


def detect_secrets(*rows: dict[str, object], generated_at: str = "2024-01-01T00:00:00Z") -> str:
    plugins = [{"name": "KeywordDetector", "keyword_exclude": ""}]
    whole = {
        "version": "1.5.0",
        "plugins_used": plugins,
        "filters_used": [],
        "results": {"app.py": [*rows]},
        "generated_at": generated_at,
    }
    return json.dumps(whole, indent=2) + "\n"


def merge_detect_secrets(repo: Repository, base: str, ours: str, theirs: str, *, code: int) -> str:
    repo.write({SECRETS_BASELINE: base})
    repo.commit("base")
    repo.git("checkout", "-q", "-b", "side")
    repo.write({SECRETS_BASELINE: theirs})
    repo.commit("side")
    repo.git("checkout", "-q", "main")
    repo.write({SECRETS_BASELINE: ours})
    repo.commit("main")
    return repo.git("merge", "--no-edit", "side", code=code)


def test_the_driver_merges_what_conflicts_by_line_and_date_alone(driver: Repository) -> None:
    merge_detect_secrets(
        driver,
        detect_secrets(row("a", 3), row("b", 9)),
        detect_secrets(row("a", 5), row("c", 7), row("b", 11), generated_at="2026-02-01T00:00:00Z"),
        detect_secrets(row("a", 4), row("d", 6), generated_at="2026-03-01T00:00:00Z"),
        code=0,
    )
    expected = detect_secrets(
        row("a", 5), row("d", 6), row("c", 7), generated_at="2026-03-01T00:00:00Z"
    )
    assert driver.text(SECRETS_BASELINE) == expected


def test_two_labels_of_one_entry_stop_the_merge_with_a_valid_file(driver: Repository) -> None:
    said = merge_detect_secrets(
        driver,
        detect_secrets(row("a", 3)),
        detect_secrets(row("a", 3, is_secret=True)),
        detect_secrets(row("a", 3, is_secret=False)),
        code=1,
    )
    assert "CONFLICT" in said
    assert driver.text(SECRETS_BASELINE) == detect_secrets(row("a", 3))
    assert f"UU {SECRETS_BASELINE}" in driver.git("status", "--short")


@pytest.mark.parametrize(
    "damaged", ["{", "[]", '{"results": []}', "{}", pytest.param("[" * 99_999, id="deep")]
)
def test_a_side_that_is_no_baseline_is_left_to_the_person(driver: Repository, damaged: str) -> None:
    driver.write({"base": detect_secrets(), "ours": detect_secrets(row("a", 1)), "theirs": damaged})
    result = driver.keywatch("baseline", "merge", "base", "ours", "theirs", SECRETS_BASELINE)
    assert result.code == 2
    assert SECRETS_BASELINE in result.err
    assert "do:" in result.err
    assert driver.text("ours") == detect_secrets(row("a", 1))


EVIL = [
    {"filters_used": [{"path": "file://evil.py::f"}]},
    {"filters_used": [{"path": "evil.filters.f"}]},
    {"plugins_used": [{"name": "Evil", "path": "file://evil.py"}]},
]


@pytest.mark.parametrize("change", EVIL)
def test_a_plugin_or_filter_that_a_scan_refuses_stops_the_merge_and_the_listing(
    driver: Repository, change: dict[str, object]
) -> None:
    ours = detect_secrets(row("a", 5), row("c", 7))
    theirs = json.dumps(json.loads(detect_secrets(row("a", 4))) | change)
    said = merge_detect_secrets(driver, detect_secrets(row("a", 3)), ours, theirs, code=1)
    assert "CONFLICT" in said
    assert f"UU {SECRETS_BASELINE}" in driver.git("status", "--short")
    assert driver.text(SECRETS_BASELINE) == ours
    driver.write({SECRETS_BASELINE: theirs})
    refused = driver.keywatch("scan")
    assert (refused.code, "evil" in refused.err.lower()) == (2, True)
    assert driver.keywatch("baseline", "show") == refused


def test_a_filter_that_one_side_took_out_does_not_stop_the_merge(driver: Repository) -> None:
    before = json.dumps(json.loads(detect_secrets(row("a", 3))) | EVIL[0])
    merge_detect_secrets(
        driver, before, before.replace(": 3", ": 4"), detect_secrets(row("a", 5)), code=0
    )
    assert json.loads(driver.text(SECRETS_BASELINE))["filters_used"] == []


def test_the_driver_says_which_entry_is_in_conflict_and_never_its_hash(
    driver: Repository,
) -> None:
    hashed = str(row("a", 3)["hashed_secret"])
    sides = {
        "ours": detect_secrets(row("a", 3, is_secret=True)),
        "theirs": detect_secrets(row("a", 3, is_secret=False)),
    }
    driver.write({"base": "", **sides})
    result = driver.keywatch("baseline", "merge", "base", "ours", "theirs", SECRETS_BASELINE)
    assert result.code == 1
    assert "app.py: Secret Keyword" in result.err
    assert hashed not in result.err + result.out


def test_no_verb_prints_a_secret(repo: Repository) -> None:
    shown = ""
    for action in ("create", "update", "show", "prune"):
        result = repo.keywatch("baseline", action)
        shown += result.out + result.err
    shown += repo.text(FILE)
    for value in (secret(1), secret(2)):
        assert not any(value[i : i + 4] in shown for i in range(len(value) - 3))
