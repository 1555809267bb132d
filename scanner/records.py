"""Ground: the types of the live side: what a backend says about a secret. Metadata, never a value.

They are not in `model.py`, because a hook does not need them. Times are in UTC and have a time
zone, durations are in seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

_ZERO_YEAR = 1970  # of the zero times of servers: the year 1 or 1970
ENDLESS = -1
"""Instead of a number of seconds: it never expires."""


class Strength(enum.StrEnum):
    """How much a date says about the current value."""

    EXACT = "exact"
    """It changes only with the value."""
    BOUND = "bound"
    """It is a lower or upper limit of the value's age."""
    WEAK = "weak"
    """It can also change without a new value."""
    ATTESTED = "attested"
    """A named person says so, and no store confirms it."""


class Dated(NamedTuple):
    """When the current value was set: not before `earliest` and not after `latest`.

    Both are equal if the exact time is known. None means that there is no limit on that side.
    `field` is the backend's name of the field that the date comes from, or `attested by NAME`.
    """

    earliest: datetime | None
    latest: datetime | None
    field: str
    strength: Strength = Strength.EXACT


class Rotation(NamedTuple):
    """The backend's own automatic rotation.

    `period` is 0 if it is off. `due` is the time of the next rotation. `failing` says why it fails,
    "" if it works.
    """

    period: int
    due: datetime | None = None
    failing: str = ""


class ValueMark(NamedTuple):
    """When audits saw a value whose store gives no date, but a mark that changes with the value.

    `mark` tells two values apart and is too short to confirm a guess. `by` is the time of the first
    audit that saw it, `last` that of the latest. `after` is the time of the last audit that saw the
    previous value, None if there was none.
    """

    mark: str
    after: datetime | None
    by: datetime
    last: datetime


class Fault(NamedTuple):
    """Another problem with a live secret that its backend found.

    `rule` is the ID of a rule in policy/live/rules.py, `detail` says what was found.
    """

    rule: str
    detail: str


class Record(NamedTuple):
    """One live secret.

    `id` is its canonical ID, without `#key`. `kind` is the backend's kind of secret, for example
    `kv-v2`, `database-static-role` or `iam-access-key`. `dated` is None if its age is unknown;
    `undated` then says why, and what would help. `never`: the backend says that it was never
    rotated. `tags` are labels, tags and custom metadata. `keys` are the names of the value's keys,
    None if they were not read. `rotation` is None if the backend does not rotate this kind.

    `lifetime` is the longest life of a credential that it issues, ENDLESS, or None if it issues
    none. `superseded`: since when an older credential that still works is no longer the current
    one. `stale`: the consumers that still use the previous value. `value_mark` is stored for the
    next audit. `expires`: when it stops working by itself. `expiry_unknown` says why its end cannot
    be read although it has one.
    """

    id: str
    kind: str
    dated: Dated | None = None
    undated: str = ""
    never: bool = False
    tags: Mapping[str, str] = MappingProxyType({})
    keys: tuple[str, ...] | None = None
    rotation: Rotation | None = None
    lifetime: int | None = None
    superseded: datetime | None = None
    stale: tuple[str, ...] = ()
    value_mark: ValueMark | None = None
    faults: tuple[Fault, ...] = ()
    expires: datetime | None = None
    expiry_unknown: str = ""


def on_our_clock(record: Record, ahead: timedelta) -> Record:
    """The record of a server whose clock is `ahead` of this machine's, with the times of ours."""
    dated, rotation = record.dated, record.rotation
    if dated:
        dated = dated._replace(
            earliest=_earlier(dated.earliest, ahead), latest=_earlier(dated.latest, ahead)
        )
    if rotation:
        rotation = rotation._replace(due=_earlier(rotation.due, ahead))
    return record._replace(
        dated=dated,
        rotation=rotation,
        superseded=_earlier(record.superseded, ahead),
        expires=_earlier(record.expires, ahead),
    )


def _earlier(moment: datetime | None, span: timedelta) -> datetime | None:
    """None, and the zero times that stand for no time, stay as they are."""
    return moment - span if moment and moment.year > _ZERO_YEAR else moment


class Resource(NamedTuple):
    """The live secret that a finding is about. `owner` is "" if there is none.

    `as_of` is the time (ISO 8601) of the earlier run that found it, if this run could not check it
    again, otherwise "".
    """

    id: str
    owner: str = ""
    runbook: str = ""
    as_of: str = ""


class Status(NamedTuple):
    """The judged state of one live secret, as reports show it.

    `verdict` and `conditions` are words of policy/live/rotation_age.py. The verdict is "" for kinds
    without an age. Class and owner are "" if no entry matches. The value is between `youngest` and
    `oldest` seconds old, according to `field`; None if that is unknown. `grace` is the time after
    `limit` in which a late rotation is only a warning, None if no class says so.
    """

    id: str
    backend: str
    kind: str
    secret_class: str = ""
    owner: str = ""
    verdict: str = ""
    conditions: tuple[str, ...] = ()
    youngest: int | None = None
    oldest: int | None = None
    limit: int | None = None
    due: datetime | None = None
    field: str = ""
    strength: str = ""
    grace: int | None = None


class Reach(NamedTuple):
    """How much of a backend was read: `read` of `known` secrets.

    `unread` counts what was not read, by kind of gap. `last_success` is when the backend was last
    read completely, None if that is unknown. `problem` says why it was not read, or not to its end,
    and `remedy` what to do first; "" if nothing concerns the whole backend.
    """

    backend: str
    kind: str
    read: int
    known: int
    unread: Mapping[str, int] = MappingProxyType({})
    last_success: datetime | None = None
    problem: str = ""
    remedy: str = ""


class Change(NamedTuple):
    """A difference from an earlier run. `how` is new, worse, better or gone.

    `before` and `after` are verdict and conditions, "" if the secret did not exist.
    """

    id: str
    how: str
    before: str = ""
    after: str = ""


class EarlierStatus(NamedTuple):
    """What an earlier run said about a secret that this run could not read. `seen`: when it did."""

    status: Status
    seen: datetime


class Audited(NamedTuple):
    """The result of an audit. `since` is the time of the run that `changes` are relative to.

    It is None if no comparison was asked for, or if there was no earlier run. `earlier` needs the
    state of an earlier run. `classes`: only secrets of these classes were judged; empty for all.
    """

    secrets: tuple[Status, ...] = ()
    reach: tuple[Reach, ...] = ()
    changes: tuple[Change, ...] = ()
    since: datetime | None = None
    earlier: tuple[EarlierStatus, ...] = ()
    classes: tuple[str, ...] = ()


class AccessRow(NamedTuple):
    """What one service may do with one secret: a row of the access matrix.

    `granted` is what policies grant: read, use, write, delete. `used` is the day of the last use
    in the audit log, `never`, or "" if no log was read. `rule` is the policy and path that grant
    it, at `where` (`file:line`). `verdict` is ok, excess, missing or unused.
    """

    service: str
    role: str
    secret: str
    secret_class: str
    needed: bool
    granted: tuple[str, ...] = ()
    used: str = ""
    rule: str = ""
    where: str = ""
    verdict: str = "ok"


class AccessChange(NamedTuple):
    """A grant that differs from the previous review. `how` is new, gone or changed."""

    how: str
    service: str
    secret: str
    before: str = ""
    after: str = ""


class Proposal(NamedTuple):
    """A narrower policy for a service, as the text of a policy file."""

    service: str
    text: str


class AccessMatrix(NamedTuple):
    """Which service may read which secret. Pairs that are neither needed nor granted are left
    out. `since` names the previous review that `changes` compares with, "" for none."""

    rows: tuple[AccessRow, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    changes: tuple[AccessChange, ...] = ()
    since: str = ""


class History(NamedTuple):
    """What a ledger knows about live secrets, by canonical ID.

    `marks` are the newest marks of values whose store gives no date. `dates` are rotations that
    somebody attested or that keywatch made.
    """

    marks: Mapping[str, ValueMark] = MappingProxyType({})
    dates: Mapping[str, Dated] = MappingProxyType({})
