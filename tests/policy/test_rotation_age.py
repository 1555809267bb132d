"""The age of live secrets: what each kind of time proves, and what the policy says of it.

The traps are those of real backends: times that are zero, absent, in the future, or only bounds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.configuration import repository
from scanner.model import Location, Severity
from scanner.policy.declarations.model import Match, SecretClass, SecretEntry
from scanner.policy.live import rotation_age, rules
from scanner.policy.live.rotation_age import Condition, JudgedSecret, Verdict
from scanner.records import ENDLESS, Dated, Record, Rotation, Strength

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = 86_400, 3_600, 60
CLASSES = repository.load(b"version: 1\n", "keywatch.yaml", None).classes
ENTRY = SecretEntry(
    match="vault://**",
    tags=(),
    secret_class="api-key",
    owner="@team",
    runbook="docs/rotation.md",
    location=Location.parse("keywatch.yaml:3"),
    class_location=Location.parse("keywatch.yaml:3"),
    runbook_location=Location.parse("keywatch.yaml:3"),
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def known(seconds: float) -> Dated:
    return Dated(earliest=ago(seconds), latest=ago(seconds), field="created_time")


def judged(wanted: SecretClass | str = "api-key", **record: Any) -> JudgedSecret:
    secret_class = CLASSES[wanted] if isinstance(wanted, str) else wanted
    one = Record(id="vault://prod/-/secret/app/api-keys", kind="kv-v2", **record)
    return rotation_age.judge(one, Match(entry=ENTRY, secret_class=secret_class), NOW)


def conditions(one: JudgedSecret) -> list[Condition]:
    return [seen.condition for seen in one.conditions]


@pytest.mark.parametrize(
    ("age", "verdict", "severity"),
    [
        (0, Verdict.OK, None),
        (72 * DAY - 1, Verdict.OK, None),
        (72 * DAY, Verdict.DUE_SOON, None),
        (90 * DAY, Verdict.DUE_SOON, None),
        (90 * DAY + 1, Verdict.GRACE, Severity.LOW),
        (97 * DAY, Verdict.GRACE, Severity.LOW),
        (97 * DAY + 1, Verdict.OVERDUE, Severity.HIGH),
        (104 * DAY, Verdict.OVERDUE, Severity.HIGH),
        (104 * DAY + 1, Verdict.OVERDUE, Severity.CRITICAL),
    ],
)
def test_an_age_has_one_verdict_to_the_second(
    age: int, verdict: Verdict, severity: Severity | None
) -> None:
    one = judged(dated=known(age))
    assert (one.verdict, rotation_age.severity_of(one, verdict)) == (verdict, severity)
    assert (one.youngest, one.oldest, one.limit) == (age, age, 90 * DAY)
    assert one.due == ago(age) + timedelta(days=90)
    assert (one.owner, one.runbook, one.conditions) == ("@team", "docs/rotation.md", ())


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (19 * HOUR, Verdict.OK),
        (20 * HOUR, Verdict.DUE_SOON),
        (24 * HOUR + 29 * MINUTE, Verdict.GRACE),
        (24 * HOUR + 31 * MINUTE, Verdict.OVERDUE),
    ],
)
def test_limits_of_a_day_and_a_grace_of_half_an_hour_are_kept(age: int, verdict: Verdict) -> None:
    assert judged("service-token", dated=known(age)).verdict == verdict


@pytest.mark.parametrize(
    ("least", "most", "verdict"),
    [
        (None, 10 * DAY, Verdict.OK),
        (None, 80 * DAY, Verdict.DUE_SOON),
        (None, 91 * DAY, Verdict.UNDATED),
        (None, 900 * DAY, Verdict.UNDATED),
        (10 * DAY, None, Verdict.UNDATED),
        (91 * DAY, None, Verdict.GRACE),
        (98 * DAY, None, Verdict.OVERDUE),
        (98 * DAY, 900 * DAY, Verdict.OVERDUE),
        (10 * DAY, 900 * DAY, Verdict.UNDATED),
        (10 * DAY, 80 * DAY, Verdict.DUE_SOON),
        (100 * DAY, 10 * DAY, Verdict.OVERDUE),
    ],
)
def test_a_lower_bound_proves_overdue_an_upper_bound_proves_ok_and_neither_more(
    least: int | None, most: int | None, verdict: Verdict
) -> None:
    dated = Dated(
        earliest=None if most is None else ago(most),
        latest=None if least is None else ago(least),
        field="managedFields",
        strength=Strength.BOUND,
    )
    one = judged(dated=dated)
    assert (one.verdict, one.youngest, one.oldest) == (verdict, least, most)


def test_the_due_time_is_that_of_the_bound_that_proved_the_verdict() -> None:
    in_time = judged(dated=Dated(ago(9), ago(5), "x", Strength.BOUND))
    late = judged(dated=Dated(ago(300 * DAY), ago(100 * DAY), "x", Strength.BOUND))
    neither = judged(dated=Dated(ago(300 * DAY), ago(5), "x", Strength.BOUND))
    assert in_time.due == ago(9) + timedelta(days=90)
    assert late.due == ago(10 * DAY)
    assert neither.due is None


@pytest.mark.parametrize(
    "zero",
    [datetime.min.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), None],
)
@pytest.mark.parametrize(
    ("never", "verdict"), [(False, Verdict.UNDATED), (True, Verdict.NEVER_ROTATED)]
)
def test_a_zero_or_absent_time_is_never_fresh(
    zero: datetime | None, never: bool, verdict: Verdict
) -> None:
    one = judged(dated=Dated(earliest=zero, latest=zero, field="last_rotation"), never=never)
    assert (one.verdict, one.youngest, one.oldest, one.due) == (verdict, None, None, None)


def test_a_record_without_any_date_is_not_fresh() -> None:
    assert judged().verdict == Verdict.UNDATED
    assert judged(undated="KV version 1 keeps no time").verdict == Verdict.UNDATED
    assert judged(never=True).verdict == Verdict.NEVER_ROTATED


def test_a_young_secret_that_was_never_rotated_is_as_old_as_it_is() -> None:
    assert judged(never=True, dated=known(DAY)).verdict == Verdict.OK
    assert judged(never=True, dated=known(98 * DAY)).verdict == Verdict.OVERDUE


@pytest.mark.parametrize(("ahead", "verdict"), [(299, Verdict.OK), (301, Verdict.UNDATED)])
def test_a_server_whose_clock_is_ahead_makes_no_secret_fresh(ahead: int, verdict: Verdict) -> None:
    one = judged(dated=known(-ahead))
    assert one.verdict == verdict
    assert ("a clock is wrong" in rotation_age.explain(one)) is (verdict == Verdict.UNDATED)


def test_a_bound_in_the_future_proves_nothing_and_the_other_one_still_does() -> None:
    ahead = Dated(earliest=ago(-DAY), latest=ago(98 * DAY), field="x", strength=Strength.BOUND)
    assert judged(dated=ahead).verdict == Verdict.OVERDUE
    assert "a clock is wrong" in rotation_age.explain(judged(dated=ahead))


def test_a_secret_of_no_entry_has_an_age_and_no_verdict() -> None:
    record = Record(id="vault://prod/-/secret/x", kind="kv-v2", dated=known(5 * DAY))
    one = rotation_age.judge(record, None, NOW)
    assert (one.verdict, one.youngest, one.limit, one.owner) == (None, 5 * DAY, None, "")
    assert conditions(one) == [Condition.NOT_CONFIGURED]
    assert rotation_age.explain(one).startswith("5d old; read from created_time")


def test_a_secret_of_a_class_that_there_is_not_is_not_configured() -> None:
    record = Record(id="vault://prod/-/secret/x", kind="kv-v2", dated=known(5 * DAY))
    entry = ENTRY._replace(secret_class="api-keys")
    one = rotation_age.judge(record, Match(entry=entry, secret_class=None), NOW)
    assert (one.verdict, one.owner) == (None, "@team")
    assert one.conditions[0].detail == "its entry names the unknown class api-keys"


@pytest.mark.parametrize(
    ("period", "wanted"),
    [
        (0, [Condition.NOT_CONFIGURED]),
        (30 * DAY, []),
        (90 * DAY, []),
        (90 * DAY + 1, [Condition.NOT_CONFIGURED]),
    ],
)
def test_an_engine_that_could_rotate_and_does_not_or_too_seldom_is_not_configured(
    period: int, wanted: list[Condition]
) -> None:
    one = judged(dated=known(DAY), rotation=Rotation(period=period))
    assert (one.verdict, conditions(one)) == (Verdict.OK, wanted)


@pytest.mark.parametrize(
    ("rotation_of", "fails"),
    [
        (Rotation(period=HOUR, due=ago(301)), True),
        (Rotation(period=HOUR, due=ago(299)), False),
        (Rotation(period=HOUR, due=ago(-HOUR)), False),
        (Rotation(period=HOUR, due=datetime.min.replace(tzinfo=UTC)), False),
        (Rotation(period=HOUR, failing="the user does not exist"), True),
        (Rotation(period=HOUR), False),
    ],
)
def test_a_rotation_whose_time_went_by_without_a_new_value_fails(
    rotation_of: Rotation, fails: bool
) -> None:
    one = judged(dated=known(HOUR), rotation=rotation_of)
    assert (Condition.ROTATION_FAILING in conditions(one)) is fails


def test_rules_that_are_left_of_a_cancelled_rotation_do_not_fail() -> None:
    one = judged(dated=known(DAY), rotation=Rotation(period=0, due=ago(30 * DAY)))
    assert conditions(one) == [Condition.NOT_CONFIGURED]


@pytest.mark.parametrize(
    ("lifetime", "too_long"),
    [(None, False), (HOUR, False), (90 * DAY, False), (90 * DAY + 1, True), (ENDLESS, True)],
)
def test_what_is_issued_must_not_outlive_its_class(lifetime: int | None, too_long: bool) -> None:
    one = judged(dated=known(DAY), lifetime=lifetime)
    assert (Condition.TTL_TOO_LONG in conditions(one)) is too_long


def test_a_dynamic_role_has_no_age_and_its_lifetime_is_judged() -> None:
    one = judged("db-credential", lifetime=HOUR)
    assert (one.verdict, one.conditions) == (None, ())
    endless = judged("db-credential", lifetime=ENDLESS)
    assert (endless.verdict, conditions(endless)) == (None, [Condition.TTL_TOO_LONG])


def test_a_credential_that_never_ends_is_too_long_for_any_class() -> None:
    one = rotation_age.judge(Record(id="vault://x", kind="token", lifetime=ENDLESS), None, NOW)
    assert Condition.TTL_TOO_LONG in conditions(one)
    short = rotation_age.judge(Record(id="vault://x", kind="token", lifetime=9 * DAY), None, NOW)
    assert Condition.TTL_TOO_LONG not in conditions(short)


@pytest.mark.parametrize(
    ("overlap", "since", "works_too_long"),
    [
        (None, 7 * DAY, False),
        (None, 7 * DAY + 1, True),
        (HOUR, 2 * HOUR, True),
        (30 * DAY, 20 * DAY, False),
    ],
)
def test_an_old_credential_may_work_as_long_as_the_grace_or_the_overlap_says(
    overlap: int | None, since: int, works_too_long: bool
) -> None:
    wanted = CLASSES["api-key"]
    if overlap is not None:
        wanted = wanted._replace(overlap=overlap)
    one = judged(wanted, dated=known(DAY), superseded=ago(since))
    assert (Condition.NOT_REVOKED in conditions(one)) is works_too_long


def test_an_old_credential_that_works_since_an_impossible_time_is_not_excused() -> None:
    for since in (datetime.min.replace(tzinfo=UTC), ago(-DAY)):
        one = judged(dated=known(DAY), superseded=since)
        assert conditions(one) == [Condition.NOT_REVOKED]
        assert "it is unknown since when" in one.conditions[0].detail


def test_overlap_is_the_grace_where_a_class_does_not_say_it() -> None:
    text = b"version: 1\nclasses:\n  a: {rotate_every: 9d, grace: 2h}\n"
    text += b"  b: {rotate_every: 9d, grace: 2h, overlap: 0s}\n"
    classes = repository.load(text, "keywatch.yaml", None).classes
    assert (classes["a"].overlap, classes["b"].overlap) == (2 * HOUR, 0)


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (
            {"dated": known(91 * DAY + 3 * HOUR + 1)},
            (
                "91d3h old, limit 90d (api-key), due 2026-11-23 08:59 UTC; read from created_time, "
                "which changes only with a new value"
            ),
        ),
        (
            {"dated": Dated(None, ago(DAY), "LastModifiedDate", Strength.WEAK)},
            (
                "at least 24h old, limit 90d (api-key); read from LastModifiedDate, which may "
                "change without a new value"
            ),
        ),
        (
            {"dated": Dated(ago(400 * DAY), ago(DAY), "managedFields", Strength.BOUND)},
            (
                "at least 24h and at most 400d old, limit 90d (api-key); read from managedFields, "
                "which limits the age"
            ),
        ),
        (
            {"undated": "KV version 1 keeps no time: move it to version 2"},
            (
                "of unknown age, limit 90d (api-key); KV version 1 keeps no time: move it to "
                "version 2"
            ),
        ),
        (
            {"never": True},
            ("of unknown age, limit 90d (api-key); the store says that it was never rotated"),
        ),
        ({}, "of unknown age, limit 90d (api-key); secrets of this kind have no date"),
        (
            {"dated": Dated(datetime(1970, 1, 1, tzinfo=UTC), None, "creation_time")},
            (
                "of unknown age, limit 90d (api-key); creation_time says 1970-01-01 00:00 UTC, "
                "which is not a valid time"
            ),
        ),
    ],
)
def test_an_explanation_names_age_limit_field_and_what_that_proves(
    record: dict[str, Any], wanted: str
) -> None:
    assert rotation_age.explain(judged(**record)) == wanted


TIMES = st.none() | st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis wants it bare
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(earliest=TIMES, latest=TIMES, true_age=st.integers(0, 200 * DAY))
def test_no_verdict_contradicts_a_value_that_lies_within_its_bounds(
    earliest: datetime | None, latest: datetime | None, true_age: int
) -> None:
    value = ago(true_age)
    within = (earliest is None or earliest <= value) and (latest is None or value <= latest)
    one = judged(dated=Dated(earliest=earliest, latest=latest, field="x", strength=Strength.BOUND))
    if within and one.verdict in (Verdict.OK, Verdict.DUE_SOON):
        assert true_age <= 90 * DAY
    if within and one.verdict == Verdict.OVERDUE:
        assert true_age > 97 * DAY


def test_each_verdict_and_condition_that_is_a_finding_has_a_rule_of_its_severity() -> None:
    said = {*Verdict, *Condition} - {Verdict.OK, Verdict.DUE_SOON}
    assert set(rules.OF) == said
    nothing = judged(dated=known(0))
    for what, rule in rules.OF.items():
        assert rotation_age.severity_of(nothing, what) == rule.severity
    assert len(rules.BY_ID) == len(rules.RULES)


@pytest.mark.parametrize(
    ("left", "verdict", "expected"),
    [
        (-1, Verdict.EXPIRED, []),
        (0, Verdict.EXPIRED, []),
        (DAY, Verdict.OK, [Condition.EXPIRES_SOON]),
        (30 * DAY, Verdict.OK, [Condition.EXPIRES_SOON]),
        (31 * DAY, Verdict.OK, []),
    ],
)
def test_an_expired_secret_is_never_ok_and_its_end_is_announced(
    left: float, verdict: Verdict, expected: list[Condition]
) -> None:
    # Its validity began long ago, so the warning time is the full 30 days.
    dated = known(DAY)._replace(latest=None, strength=Strength.BOUND)
    one = judged(dated=dated, expires=ago(-left))
    assert (one.verdict, conditions(one)) == (verdict, expected)
    assert ("expired on" in rotation_age.explain(one)) is (verdict is Verdict.EXPIRED)


def test_a_short_lived_certificate_is_announced_in_the_last_fifth_of_its_life() -> None:
    for hours, expected in ((19, []), (20, [Condition.EXPIRES_SOON])):
        one = judged(dated=known(hours * HOUR), expires=ago(hours * HOUR - DAY))
        assert conditions(one) == expected


def test_an_expired_secret_without_a_class_is_expired_too() -> None:
    record = Record(id="vault://prod/-/pki/issuer/x", kind="pki-issuer", expires=ago(1))
    assert rotation_age.judge(record, None, NOW).verdict == Verdict.EXPIRED


def test_a_certificate_whose_end_is_unknown_is_not_in_time() -> None:
    one = judged(dated=known(DAY), expiry_unknown="its end cannot be read")
    assert one.verdict == Verdict.UNDATED
    assert rotation_age.explain(one).endswith("its end cannot be read")
    late = judged(dated=known(365 * DAY), expiry_unknown="its end cannot be read")
    assert late.verdict == Verdict.OVERDUE


@pytest.mark.parametrize("strength", Strength)
def test_only_an_exact_date_is_in_time_where_that_is_required(strength: Strength) -> None:
    match = Match(entry=ENTRY, secret_class=CLASSES["api-key"])
    for days, other in ((1, Verdict.UNDATED), (365, Verdict.OVERDUE)):
        dated = known(days * DAY)._replace(strength=strength)
        record = Record(id="vault://prod/-/secret/app", kind="kv-v2", dated=dated)
        verdict = rotation_age.judge(record, match, NOW, require_exact=True).verdict
        exact = Verdict.OK if days == 1 else Verdict.OVERDUE
        assert verdict == (exact if strength is Strength.EXACT else other)
