"""Policy: judge the age of a live secret by the limits of its class.

The input is a record, the entry that applies to it, and `now`. The output is one verdict on the
age, and a set of conditions. All durations are in seconds. If only bounds of the age are known, a
secret is overdue only if the lower bound is over the limit, and in time only if the upper bound is
within it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scanner.model import Severity
from scanner.policy.declarations.model import Match, SecretClass, about, period
from scanner.records import ENDLESS, Dated, Record, Rotation, Strength


class Verdict(enum.StrEnum):
    """The verdict on the age of the current value."""

    OK = "ok"
    DUE_SOON = "due-soon"
    """Its age is in the last fifth of the period."""
    GRACE = "grace"
    """It is overdue, but within the grace period."""
    OVERDUE = "overdue"
    NEVER_ROTATED = "never-rotated"
    UNDATED = "undated"
    """Unknown age: no date proves that it is in time or overdue."""
    EXPIRED = "expired"
    """It does not work any more, whatever its age."""


class Condition(enum.StrEnum):
    """Problems that do not depend on the age."""

    MISSING = "missing"
    """It is declared, but missing from the store."""
    UNMANAGED = "unmanaged"
    """It is in the store, but not declared anywhere."""
    NOT_CONFIGURED = "not-configured"
    TTL_TOO_LONG = "ttl-too-long"
    ROTATION_FAILING = "rotation-failing"
    NOT_REVOKED = "not-revoked"
    EXPIRES_SOON = "expires-soon"


class FoundCondition(NamedTuple):
    """A condition and its details."""

    condition: Condition
    detail: str


class JudgedSecret(NamedTuple):
    """A live secret and how the policy judges it.

    `secret_class` is None if the class is unknown; `owner` and `runbook` are "" if no entry names
    them. `verdict` is None without a class, and for kinds of secrets that have no age. The value is
    at least `youngest` and at most `oldest` seconds old; None means unknown. `limit` is the period
    of the class. `due` is the time of the next rotation, computed from the date that decided the
    verdict, and None if no date did.
    """

    record: Record
    secret_class: SecretClass | None
    owner: str
    runbook: str
    verdict: Verdict | None
    youngest: int | None
    oldest: int | None
    limit: int | None
    due: datetime | None
    conditions: tuple[FoundCondition, ...]


SEVERITIES: Mapping[Verdict | Condition, Severity] = {
    Verdict.GRACE: Severity.LOW,
    Verdict.OVERDUE: Severity.HIGH,
    Verdict.NEVER_ROTATED: Severity.HIGH,
    Verdict.UNDATED: Severity.MEDIUM,
    Verdict.EXPIRED: Severity.HIGH,
    Condition.MISSING: Severity.HIGH,
    Condition.UNMANAGED: Severity.LOW,
    Condition.NOT_CONFIGURED: Severity.MEDIUM,
    Condition.TTL_TOO_LONG: Severity.MEDIUM,
    Condition.ROTATION_FAILING: Severity.HIGH,
    Condition.NOT_REVOKED: Severity.HIGH,
    Condition.EXPIRES_SOON: Severity.MEDIUM,
}
_WARNING = timedelta(days=30)
"""How long before its end a secret is reported, but at most a fifth of its life."""
_SLACK = 300
"""Tolerated clock difference and delay of automatic rotation, in seconds."""
_SECOND = timedelta(seconds=1)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
"""Servers write this time or an earlier one if there is no time."""
_NO_DATE = Dated(earliest=None, latest=None, field="")
_PROOFS = {
    Strength.EXACT: "which changes only with a new value",
    Strength.BOUND: "which limits the age",
    Strength.WEAK: "which may change without a new value",
    Strength.ATTESTED: "which no store confirms",
}


def judge(
    record: Record, match: Match | None, now: datetime, *, require_exact: bool = False
) -> JudgedSecret:
    """Judge a record. `match` is None if no entry of `secrets` matches it.

    `require_exact`: only an exact date proves that a secret is in time. Its age is unknown else.
    """
    secret_class = match.secret_class if match else None
    dated = record.dated or _NO_DATE
    youngest, oldest = _age(dated.latest, now), _age(dated.earliest, now)
    verdict, due = None, None
    if secret_class and not _is_ageless(record):
        verdict = _verdict(youngest, oldest, secret_class) or _unproven(record)
        in_time = verdict in (Verdict.OK, Verdict.DUE_SOON)
        is_weak = require_exact and dated.strength is not Strength.EXACT
        if in_time and (record.expiry_unknown or is_weak):
            verdict = Verdict.UNDATED
        due = _due(verdict, dated, secret_class)
    if record.expires and record.expires <= now:
        verdict, due = Verdict.EXPIRED, None
    seen = (
        _not_configured(record.rotation, match),
        _too_long(record.lifetime, secret_class),
        _failing(record.rotation, now),
        _not_revoked(record.superseded, secret_class, now),
        _expires_soon(record, now),
    )
    return JudgedSecret(
        record=record,
        secret_class=secret_class,
        owner=match.entry.owner if match else "",
        runbook=match.entry.runbook if match else "",
        verdict=verdict,
        youngest=youngest,
        oldest=oldest,
        limit=secret_class.rotate_every if secret_class else None,
        due=due,
        conditions=tuple(filter(None, seen)),
    )


def severity_of(judged: JudgedSecret, what: Verdict | Condition) -> Severity | None:
    """The severity of a verdict or condition. None if it is not a finding."""
    if what is Verdict.OVERDUE and judged.secret_class:
        late = (judged.youngest or 0) - judged.secret_class.rotate_every
        if late > 2 * judged.secret_class.grace:
            return Severity.CRITICAL
    return SEVERITIES.get(what)


def explain(judged: JudgedSecret) -> str:
    """One line: the age, the limit of the class, and the field that the age was read from."""
    age = _age_text(judged.youngest, judged.oldest)
    if judged.secret_class:
        age += f", limit {period(judged.secret_class.rotate_every)} ({judged.secret_class.name})"
    if judged.due:
        age += f", due {utc(judged.due)}"
    if judged.verdict is Verdict.EXPIRED and judged.record.expires:
        return f"expired on {utc(judged.record.expires)}; {age}"
    more = f"; {judged.record.expiry_unknown}" if judged.record.expiry_unknown else ""
    return f"{age}; {_source_text(judged)}{more}"


def _age(moment: datetime | None, now: datetime) -> int | None:
    """Seconds since `moment`. None if there is no valid time, or if it is in the future."""
    if moment is None or moment <= _ZERO:
        return None
    age = (now - moment) // _SECOND
    return max(age, 0) if age >= -_SLACK else None


def _is_ageless(record: Record) -> bool:
    """Whether the secret only issues credentials. Then only their lifetime can be judged."""
    has_date = record.dated or record.undated or record.never
    return not has_date and record.lifetime is not None


def _verdict(youngest: int | None, oldest: int | None, wanted: SecretClass) -> Verdict | None:
    """The verdict that the bounds prove, or None.

    The lower bound is checked first, so that contradictory bounds never pass.
    """
    if youngest is not None and youngest > wanted.rotate_every:
        in_grace = youngest <= wanted.rotate_every + wanted.grace
        return Verdict.GRACE if in_grace else Verdict.OVERDUE
    if oldest is not None and oldest <= wanted.rotate_every:
        return Verdict.DUE_SOON if 5 * oldest >= 4 * wanted.rotate_every else Verdict.OK
    return None


def _unproven(record: Record) -> Verdict:
    return Verdict.NEVER_ROTATED if record.never else Verdict.UNDATED


def _due(verdict: Verdict, dated: Dated, wanted: SecretClass) -> datetime | None:
    in_time = verdict in (Verdict.OK, Verdict.DUE_SOON)
    late = verdict in (Verdict.GRACE, Verdict.OVERDUE)
    since = dated.earliest if in_time else dated.latest if late else None
    return since + timedelta(seconds=wanted.rotate_every) if since else None


def _not_configured(rotation: Rotation | None, match: Match | None) -> FoundCondition | None:
    """The secret has no class, or the store's automatic rotation is off or too rare."""
    if match is None or not match.entry.location.path:
        text = "no entry of `secrets` in keywatch.yaml matches it"
    elif match.secret_class is None:
        text = f"its entry names the unknown class {match.entry.secret_class}"
    elif match.rival:
        text = (
            f"{match.entry.location} and {match.rival.location} are equally specific and name "
            f"different classes; {match.secret_class.name} applies, because its period is the "
            "shortest"
        )
    elif rotation is None or 0 < rotation.period <= match.secret_class.rotate_every:
        return None
    elif rotation.period == 0:
        text = "the store's automatic rotation is off"
    else:
        wanted = period(match.secret_class.rotate_every)
        text = f"the store rotates it every {period(rotation.period)}, its class requires {wanted}"
    return FoundCondition(Condition.NOT_CONFIGURED, text)


def _too_long(lifetime: int | None, wanted: SecretClass | None) -> FoundCondition | None:
    if lifetime == ENDLESS:
        return FoundCondition(Condition.TTL_TOO_LONG, "the credentials that it issues never expire")
    if lifetime is None or wanted is None or lifetime <= wanted.rotate_every:
        return None
    limit = period(wanted.rotate_every)
    text = f"its credentials are valid for up to {period(lifetime)}, its class allows {limit}"
    return FoundCondition(Condition.TTL_TOO_LONG, text)


def _expires_soon(record: Record, now: datetime) -> FoundCondition | None:
    if record.expires is None or record.expires <= now:
        return None
    since = record.dated.latest if record.dated else None
    warning = min(_WARNING, (record.expires - since) / 5) if since else _WARNING
    if record.expires - now > warning:
        return None
    return FoundCondition(Condition.EXPIRES_SOON, f"it expires on {utc(record.expires)}")


def _failing(rotation: Rotation | None, now: datetime) -> FoundCondition | None:
    """The store reports a failed rotation, or the due time has passed.

    The due time is ignored if automatic rotation is off.
    """
    if rotation is None:
        return None
    late = (_age(rotation.due, now) or 0) if rotation.period else 0
    by_time = f"the store's automatic rotation is late by {about(late)}" if late > _SLACK else ""
    text = rotation.failing or by_time
    return FoundCondition(Condition.ROTATION_FAILING, text) if text else None


def _not_revoked(
    since: datetime | None, wanted: SecretClass | None, now: datetime
) -> FoundCondition | None:
    """An older credential still works after the overlap, or for an unknown time."""
    age = _age(since, now)
    if since is None or wanted is None or (age is not None and age <= wanted.overlap):
        return None
    ago = "and it is unknown since when" if age is None else f"{about(age)} after it was replaced"
    text = f"an older credential still works, {ago}; its class allows {period(wanted.overlap)}"
    return FoundCondition(Condition.NOT_REVOKED, text)


def _age_text(youngest: int | None, oldest: int | None) -> str:
    if youngest == oldest:
        return "of unknown age" if oldest is None else f"{about(oldest)} old"
    least = "" if youngest is None else f"at least {about(youngest)}"
    most = "" if oldest is None else f"at most {about(oldest)}"
    return f"{' and '.join(filter(None, (least, most)))} old"


def _source_text(judged: JudgedSecret) -> str:
    """The field that the age was read from and what it proves, or why there is no date."""
    record, dated = judged.record, judged.record.dated
    if dated is None:
        never = "the store says that it was never rotated" if record.never else ""
        return record.undated or never or "secrets of this kind have no date"
    for moment, age in ((dated.earliest, judged.oldest), (dated.latest, judged.youngest)):
        if moment and age is None:
            why = "is not a valid time" if moment <= _ZERO else "is in the future: a clock is wrong"
            return f"{dated.field} says {utc(moment)}, which {why}"
    verb = "" if dated.strength is Strength.ATTESTED else "read from "
    return f"{verb}{dated.field}, {_PROOFS[dated.strength]}"


def utc(moment: datetime) -> str:
    """Format a time for people, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
