"""The pieces of work that travel to workers, and what comes back.

Nothing here holds a secret: findings are masked, keys and tokens are never part of a unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from scanner.fleet.request import CloneLimits
from scanner.fleet.targets import Target

ID_SIZE = {40: 20, 64: 32}
"""Bytes of a commit's id, by the number of its hex digits."""


class Settings(NamedTuple):
    """What all units of a run have in common. `version` is that of keywatch in the client."""

    version: str
    clones: CloneLimits
    now: datetime
    seconds: float
    rules: tuple[tuple[str, bytes], ...] = ()
    matcher: str = "auto"


class Place(NamedTuple):
    """A repository as it was when its refs were read. `refs` maps their names to commits."""

    target: Target
    refs: Mapping[str, str]

    @property
    def head(self) -> str:
        return self.refs.get("HEAD", "")

    @property
    def tips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.refs[name] for name in sorted(self.refs)))


class ListUnit(NamedTuple):
    """List the commits of a repository, without those that an earlier run with the same rules has
    scanned: the ancestors of `known_tips`."""

    settings: Settings
    place: Place
    known_rules: str = ""
    known_tips: tuple[str, ...] = ()


class Listed(NamedTuple):
    """`rules` is the hash of everything that decides what is found in a commit. `commits` are the
    ids in hexadecimal, the oldest first."""

    rules: str
    commits: tuple[str, ...]


class ScanUnit(NamedTuple):
    """Scan these commits, the oldest first."""

    settings: Settings
    place: Place
    rules: str
    commits: tuple[str, ...]


class Item(NamedTuple):
    """One result of a commit. `kind` is one of ITEM_KINDS, `data` is JSON."""

    commit: str
    kind: str
    data: str


ITEM_KINDS = FINDING, MESSAGE, MOVED, GAP, SKIP = ("finding", "message", "moved", "gap", "skip")


class Scanned(NamedTuple):
    """`files` and `size` count what was read. `unread`: commits that no time was left for."""

    items: tuple[Item, ...]
    files: int
    size: int


class JudgeUnit(NamedTuple):
    """Judge what is known about all commits of a repository, under its own policy."""

    settings: Settings
    place: Place
    items: tuple[Item, ...]
    gaps: tuple[tuple[str, str, str], ...] = ()


class Row(NamedTuple):
    """A finding for the results of the fleet, masked. `source` is the commit that has the value at
    this place. `tag` is None if the value has none."""

    rule: str
    title: str
    severity: int
    confidence: int
    secret_class: str
    path: str
    line: int
    column: int
    preview: str
    context: str
    detail: str
    fingerprint: str
    commit: str
    author: str
    date: str
    present: bool
    source: str
    tag: int | None


class Judged(NamedTuple):
    """`report` is the JSON report, compressed. `failing` counts the findings that fail the run by
    the repository's own policy. `until`: the day on which an exception ends, so that the repository
    must be judged again; "" if none does."""

    report: bytes
    rows: tuple[Row, ...]
    failing: int
    gaps: int
    first_gaps: tuple[tuple[str, str, str], ...]
    suppressed: int
    until: str


class Spot(NamedTuple):
    """Where a value can be read: the same commit, path and position as in a Row."""

    source: str
    path: str
    rule: str
    line: int
    column: int


class CompareUnit(NamedTuple):
    """Compute the MACs of values, under the key that the worker holds for this run."""

    settings: Settings
    place: Place
    spots: tuple[Spot, ...]


class Compared(NamedTuple):
    """The MAC of each spot's value, None if it could not be read again."""

    macs: tuple[bytes | None, ...]


class Failure(NamedTuple):
    """A unit that could not be done. `temporary`: another attempt may succeed."""

    kind: str
    reason: str
    temporary: bool = False


Unit = ListUnit | ScanUnit | JudgeUnit | CompareUnit
Answer = Listed | Scanned | Judged | Compared | Failure
