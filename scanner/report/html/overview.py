"""What the HTML report shows besides the outcome: earlier runs, controls, other repositories.

A module of its own, because a hook needs none of these types.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from scanner.model import Severity


class RunNumbers(NamedTuple):
    """One run in numbers: findings by severity, and in an audit secrets by verdict."""

    at: datetime
    is_complete: bool
    findings: Mapping[Severity, int]
    verdicts: Mapping[str, int] = MappingProxyType({})


class ControlRow(NamedTuple):
    """A control and whether it was shown to work. `is_shown` is None if it was not tested."""

    framework: str
    control: str
    title: str
    shows: str
    is_shown: bool | None
    why: str
    entries: tuple[int, ...] = ()


class EarlierRuns(NamedTuple):
    """What a ledger says about the runs before this one, the oldest first.

    `controls` are judged for the time from `start` to `end`. `head` is the hash of the ledger's
    last entry. `problem` says why there is nothing, "" if the ledger is sound.
    """

    runs: tuple[RunNumbers, ...] = ()
    controls: tuple[ControlRow, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    head: str = ""
    problem: str = ""


class RepositoryRow(NamedTuple):
    """One of many repositories. `classes` counts its findings by class of secret.

    `oldest` is the age in seconds of its oldest finding, None if that is unknown. `gaps` counts
    what could not be scanned; `problem` says why nothing was, "" otherwise.
    """

    team: str
    name: str
    findings: Mapping[Severity, int] = MappingProxyType({})
    classes: Mapping[str, int] = MappingProxyType({})
    oldest: int | None = None
    gaps: int = 0
    problem: str = ""
