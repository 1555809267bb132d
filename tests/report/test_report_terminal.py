"""The terminal report: what developers look at all day."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scanner.model import (
    Acceptance,
    Confidence,
    Coverage,
    Detail,
    FailOn,
    Gap,
    Note,
    Outcome,
    Severity,
)
from scanner.report.formats import render
from tests.support.report_values import PURGE, context, eventful, finding, outcome, suppressed

SGR = re.compile(r"\x1b\[[0-9;]*m")


def show(result: Outcome, **more: Any) -> str:
    return render("terminal", result, context(**more))


def many(number: int, name: str = "bolt-key") -> Outcome:
    return outcome(*(finding(name, f"src/f{n:04}.py", n + 1) for n in range(number)))


def test_a_clean_run_is_one_line() -> None:
    assert show(outcome()) == "✓ clean · 214 files, 3.4 MB · 7 skipped (5 binary, 2 excluded)\n"


def test_an_empty_selection_says_that_nothing_was_read() -> None:
    assert show(outcome(coverage=Coverage())) == "✓ clean · 0 files, 0 bytes\n"
    skipped = Coverage(skipped={"binary": 1})
    expected = "! nothing was read · 0 files, 0 bytes · 1 skipped (1 binary)\n"
    assert show(outcome(coverage=skipped)) == expected


def test_a_clean_run_still_counts_what_was_suppressed() -> None:
    line = show(outcome(suppressed=eventful().suppressed, register=eventful().register))
    assert "1 in the baseline" in line
    assert "1 allowed in keywatch.yaml" in line
    assert "1 allowed by comment" in line
    assert "2 unexplained pragmas" in line
    assert "1 disabled rule" in line
    assert line.count("\n") == 1


def test_one_pragma_over_two_findings_is_one_unexplained_pragma() -> None:
    two = (suppressed("pragma", "old.py:4", 4), suppressed("pragma", "old.py:4", 5))
    assert "1 unexplained pragma" in show(outcome(suppressed=two))


def test_notes_of_a_clean_run_stand_before_its_line() -> None:
    notes = tuple(Note(kind="structure", path=f"c{n}.yaml", line=3, text="bad") for n in range(5))
    lines = show(outcome(notes=notes)).splitlines()
    assert lines[0] == "note  c0.yaml:3  bad"
    assert lines[3] == "note  … and 2 more of kind structure"
    assert lines[4].startswith("✓ clean")


def test_a_finding_has_one_line_that_editors_and_people_know() -> None:
    found = finding("acme-token", "deploy/values.yaml", 12, detail="found in a base64 layer")
    assert show(outcome(found)).splitlines()[0] == (
        "deploy/values.yaml:12:7  critical  acme-token  Credential of acme-token 'acme_…x9'"
        f" in API_KEY; found in a base64 layer  ({found.id})"
    )


def test_what_to_do_about_a_rule_stands_below_once_and_the_summary_last() -> None:
    found = [finding("acme-token", "a.py", n + 1) for n in range(3)]
    text = show(outcome(*found))
    assert text.count("acme-token  revoke: Delete it at acme-token.") == 1
    for words in (
        "✗ 3 findings (3 critical)",
        "more on each:  -v explains every rule",
        f'keywatch allow {found[0].id} --reason "…" --owner @team --until 2027-05-01',
    ):
        assert words in text
    assert "rotate" not in text


def test_with_full_detail_every_text_of_a_rule_is_shown() -> None:
    text = show(outcome(finding("acme-token")), detail=Detail.FULL)
    for words in (
        "Whoever holds it acts as the owner of acme-token.",
        "revoke  Delete it at acme-token.",
        "rotate  Make a new one at acme-token.",
        f"purge   {PURGE}",
    ):
        assert words in text
    assert "-v" not in text


def test_the_summary_by_itself_is_one_line() -> None:
    text = show(outcome(finding("acme-token"), finding("dune-id")), detail=Detail.SUMMARY)
    assert text.startswith("✗ 2 findings (1 critical, 1 low) · 214 files")
    assert text.count("\n") == 1


def test_ten_findings_of_ten_rules_take_about_thirty_lines() -> None:
    found = [finding(f"rule-{n}", f"src/f{n}.py", n + 1) for n in range(10)]
    assert len(show(outcome(*found)).splitlines()) <= 30


def test_findings_of_a_file_stand_together_and_the_gravest_rule_is_explained_first() -> None:
    text = show(
        outcome(
            finding("dune-id", "a.py", 1),
            finding("acme-token", "z.py", 2),
            finding("dune-id", "z.py", 3),
            finding("acme-token", "a.py", 4),
        )
    )
    words = ("a.py:1", "a.py:4", "z.py:2", "z.py:3", "acme-token  revoke", "dune-id     revoke")
    order = [text.index(each) for each in words]
    assert order == sorted(order)


def test_advice_that_two_rules_share_is_said_once() -> None:
    found = outcome(finding("acme-token"), finding("bolt-key"))
    text = show(found, detail=Detail.FULL)
    assert text.count(PURGE) == 1
    assert "  purge   as for acme-token" in text


def test_a_location_is_never_broken_however_narrow_the_terminal() -> None:
    path = "services/" * 20 + "client.go"
    assert f"{path}:1:7  critical" in show(outcome(finding(path=path)), width=20)


def test_other_lines_keep_to_the_width() -> None:
    result = outcome(finding("acme-token"), gaps=eventful().gaps)
    for width in (80, 200):
        assert max(map(len, show(result, width=width).splitlines()[1:])) <= max(width, 95)
    assert max(map(len, show(result, width=400).splitlines()[1:])) <= 200


def test_a_very_long_name_is_cut_where_one_can_see_it() -> None:
    text = show(outcome(finding(path="a/" * 3000 + "key.pem")))
    assert "…" in text
    assert "key.pem:1:7" in text
    assert max(map(len, text.splitlines())) < 400


def test_a_path_opens_from_the_current_folder() -> None:
    assert "../other/src/app.py:1:7" in show(outcome(finding()), open_from="../other/")
    assert "./-rf.py:1:7" in show(outcome(finding(path="-rf.py")))


@pytest.mark.parametrize("number", [1, 40, 3000])
def test_every_finding_is_shown_however_many_there_are(number: int) -> None:
    text = show(many(number))
    assert len(re.findall(r"src/f\d{4}\.py:\d+:7", text)) == number
    assert f"✗ {number:,} finding" in text


def test_gaps_are_loud_and_say_why() -> None:
    gaps = tuple(
        Gap(kind="unreadable", path=f"s{n:02}.yaml", reason="Permission denied") for n in range(12)
    )
    text = show(outcome(gaps=gaps))
    assert "NOT CHECKED  12 paths" in text
    assert "s00.yaml  unreadable: Permission denied" in text
    assert "… and 2 more" in text
    assert "! Incomplete: 12 paths could not be scanned. No findings in the rest." in text
    assert "clean" not in text


def test_findings_that_fail_nothing_say_so() -> None:
    text = show(outcome(finding("dune-id")), fail_on=FailOn(Severity.HIGH))
    assert "! 1 finding (1 low), below --fail-on high" in text
    mixed = show(outcome(finding("dune-id"), finding("acme-token")), fail_on=FailOn(Severity.HIGH))
    assert "✗ 2 findings (1 critical, 1 low) · 1 of them below --fail-on high" in mixed


def test_low_confidence_and_undeclared_variables_fail_nothing_unless_asked() -> None:
    doubtful = finding("dune-id", confidence=Confidence.LOW)
    undeclared = finding("config-undeclared-variable")
    text = show(outcome(doubtful, undeclared))
    assert "! 2 findings (1 high, 1 low), not failing the run (--strict fails on all)" in " ".join(
        text.split()
    )
    assert "; low confidence  (" in text
    strict = FailOn(confidence=Confidence.LOW)
    assert "✗ 2 findings (1 high, 1 low)" in show(outcome(doubtful, undeclared), fail_on=strict)


def test_a_change_is_told_that_its_exceptions_need_an_approval() -> None:
    text = show(outcome(finding()), acceptance=Acceptance.APPROVAL)
    assert "keywatch allow" in text
    assert "--approve REF" in text


def test_a_commit_message_is_told_to_change_the_text() -> None:
    text = show(outcome(finding()), acceptance=Acceptance.NONE)
    assert "keywatch allow" not in text
    assert "change the text" in text


def test_colours_come_only_when_asked_for_and_change_no_letter() -> None:
    plain, bright = (show(eventful(), color=color) for color in (False, True))
    assert "\x1b" not in plain
    assert SGR.search(bright)
    assert SGR.sub("", bright) == plain
    assert SGR.sub("", show(outcome(), color=True)) == show(outcome())


def test_no_line_ends_with_spaces() -> None:
    assert not re.search(r" $", show(eventful()), re.MULTILINE)


def test_wide_letters_keep_the_columns_straight() -> None:
    text = show(outcome(finding(path="日本.py", line=1), finding(path="abcd.py", line=2)))
    rows = [line for line in text.splitlines() if "acme_…x9" in line]
    ascii_row, wide_row = sorted(rows)
    assert wide_row.index("acme_") + 2 == ascii_row.index("acme_")


def test_the_environment_does_not_change_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    before = show(eventful())
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "300"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    assert show(eventful()) == before
