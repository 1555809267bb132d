"""What is to be rotated, in which order, and what each rotation needs. It changes nothing."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from scanner.policy.live.rotation_age import Verdict
from scanner.records import Status
from scanner.rotate import consumers
from scanner.rotate.config import Entry, RotationConfig
from scanner.rotate.executors.interface import Executor
from scanner.rotate.executors.table import EXECUTORS
from scanner.rotate.model import Policy
from scanner.rotate.stores import SecretId

DUE = {
    Verdict.NEVER_ROTATED: 0,
    Verdict.OVERDUE: 0,
    Verdict.GRACE: 1,
    Verdict.DUE_SOON: 2,
}
"""The verdicts of secrets that are due. The lower number goes first."""
NO_ENTRY = Entry(match="", pattern=None)  # type: ignore[arg-type]


class Action(enum.StrEnum):
    """What `apply` does with a secret that is due."""

    ROTATE = "rotate"
    MANUAL = "manual"
    """`apply` refuses it: something is missing in the operator config, or there is no executor."""
    NO_DATE = "no-date"
    """Its age is unknown. It is rotated only if it is named."""


class Planned(NamedTuple):
    """One secret. `why` says why it is due, `missing` what a manual one lacks.

    `rights` are templates: the function of that name fills them in.
    """

    secret: str
    kind: str
    action: Action
    why: str
    policy: Policy
    missing: str = ""
    overlap: str = ""
    consumers: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    operator_steps: tuple[str, ...] = ()


class Selection(NamedTuple):
    """Which secrets are wanted: `only` these ids (all if empty); `urgent` is one, due or not."""

    only: frozenset[str] = frozenset()
    urgent: str = ""


PolicyOf = Callable[[Status], Policy | None]


def plan(
    statuses: Iterable[Status],
    config: RotationConfig,
    policy_of: PolicyOf,
    selection: Selection = Selection(),  # noqa: B008 - it is immutable
) -> tuple[Planned, ...]:
    """The due secrets, the most urgent first."""
    entries = _Entries(config)
    found = []
    for status in _by_role(statuses):
        rank = _rank(status, selection)
        if rank is not None and (policy := policy_of(status)):
            late = (status.youngest or 0) / (status.limit or 1)
            found.append((rank, -late, status.id, _planned(status, policy, config, entries, rank)))
    found.sort(key=lambda each: each[:3])
    return tuple(each[3] for each in found)


def _rank(status: Status, selection: Selection) -> int | None:
    if selection.urgent:
        return 0 if status.id == selection.urgent else None
    if selection.only:
        return 0 if status.id in selection.only else None
    if status.verdict in _RANKS:
        return _RANKS[status.verdict]
    return 3 if status.verdict == _UNDATED else None


_RANKS: Mapping[str, int] = {str(verdict): rank for verdict, rank in DUE.items()}
_UNDATED = str(Verdict.UNDATED)


class _Entries:
    """The entries of the operator config. Most name one secret, so those are looked up."""

    def __init__(self, config: RotationConfig) -> None:
        exact = [each for each in config.entries if not set(each.match) & set("*?")]
        self._exact = {each.match: each for each in reversed(exact)}
        self._globs = config._replace(
            entries=tuple(each for each in config.entries if set(each.match) & set("*?"))
        )

    def of(self, secret: str) -> Entry:
        found = self._exact.get(secret)
        if found is None and self._globs.entries:
            found = self._globs.entry(secret)
        return found or NO_ENTRY


def _planned(
    status: Status, policy: Policy, config: RotationConfig, entries: _Entries, rank: int
) -> Planned:
    entry = entries.of(status.id)
    executor = EXECUTORS.get(status.kind)
    why = f"its verdict is {status.verdict}" if status.verdict else "it was named"
    item = Planned(status.id, status.kind, Action.ROTATE, why, policy)
    missing = _missing(status, config, entry, executor)
    if missing or executor is None:
        return item._replace(action=Action.MANUAL, missing=missing)
    traits = executor.TRAITS
    return item._replace(
        action=Action.NO_DATE if rank == 3 else Action.ROTATE,
        overlap=traits.overlap,
        consumers=tuple(each.id for each in entry.consumers),
        rights=traits.rights + (consumers.RIGHTS if entry.consumers else ()),
        operator_steps=tuple(_operator_steps(entry)),
    )


def _missing(
    status: Status, config: RotationConfig, entry: Entry, executor: Executor | None
) -> str:
    if executor is None:
        return f"keywatch has no executor for the kind {status.kind}"
    if status.backend not in config.identities:
        return f"`identities` has no identity that may rotate in {status.backend}"
    return executor.manual(entry)


def rights(item: Planned) -> tuple[str, ...]:
    """The rights that the rotation needs, with the names of this secret filled in."""
    words = {}
    if item.secret.startswith("vault://"):
        place = SecretId(item.secret)
        name = place.below.partition("/")[2] or place.below
        words = {"{mount}": place.mount, "{below}": place.below, "{name}": name}
    return tuple(_filled(each, words) for each in item.rights)


def _filled(template: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        template = template.replace(word, value)
    return template


def _operator_steps(entry: Entry) -> Iterable[str]:
    if entry.rewrap:
        yield "rewrap the data before the overlap ends; the declared command proves it"
    if entry.issuer and not entry.issuer.characters and not entry.issuer.revoke:
        yield "revoke the old value by hand: the issuer has no revoke command"
    if not entry.consumers:
        yield "restart what uses it: no consumers are declared"


def _by_role(statuses: Iterable[Status]) -> Iterable[Status]:
    """The secret IDs of an AppRole are one secret, as old as the newest of them."""
    roles: dict[str, Status] = {}
    for status in statuses:
        if status.kind != "approle-secret-id":
            yield status
            continue
        role = status.id.rpartition("/")[0]
        newest = roles.get(role)
        if newest is None or (status.oldest or 0) < (newest.oldest or 0):
            roles[role] = status._replace(id=role)
    yield from roles.values()
