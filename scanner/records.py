"""Ground: the nouns of the live side: what a backend tells of a secret. Metadata, never a value.

Apart from `model.py`, which a hook loads. Times are aware and in UTC, durations in seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

ENDLESS = -1
"""In place of seconds: it never ends."""


class Strength(enum.StrEnum):
    """How much a date says of the value in use."""

    EXACT = "exact"
    """It moves with a new value alone."""
    BOUND = "bound"
    """It proves that the value is at least, or at most, so old."""
    WEAK = "weak"
    """It moves without a new value, too."""


class Dated(NamedTuple):
    """When the value in use was set: not before `earliest`, not after `latest`; equal where that is
    known, None where nothing is known on that side. `field` is the backend's own name of what it
    was read from."""

    earliest: datetime | None
    latest: datetime | None
    field: str
    strength: Strength = Strength.EXACT


class Rotation(NamedTuple):
    """The backend's own automatic rotation: every so many seconds (0: it is off), when it is next
    due, and why it fails ("": it does not)."""

    period: int
    due: datetime | None = None
    failing: str = ""


class ValueMark(NamedTuple):
    """What runs of the audit saw of one value, where its store gives a mark that changes with the
    value alone and no date.

    `mark` tells two values apart and is too short to confirm a guess of one. The run at `by` was
    the first to see it, the one at `last` the latest. `after`: the last run that saw the value
    before; None where none did.
    """

    mark: str
    after: datetime | None
    by: datetime
    last: datetime


class Fault(NamedTuple):
    """Something else that is wrong with a live secret, seen by the backend's reader: the id of a
    rule in policy/live/rules.py, and what was seen."""

    rule: str
    detail: str


class Record(NamedTuple):
    """One live secret.

    `id` is canonical, without `#key`. `kind` is the backend's kind of it: `kv-v2`,
    `database-static-role`, `iam-access-key`. `dated` is None where it has no date by its nature:
    `undated` says why, and what would date it. `never`: the backend itself says that it was never
    rotated. `tags` are labels, tags and custom metadata. `keys` names the fields of its value, None
    where they were not asked for. `rotation` is None where the backend knows none for its kind.
    `lifetime`: how long a credential that it issues lives at most, ENDLESS, or None for what issues
    none. `superseded`: since when an older credential, that still works, is no more the one in use.
    `stale`: who still runs on the value before. `value_mark`: what the next run needs to know of this
    one.
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


class Resource(NamedTuple):
    """The live secret that a finding is about, and whose it is ("": nobody's). `as_of`: when an
    earlier run found it, in ISO 8601, where this one could not check it again; else ""."""

    id: str
    owner: str = ""
    runbook: str = ""
    as_of: str = ""


class Status(NamedTuple):
    """How one live secret stands: what reports show of it, and all that is kept of its record.

    `verdict` and `conditions` are words of policy/live/rotation_age.py; the verdict is "" for a
    kind that
    has no age, class and owner where no entry matches. The value is at least `youngest` and at most
    `oldest` seconds old, as `field` says; None: that is not known.
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


class Reach(NamedTuple):
    """How much of a backend was read: `read` secrets of `known` paths, and what was not, by kind of
    gap. `last_success` is when it was last read to the end, None where no run says so."""

    backend: str
    kind: str
    read: int
    known: int
    unread: Mapping[str, int] = MappingProxyType({})
    last_success: datetime | None = None


class Change(NamedTuple):
    """What is not as an earlier run left it. `how` is new, worse, better or gone; `before` and
    `after` are verdict and conditions, "" where there is none."""

    id: str
    how: str
    before: str = ""
    after: str = ""


class Audited(NamedTuple):
    """What an audit saw of the live side. `since` is when the run was that `changes` count from,
    None where nobody asked or there was none."""

    secrets: tuple[Status, ...] = ()
    reach: tuple[Reach, ...] = ()
    changes: tuple[Change, ...] = ()
    since: datetime | None = None
