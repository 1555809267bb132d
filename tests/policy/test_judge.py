"""The judge: which exception covers which finding, and what is said of the exceptions."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.model import (
    AllowComment,
    Confidence,
    Gap,
    Location,
    Observation,
    Outcome,
    Severity,
    Skip,
    Suppression,
)
from scanner.policy.baselines.detect_secrets_baseline import DetectSecretsBaseline
from scanner.policy.baselines.keywatch_baseline import Baseline, entries_of
from scanner.policy.exceptions.accepted_gaps import AcceptedGap
from scanner.policy.exceptions.allow_entries import AllowEntry
from scanner.policy.exceptions.foreign_comments import LegacyPragmas
from scanner.policy.judge import judge
from scanner.policy.rules import RULES
from tests.support.policy_values import (
    LATER,
    NOW,
    PAST,
    comment,
    covered,
    finding,
    found,
    kinds,
    match,
    pragma,
    seen,
)


def verdict(*observations: Observation, whole_tree: bool = True, **more: Any) -> Outcome:
    return judge(observations, whole_tree=whole_tree, **{"now": NOW, **more})


def entry(observation: Observation, number: int = 0, **more: Any) -> AllowEntry:
    """The entry that `keywatch allow` would write for one finding."""
    target = observation.findings[number]
    fields: dict[str, Any] = {
        "fingerprint": target.fingerprint,
        "rule": target.rule,
        "path": target.location.path,
        "reason": "rotated",
        "owner": "@team",
        "until": LATER,
        "location": Location.parse("keywatch.yaml:4"),
        "tag": target.tag,
    }
    return AllowEntry(**fields | more)


def debt(*observations: Observation) -> Baseline:
    """The baseline that covers all of them."""
    entries = entries_of(f for each in observations for f in each.findings)
    return Baseline(
        path=".keywatch.baseline", entries=entries, lines=tuple(range(2, len(entries) + 2))
    )


def test_a_finding_without_an_exception_stands() -> None:
    outcome = verdict(seen(finding(line=3)))
    assert found(outcome) == [("generic-password", 3)]
    assert outcome.suppressed == ()
    assert outcome.register == ()


# Comments


def test_a_comment_covers_a_finding_of_its_rule_on_its_line() -> None:
    outcome = verdict(seen(finding(line=3), comments=(comment(3),)))
    assert found(outcome) == []
    assert covered(outcome) == [("comment", 3)]
    assert outcome.register == (
        Suppression(
            by="comment",
            location=Location.parse("app.py:3"),
            rule="generic-password",
            path="app.py",
            reason="test data",
            owner="@team",
            until=LATER,
        ),
    )


@pytest.mark.parametrize(
    "other",
    [
        comment(2),
        comment(3, rule="aws-access-key"),
        comment(3, path="other.py"),
        comment(3, problem="it has no reason"),
    ],
    ids=["other line", "other rule", "other file", "malformed"],
)
def test_a_comment_covers_nothing_else(other: AllowComment) -> None:
    outcome = verdict(
        seen(finding(line=3)), seen(path=other.path, comments=(other,)), whole_tree=False
    )
    assert ("generic-password", 3) in found(outcome)
    assert covered(outcome) == []


def test_a_comment_covers_one_finding_and_not_its_neighbour_on_the_line() -> None:
    both = seen(finding("a", line=3), finding("b", line=3, column=40), comments=(comment(3),))
    outcome = verdict(both)
    assert covered(outcome) == [("comment", 3)]
    assert [each.location.column for each in outcome.findings] == [40]


def test_two_comments_cover_two_findings_on_one_line() -> None:
    both = seen(
        finding("a", line=3),
        finding("b", line=3, column=40),
        comments=(comment(3, line=2), comment(3)),
    )
    assert found(verdict(both)) == []


def test_a_comment_at_either_end_of_a_block_covers_it() -> None:
    for line in (3, 9):
        block = seen(finding(line=3, lines=7), comments=(comment(line),))
        assert found(verdict(block)) == []


def test_a_malformed_comment_is_a_finding_that_says_what_is_wrong() -> None:
    outcome = verdict(seen(comments=(comment(3, problem="it has no owner"),)), whole_tree=False)
    assert found(outcome) == [("allow-invalid", 3)]
    assert outcome.findings[0].detail == "it has no owner"
    assert outcome.findings[0].fingerprint


# Entries of keywatch.yaml


def test_an_entry_covers_the_finding_that_it_names() -> None:
    two = seen(finding("a", line=3), finding("b", line=7))
    outcome = verdict(two, entries=[entry(two, 1)])
    assert found(outcome) == [("generic-password", 3)]
    assert covered(outcome) == [("entry", 7)]


def test_an_entry_may_hold_the_short_form_of_the_fingerprint() -> None:
    one = seen(finding("a"))
    short = entry(one, fingerprint=one.findings[0].id)
    assert found(verdict(one, entries=[short])) == []


def test_a_new_value_in_the_place_of_an_allowed_one_is_a_finding() -> None:
    before, after = seen(finding("a", line=3)), seen(finding("b", line=3))
    outcome = verdict(after, entries=[entry(before)])
    assert found(outcome) == [("generic-password", 3), ("allow-unused", 4)]


def test_an_entry_follows_its_value_past_a_new_one_before_it() -> None:
    before = seen(finding("old", line=3))
    after = seen(finding("new", line=1), finding("old", line=5))
    outcome = verdict(after, entries=[entry(before)])
    assert found(outcome) == [("generic-password", 1)]
    assert covered(outcome) == [("entry", 5)]


def test_an_entry_follows_its_value_when_an_earlier_one_goes_or_the_name_changes() -> None:
    before = seen(finding("gone", line=3), finding("kept", line=5))
    after = seen(finding("kept", line=2, context="db_password"))
    assert found(verdict(after, entries=[entry(before, 1)])) == []


def test_of_two_places_with_one_value_the_entry_covers_the_one_it_names() -> None:
    two = seen(finding("same", line=3), finding("same", line=7))
    assert covered(verdict(two, entries=[entry(two, 1)])) == [("entry", 7)]
    assert covered(verdict(two, entries=[entry(two, 0)])) == [("entry", 3)]


def test_an_entry_without_a_tag_covers_by_identity_alone() -> None:
    before = seen(finding("", context="spec.replicas"))
    other = seen(finding("", context="spec.other"))
    assert found(verdict(before, entries=[entry(before)])) == []
    assert ("generic-password", 1) in found(verdict(other, entries=[entry(before)]))


# The end of an exception


def ends(until: str, **more: Any) -> Outcome:
    return verdict(seen(finding(line=3), comments=(comment(3, until=until),)), **more)


def test_an_exception_holds_through_its_last_day_in_utc() -> None:
    last = datetime.fromisoformat("2026-12-31T23:59:59+00:00")
    assert found(ends("2026-12-31", now=last)) == []
    new_year_in_tokyo = datetime.fromisoformat("2027-01-01T08:00:00+09:00")
    assert found(ends("2026-12-31", now=new_year_in_tokyo)) == []
    over = datetime(2027, 1, 1, tzinfo=UTC)
    assert ("generic-password", 3) in found(ends("2026-12-31", now=over))


def test_in_the_whole_tree_an_expired_exception_covers_nothing_and_is_a_finding() -> None:
    outcome = ends(PAST)
    assert found(outcome) == [("allow-expired", 3), ("generic-password", 3)]
    assert "2026-11-23" in outcome.findings[0].detail
    assert "@team" in outcome.findings[0].detail


def test_in_a_hook_an_expired_exception_still_covers_and_warns() -> None:
    outcome = ends(PAST, whole_tree=False)
    assert found(outcome) == []
    assert covered(outcome) == [("comment", 3)]
    assert kinds(outcome.notes) == ["allow-expired"]


def test_a_renewed_exception_makes_the_expired_one_superfluous() -> None:
    one = seen(finding("a", line=3))
    old = entry(one, until=PAST, location=Location.parse("keywatch.yaml:4"))
    new = entry(one, location=Location.parse("keywatch.yaml:9"))
    outcome = verdict(one, entries=[old, new])
    assert found(outcome) == [("allow-unused", 4)]


def test_what_a_baseline_covers_needs_no_expired_exception() -> None:
    one = seen(finding("a", line=3), comments=(comment(3, until=PAST),))
    assert found(verdict(one, baseline=debt(one))) == [("allow-unused", 3)]


@pytest.mark.parametrize(("until", "said"), [("2026-12-08", ["allow-ending"]), ("2026-12-09", [])])
def test_an_end_is_announced_14_days_before(until: str, said: list[str]) -> None:
    for whole_tree in (True, False):
        outcome = ends(until, whole_tree=whole_tree)
        assert kinds(outcome.notes) == said
        assert found(outcome) == []


# Unused exceptions


def test_an_unused_exception_is_a_finding_in_the_whole_tree_alone() -> None:
    idle = seen(comments=(comment(3),))
    assert found(verdict(idle)) == [("allow-unused", 3)]
    assert found(verdict(idle, whole_tree=False)) == []


def test_an_exception_for_a_rule_that_did_not_run_is_not_called_unused() -> None:
    idle = seen(comments=(comment(3),))
    assert found(verdict(idle, idle_rules={"generic-password"})) == []


def test_an_exception_for_a_file_that_could_not_be_read_is_not_called_unused() -> None:
    one = seen(finding("a"))
    gap = Gap(kind="unreadable", path="app.py", reason="no rights")
    outcome = verdict(entries=[entry(one)], gaps=[gap], baseline=debt(one))
    assert found(outcome) == []
    assert outcome.notes == ()


def test_an_exception_for_a_finding_below_the_asked_confidence_is_in_use() -> None:
    one = seen(finding("a", confidence=Confidence.LOW), comments=(comment(1),))
    assert found(verdict(one, min_confidence=Confidence.MEDIUM)) == []


def test_a_hook_does_not_list_what_it_cannot_judge() -> None:
    one, other = seen(finding("a")), seen(finding("b"), path="other.py")
    outcome = verdict(
        one, whole_tree=False, entries=[entry(one), entry(other)], baseline=debt(one, other)
    )
    assert [(each.by, each.path) for each in outcome.register] == [("entry", "app.py")]


# Allow comments of other tools


def test_a_foreign_comment_covers_its_whole_line_and_is_counted() -> None:
    line = seen(
        finding("a", line=3), finding("b", line=3, rule="aws-access-key"), comments=(pragma(3),)
    )
    outcome = verdict(line)
    assert found(outcome) == []
    assert covered(outcome) == [("pragma", 3), ("pragma", 3)]
    assert kinds(outcome.notes) == ["legacy-pragmas"]
    assert [(each.by, str(each.location), each.reason) for each in outcome.register] == [
        ("pragma", "app.py:3", "")
    ]


def test_a_foreign_comment_can_be_accepted_silently_or_refused() -> None:
    line = seen(finding("a", line=3), comments=(pragma(3),))
    silent = verdict(line, legacy_pragmas=LegacyPragmas.ALLOW)
    assert (found(silent), silent.notes, len(silent.register)) == ([], (), 1)
    refused = verdict(line, legacy_pragmas=LegacyPragmas.REFUSE)
    assert found(refused) == [("generic-password", 3)]


def test_an_unused_foreign_comment_is_listed_and_is_no_finding() -> None:
    outcome = verdict(seen(comments=(pragma(3),)))
    assert found(outcome) == []
    assert [each.used for each in outcome.register] == [False]


# Baselines


def test_a_baseline_covers_its_findings_wherever_their_lines_go() -> None:
    before = seen(finding("a", line=3), finding("b", line=9, rule="aws-access-key"))
    after = seen(finding("b", line=4, rule="aws-access-key"), finding("a", line=70))
    outcome = verdict(after, baseline=debt(before))
    assert found(outcome) == []
    assert {each.by for each in outcome.register} == {"baseline"}
    assert outcome.notes == ()


def test_a_new_value_in_a_baselined_place_is_a_finding() -> None:
    outcome = verdict(seen(finding("b", line=3)), baseline=debt(seen(finding("a", line=3))))
    assert found(outcome) == [("generic-password", 3)]
    assert kinds(outcome.notes) == ["stale-baseline"]


def test_a_new_secret_before_a_baselined_one_is_the_one_reported() -> None:
    before = seen(finding("old", line=3))
    after = seen(finding("new", line=1), finding("old", line=4))
    outcome = verdict(after, baseline=debt(before))
    assert found(outcome) == [("generic-password", 1)]
    assert covered(outcome) == [("baseline", 4)]


def test_a_baseline_line_covers_one_copy_of_a_value() -> None:
    once = seen(finding("a", line=3))
    twice = seen(finding("a", line=3), finding("a", line=8))
    assert len(found(verdict(twice, baseline=debt(once)))) == 1
    assert found(verdict(twice, baseline=debt(twice))) == []


def test_a_baselined_finding_does_not_cover_the_same_value_in_another_file_or_rule() -> None:
    debts = debt(seen(finding("a")))
    elsewhere = seen(finding("a"), path="other.py")
    otherwise = seen(finding("a", rule="aws-access-key"))
    assert len(found(verdict(elsewhere, baseline=debts))) == 1
    assert len(found(verdict(otherwise, baseline=debts))) == 1


def test_a_finding_without_a_value_is_baselined_by_its_name() -> None:
    before = seen(finding("", context="spec.token"))
    assert found(verdict(before, baseline=debt(before))) == []
    renamed = seen(finding("", context="spec.key"))
    assert len(found(verdict(renamed, baseline=debt(before)))) == 1


def test_the_judges_own_findings_never_reach_a_baseline() -> None:
    outcome = verdict(seen(finding("a"), comments=(comment(3),)))
    assert {each.rule for each in outcome.findings} == {"generic-password", "allow-unused"}
    assert [each.rule for each in entries_of(outcome.findings)] == ["generic-password"]


# The baseline of detect-secrets


def detect_secrets_debt(
    *keys: tuple[str, str, str], label: bool | None = None
) -> DetectSecretsBaseline:
    return DetectSecretsBaseline(path=".secrets.baseline", labels=dict.fromkeys(keys, label))


def key(value: str, kind: str = "Secret Keyword") -> tuple[str, str, str]:
    return ("app.py", kind, match(value).hashed_secret)


@pytest.mark.parametrize("label", [None, True, False])
def test_an_entry_of_detect_secrets_covers_whatever_its_label(label: bool | None) -> None:
    one = seen(finding("a", line=3, detect_secrets=(match("a"),)))
    outcome = verdict(one, detect_secrets_baseline=detect_secrets_debt(key("a"), label=label))
    assert found(outcome) == []
    assert covered(outcome) == [("detect-secrets-baseline", 3)]


def test_one_entry_of_detect_secrets_covers_every_place_of_its_value_in_the_file() -> None:
    two = seen(
        finding("a", line=3, detect_secrets=(match("a"),)),
        finding("a", line=9, detect_secrets=(match("a"),)),
    )
    assert found(verdict(two, detect_secrets_baseline=detect_secrets_debt(key("a")))) == []


def test_a_new_value_is_a_finding_although_its_line_is_in_the_file_of_detect_secrets() -> None:
    new = seen(finding("b", line=3, detect_secrets=(match("b"),)))
    outcome = verdict(new, detect_secrets_baseline=detect_secrets_debt(key("a")))
    assert found(outcome) == [("generic-password", 3)]
    assert kinds(outcome.notes) == ["stale-baseline"]


def test_what_detect_secrets_would_stop_is_not_covered_by_half_of_its_matches() -> None:
    both = (match("a"), match("a", kind="Hex High Entropy String"))
    one = seen(finding("a", line=3, detect_secrets=both))
    half = verdict(one, detect_secrets_baseline=detect_secrets_debt(key("a")))
    assert found(half) == [("generic-password", 3)]
    whole = detect_secrets_debt(key("a"), key("a", "Hex High Entropy String"))
    assert found(verdict(one, detect_secrets_baseline=whole)) == []


def test_either_baseline_covers_a_finding_of_both_layers() -> None:
    one = seen(finding("a", line=3, detect_secrets=(match("a"),)))
    neither = detect_secrets_debt()
    assert found(verdict(one, baseline=debt(one), detect_secrets_baseline=neither)) == []
    assert found(verdict(one, detect_secrets_baseline=detect_secrets_debt(key("a")))) == []


def test_a_finding_of_ours_alone_is_not_covered_by_the_file_of_detect_secrets() -> None:
    assert (
        len(
            found(
                verdict(seen(finding("a")), detect_secrets_baseline=detect_secrets_debt(key("a")))
            )
        )
        == 1
    )


# Gaps


def accepted(**more: Any) -> AcceptedGap:
    fields = {
        "kind": "unreadable",
        "path": "vendor/**",
        "reason": "encrypted at rest",
        "owner": "@team",
        "until": LATER,
        "location": Location.parse("keywatch.yaml:9"),
    }
    return AcceptedGap(**fields | more)


GAP = Gap(kind="unreadable", path="vendor/a/b.bin", reason="no rights")


def test_an_accepted_gap_leaves_the_run_complete_and_stays_on_record() -> None:
    outcome = verdict(gaps=[GAP], accepted_gaps=[accepted()])
    assert outcome.complete
    assert kinds(outcome.notes) == ["gap-accepted"]
    assert [(each.by, each.rule, each.reason) for each in outcome.register] == [
        ("accepted-gap", "unreadable", "encrypted at rest")
    ]


@pytest.mark.parametrize("other", [accepted(kind="changed"), accepted(path="src/**")])
def test_an_acceptance_holds_for_its_kind_and_path_alone(other: AcceptedGap) -> None:
    outcome = verdict(gaps=[GAP], accepted_gaps=[other])
    assert outcome.gaps == (GAP,)
    assert found(outcome) == [("allow-unused", 9)]


@pytest.mark.parametrize("whole_tree", [True, False])
def test_past_its_end_an_acceptance_counts_for_nothing(whole_tree: bool) -> None:
    outcome = verdict(gaps=[GAP], accepted_gaps=[accepted(until=PAST)], whole_tree=whole_tree)
    assert not outcome.complete
    assert found(outcome) == ([("allow-expired", 9)] if whole_tree else [])
    assert kinds(outcome.notes) == ([] if whole_tree else ["allow-expired"])


def test_the_gaps_that_detection_saw_count_too() -> None:
    big = seen()._replace(gaps=(Gap(kind="too-many-findings", path="app.py", reason="10,001"),))
    assert verdict(big).gaps == big.gaps


# The rest of an Outcome


def test_findings_below_the_asked_confidence_are_counted() -> None:
    two = seen(finding("a"), finding("b", line=2, confidence=Confidence.LOW))
    outcome = verdict(two, min_confidence=Confidence.MEDIUM)
    assert found(outcome) == [("generic-password", 1)]
    assert kinds(outcome.notes) == ["below-confidence"]
    assert "low confidence: 1 " in outcome.notes[0].text


def test_skips_are_counted_by_kind() -> None:
    skips = [Skip(kind="binary", path="b"), Skip(kind="excluded", path="a")]
    outcome = verdict(seen(), skips=skips)
    assert [each.path for each in outcome.skips] == ["a", "b"]
    assert outcome.coverage.skipped == {"binary": 1, "excluded": 1}
    assert outcome.coverage.files == 1


def test_what_is_switched_off_goes_to_the_register_as_it_is() -> None:
    off = Suppression(
        by="rule-disabled", location=Location.parse("keywatch.yaml:7"), rule="generic-password"
    )
    assert verdict(standing=[off]).register == (off,)


def test_every_rule_of_the_judge_says_what_to_do() -> None:
    for rule in RULES:
        assert rule.why
        assert rule.fix or rule.purge
        assert rule.severity <= Severity.MEDIUM


values = st.sampled_from("abc")
places = st.integers(1, 6)
findings = st.builds(
    lambda value, line, column, rule: finding(value, line=line, column=column, rule=rule),
    values,
    places,
    st.integers(1, 3),
    st.sampled_from(["generic-password", "aws-access-key"]),
)
comments = st.one_of(
    st.builds(
        lambda line, until: comment(line, until=until), places, st.sampled_from([LATER, PAST])
    ),
    st.builds(pragma, places),
)
files = st.builds(
    lambda path, found, said: seen(
        *sorted(found, key=lambda f: (f.location.line, f.location.column)),
        path=path,
        comments=tuple(each._replace(path=path) for each in said),
    ),
    st.sampled_from(["a.py", "b/c.py", "d\udcff.py"]),
    st.lists(findings, max_size=6),
    st.lists(comments, max_size=3, unique_by=lambda each: each.line),
)
trees = st.lists(files, max_size=3, unique_by=lambda each: each.path)


@given(trees, trees, st.booleans(), st.integers())
def test_the_order_of_what_was_seen_changes_nothing(
    tree: list[Observation], before: list[Observation], whole_tree: bool, seed: int
) -> None:
    mixed = [
        each._replace(
            findings=tuple(random.Random(seed).sample(each.findings, len(each.findings))),
            comments=each.comments[::-1],
        )
        for each in tree[::-1]
    ]
    arguments: dict[str, Any] = {
        "baseline": debt(*before),
        "entries": [entry(each) for each in before if each.findings],
        "whole_tree": whole_tree,
    }
    assert verdict(*tree, **arguments) == verdict(*mixed, **arguments)


@given(trees, trees, st.booleans())
def test_every_finding_either_stands_or_is_covered_once(
    tree: list[Observation], before: list[Observation], whole_tree: bool
) -> None:
    outcome = verdict(*tree, baseline=debt(*before), whole_tree=whole_tree)
    own = {rule.id for rule in RULES}
    stands = [each for each in outcome.findings if each.rule not in own]
    both = [*stands, *(each.finding for each in outcome.suppressed)]
    assert sorted(map(repr, both)) == sorted(repr(f) for each in tree for f in each.findings)


@given(trees)
def test_what_was_baselined_is_covered_and_a_new_value_is_not(tree: list[Observation]) -> None:
    bare = [each._replace(comments=()) for each in tree]
    whole = verdict(*bare, baseline=debt(*bare))
    assert (whole.findings, whole.notes) == ((), ())
    new = seen(finding("new", line=1), *(bare[0].findings if bare else ()))
    path = bare[0].path if bare else "app.py"
    outcome = verdict(seen(*new.findings, path=path), *bare[1:], baseline=debt(*bare))
    assert [each.tag for each in outcome.findings] == [finding("new").tag]
