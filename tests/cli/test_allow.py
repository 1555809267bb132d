"""`keywatch allow`: entries in keywatch.yaml, and the register of all exceptions."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import document
from scanner.configuration import repository
from scanner.model import NOWHERE, Location
from scanner.policy.exceptions.allow_entries import AllowEntry
from scanner.policy.exceptions.entry_text import fields, with_entry
from tests.support.helpers import NOW, Keywatch, token
from tests.support.repositories import PRAGMA, Repository, allowed, password, secret

TERMS = ("--reason", "rotated, see #12", "--owner", "@team", "--until", "2027-01-31")


@pytest.fixture
def repo(tmp_path: Path, keywatch: Keywatch) -> Repository:
    made = Repository(tmp_path / "repo", keywatch)
    made.write({"app.py": password(1)})
    made.commit()
    return made


def ids(repo: Repository) -> list[str]:
    return [each["id"] for each in repo.report()["findings"]]


# An entry


def test_an_allowed_finding_is_covered_until_its_value_changes(repo: Repository) -> None:
    (one,) = ids(repo)
    result = repo.keywatch("allow", one, *TERMS, "--now", NOW)
    assert (result.code, result.err) == (0, "")
    assert "app.py is allowed until 2027-01-31" in result.out
    assert repo.findings() == []
    repo.write({"app.py": "\n\n" + password(1)})
    assert repo.findings() == []
    repo.write({"app.py": password(2)})
    assert ("app.py", 1) in repo.findings()


def test_the_command_that_a_scan_of_another_folder_shows_works(
    repo: Repository, keywatch: Keywatch
) -> None:
    above = repo.root.parent
    shown = keywatch("scan", repo.root.name, cwd=above).stdout.decode()
    command = next(line for line in shown.splitlines() if "to accept one" in line)
    argv = shlex.split(command.partition("keywatch ")[2])
    assert keywatch(*argv, cwd=above).returncode == 0
    assert repo.findings() == []


def test_a_new_file_says_what_it_must_and_holds_no_secret(repo: Repository) -> None:
    (one,) = ids(repo)
    repo.keywatch("allow", one, *TERMS, "--now", NOW)
    lines = repo.text("keywatch.yaml").splitlines()
    assert lines[:8] == [
        "version: 1",
        "allow:",
        f'  - fingerprint: "kw-{one}"',
        '    rule: "generic-password"',
        '    path: "app.py"',
        '    reason: "rotated, see #12"',
        '    owner: "@team"',
        '    until: "2027-01-31"',
    ]
    assert len(lines) == 10
    value = secret(1)
    text = "\n".join(lines)
    assert not any(value[i : i + 4] in text for i in range(len(value) - 3))


def test_an_entry_is_added_below_the_others(repo: Repository) -> None:
    repo.write({"b.py": password(2)})
    for one in ids(repo):
        assert repo.keywatch("allow", one, *TERMS, "--now", NOW).code == 0
    assert repo.findings() == []
    assert repo.text("keywatch.yaml").index("app.py") < repo.text("keywatch.yaml").index("b.py")


def test_of_two_places_with_one_name_the_named_one_is_allowed(repo: Repository) -> None:
    repo.write({"app.py": password(1) + password(2)})
    _, second = ids(repo)
    repo.keywatch("allow", second, *TERMS, "--now", NOW)
    assert repo.findings() == [("app.py", 1)]


def test_a_path_narrows_where_the_finding_is_looked_for(repo: Repository) -> None:
    repo.write({"sub/b.py": password(2)})
    first, _ = ids(repo)
    assert repo.keywatch("allow", first, "sub", *TERMS, "--now", NOW).code == 2
    assert repo.keywatch("allow", first, "app.py", *TERMS, "--now", NOW).code == 0


def test_debt_may_become_an_exception(repo: Repository) -> None:
    (one,) = ids(repo)
    repo.keywatch("baseline", "create")
    assert repo.keywatch("allow", one, *TERMS, "--now", NOW).code == 0
    assert "(0 new, 1 gone)" in repo.keywatch("baseline", "prune").out
    assert repo.findings() == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [("--reason", "needs --reason"), ("--owner", "needs --owner"), ("--until", "needs --until")],
)
def test_an_exception_without_its_terms_is_refused(
    repo: Repository, missing: str, said: str
) -> None:
    at = TERMS.index(missing)
    for terms in (TERMS[:at] + TERMS[at + 2 :], (*TERMS[: at + 1], " ", *TERMS[at + 2 :])):
        result = repo.keywatch("allow", "0" * 12, *terms, "--now", NOW)
        assert result.code == 2
        assert said in result.err


@pytest.mark.parametrize("until", ["2026-11-24", "2020-01-01", "tomorrow", "2027-02-30"])
def test_an_end_must_be_a_day_to_come(repo: Repository, until: str) -> None:
    (one,) = ids(repo)
    result = repo.keywatch("allow", one, *TERMS[:4], "--until", until, "--now", NOW)
    assert result.code == 2
    assert "--until" in result.err
    assert not (repo.root / "keywatch.yaml").exists()


@pytest.mark.parametrize("name", ["0" * 12, "xyz", "abc", "", "--", "../x"])
def test_an_id_that_names_no_finding_is_refused(repo: Repository, name: str) -> None:
    result = repo.keywatch("allow", name, *TERMS, "--now", NOW)
    assert result.code == 2
    assert result.err


def test_a_finding_is_allowed_once(repo: Repository) -> None:
    (one,) = ids(repo)
    repo.keywatch("allow", one, *TERMS, "--now", NOW)
    before = repo.text("keywatch.yaml")
    result = repo.keywatch("allow", one, *TERMS, "--now", NOW)
    assert result.code == 2
    assert "keywatch.yaml:3" in result.err
    assert repo.text("keywatch.yaml") == before


def test_an_exception_cannot_be_allowed_by_another(repo: Repository) -> None:
    repo.write({"app.py": allowed("x = 1")})
    (one,) = ids(repo)
    result = repo.keywatch("allow", one, *TERMS, "--now", NOW)
    assert result.code == 2
    assert "correct that exception" in result.err


def test_an_expired_entry_can_be_renewed(repo: Repository) -> None:
    (one,) = ids(repo)
    repo.keywatch("allow", one, *TERMS, "--now", NOW)
    later = "2027-06-01T00:00:00Z"
    again = repo.keywatch("allow", one, *TERMS[:5], "2027-12-31", "--now", later)
    assert again.code == 0
    report = json.loads(repo.keywatch("scan", "--report", "json=-", "--now", later).out)
    assert [(f["rule"], f["location"]["line"]) for f in report["findings"]] == [("allow-unused", 3)]


def test_a_form_that_is_not_edited_is_left_as_it_is_with_the_item_to_paste(
    repo: Repository,
) -> None:
    (one,) = ids(repo)
    other = {"fingerprint": "0" * 12, "rule": "r", "path": "p", "reason": "x", "owner": "@t"}
    text = f"version: 1\nallow: [{json.dumps({**other, 'until': '2099-01-01'})}]\n"
    repo.write({"keywatch.yaml": text})
    result = repo.keywatch("allow", one, *TERMS, "--now", NOW)
    assert result.code == 2
    assert repo.text("keywatch.yaml") == text
    item = result.err.partition("add this item yourself: ")[2].strip()
    repo.write({"keywatch.yaml": f"version: 1\nallow:\n- {item}\n"})
    assert repo.findings() == []


def test_the_named_config_is_the_one_that_is_edited(repo: Repository) -> None:
    (one,) = ids(repo)
    repo.write({"conf/own.yaml": "version: 1\n"})
    arguments = ("--config", "conf/own.yaml")
    assert repo.keywatch("allow", one, *TERMS, *arguments, "--now", NOW).code == 0
    assert one in repo.text("conf/own.yaml")
    assert not (repo.root / "keywatch.yaml").exists()
    assert repo.findings(*arguments) == []


def test_a_link_to_a_file_elsewhere_is_not_written_through(
    repo: Repository, tmp_path: Path
) -> None:
    (one,) = ids(repo)
    outside = tmp_path / "outside.yaml"
    outside.write_text("version: 1\n")
    (repo.root / "keywatch.yaml").symlink_to(outside)
    assert repo.keywatch("allow", one, *TERMS, "--now", NOW).code == 2
    assert outside.read_text() == "version: 1\n"


# The text of keywatch.yaml


ENTRY = AllowEntry(
    fingerprint="0123456789ab",
    rule="generic-password",
    path="app.py",
    reason="x",
    owner="@t",
    until="2027-01-31",
    location=NOWHERE,
    tag=10,
)
ITEM = (
    '{0}- fingerprint: "kw-0123456789ab"\n{0}  rule: "generic-password"\n{0}  path: "app.py"\n'
    '{0}  reason: "x"\n{0}  owner: "@t"\n{0}  until: "2027-01-31"\n{0}  tag: "000a"\n'
)
FOLDED = "allow:  # ours\n    -   rule: a # one\n        reason: >\n          x\n\n          y\n"
TWO, NONE = ITEM.format("  "), ITEM.format("")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1\n", f"version: 1\nallow:\n{TWO}"),
        ("version: 1", f"version: 1\nallow:\n{TWO}"),
        ("version: 1\nallow: []\n", f"version: 1\nallow:\n{TWO}"),
        ("allow: []  # none yet\nversion: 1\n", f"allow:  # none yet\n{TWO}version: 1\n"),
        (f"version: 1\nallow:\n{TWO}", f"version: 1\nallow:\n{TWO}{TWO}"),
        (f"allow:\n{NONE}version: 1\n", f"allow:\n{NONE}{NONE}version: 1\n"),
        (
            f"allow:\n  # first\n{TWO}  # last\n\n# end\nversion: 1\n",
            f"allow:\n  # first\n{TWO}{TWO}  # last\n\n# end\nversion: 1\n",
        ),
        (f"{FOLDED}version: 1\n", f"{FOLDED}{ITEM.format('    ')}version: 1\n"),
        ("version: 1\r\nallow: []\r\n", f"version: 1\r\nallow:\r\n{TWO}".replace("\r", "")),
    ],
)
def test_the_rest_of_the_text_stays_as_it_was(before: str, after: str) -> None:
    result = with_entry(before, ENTRY)
    assert result is not None
    if "\r" in before:
        assert result.count("\r\n") == result.count("\n")
    assert result.replace("\r", "") == after


@pytest.mark.parametrize(
    "text", ["allow: [{a: b}]\n", "allow: &x []\n", "allow : |\n  x\n", "allowed: 1\n"]
)
def test_a_form_that_is_not_known_is_refused_or_survives_the_check(text: str) -> None:
    result = with_entry(text, ENTRY)
    assert result is None or document.parse(result.encode(), "k").data["allow"] == [fields(ENTRY)]


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(words, words, words)
def test_whatever_the_words_are_they_are_read_as_they_were_said(
    reason: str, owner: str, path: str
) -> None:
    entry = ENTRY._replace(reason=reason, owner=owner, path=path)
    text = with_entry("version: 1\n", entry)
    assert text is not None
    (read,) = repository.load(text.encode(), "k", None).allow
    assert read == entry._replace(location=Location.parse("k:3"))


# The register


def listed(repo: Repository, *arguments: str) -> object:
    result = repo.keywatch("allow", "list", "--json", "--now", NOW, *arguments)
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.fixture
def full(repo: Repository) -> Repository:
    """A repository with one of every kind of exception."""
    repo.write(
        {
            "keywatch.yaml": "version: 1\nscan: {disable_rules: [jwt]}\n",
            "b.py": allowed(password(2), until="2026-12-01"),
            "c.py": password(3).rstrip() + PRAGMA,
            "d.py": password(4),
        }
    )
    one = next(f["id"] for f in repo.report()["findings"] if f["location"]["path"] == "app.py")
    repo.keywatch("allow", one, *TERMS, "--now", NOW)
    repo.keywatch("baseline", "create", "--now", NOW)
    assert repo.findings() == []
    return repo


def test_the_register_lists_every_exception_with_its_terms(full: Repository) -> None:
    assert listed(full) == {
        "version": 1,
        "today": "2026-11-24",
        "exceptions": [
            {
                "by": "comment",
                "where": "b.py:1",
                "rule": "generic-password",
                "path": "b.py",
                "reason": "y",
                "owner": "@b",
                "until": "2026-12-01",
                "days_left": 7,
                "used": True,
            },
            {
                "by": "entry",
                "where": "keywatch.yaml:4",
                "rule": "generic-password",
                "path": "app.py",
                "reason": "rotated, see #12",
                "owner": "@team",
                "until": "2027-01-31",
                "days_left": 68,
                "used": True,
            },
        ],
        "unexplained": [
            {"by": "pragma", "where": "c.py:1", "path": "c.py", "used": True},
            {"by": "rule-disabled", "where": "keywatch.yaml", "rule": "jwt", "used": True},
        ],
        "baselines": {".keywatch.baseline": 1},
    }


def test_the_register_for_people_says_the_same(full: Repository) -> None:
    shown = full.keywatch("allow", "list", "--now", NOW).out.splitlines()
    assert shown[0].split() == ["until", "left", "owner", "rule", "where", "reason"]
    assert shown[1].split() == ["2026-12-01", "7", "days", "@b", "generic-password", "b.py:1", "y"]
    assert shown[2].startswith("2027-01-31  68 days  @team")
    assert any("c.py:1" in line for line in shown[3:])
    assert shown[-1] == "baselines: 1 finding in .keywatch.baseline (keywatch baseline show)"


def test_what_ends_soon_can_be_asked_for(full: Repository) -> None:
    def owners(days: str) -> list[str]:
        answer = json.loads(json.dumps(listed(full, "--expiring", days)))
        assert answer["unexplained"] == []
        return [each["owner"] for each in answer["exceptions"]]

    assert owners("30d") == ["@b"]
    assert owners("7") == ["@b"]
    assert owners("6d") == []
    assert owners("68d") == ["@b", "@team"]
    assert full.keywatch("allow", "list", "--expiring", "soon").code == 2


def test_what_has_ended_or_covers_nothing_is_marked(repo: Repository) -> None:
    repo.write({"app.py": allowed(password(1), until="2026-01-01")})
    repo.write({"b.py": allowed("x = 1", until="2027-01-01")})
    shown = repo.keywatch("allow", "list", "--now", NOW).out
    assert "2026-01-01  ended" in shown
    assert "38 days, covers nothing" in shown


def test_the_register_is_of_the_whole_tree(full: Repository) -> None:
    for part in (["b.py"], ["--staged"], ["--exclude", "b.py"]):
        assert full.keywatch("allow", "list", *part).code == 2


def test_each_filter_of_a_baseline_is_named_with_its_pattern_and_no_secret_in_it(
    repo: Repository,
) -> None:
    home = "detect_secrets.filters.regex.should_exclude_"
    patterns = {"file": "x" * 300, "line": "x" * 300, "secret": token()}
    document: dict[str, Any] = {
        "version": "1.5.0",
        "plugins_used": [],
        "filters_used": [{"path": home + what, "pattern": [p]} for what, p in patterns.items()],
        "results": {},
    }
    repo.write({".secrets.baseline": json.dumps(document)})
    shown = repo.keywatch("allow", "list", "--now", NOW).out
    lines = [line.split() for line in shown.splitlines() if line.startswith("filter-added")]
    assert [line[2] for line in lines] == [home + what for what in patterns]
    assert [line[3][:12] for line in lines] == ["pattern=('xx", "pattern=('xx", "pattern=('gh"]
    assert token()[4:8] not in shown + json.dumps(listed(repo))


def test_without_exceptions_the_register_says_so(repo: Repository) -> None:
    assert repo.keywatch("allow", "list").out == "no exceptions\n"


def test_hostile_words_are_harmless_in_the_register(repo: Repository) -> None:
    line = allowed(password(1), reason="\x1b[2J::error::", owner="@\u202eb")
    repo.write({"app.py": line})
    shown = repo.keywatch("allow", "list", "--now", NOW).out
    assert shown.isascii()
    assert "\x1b" not in shown
