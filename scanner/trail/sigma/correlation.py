"""Sigma correlations, counted by event time.

Events may come out of order: what counts is the times of the events, not their order. All state is
bounded: MOST_GROUPS groups for each rule, and for each group the newest times or values that can
still reach the threshold, at most MOST_KEPT. When a group fires, it begins anew.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
)

from scanner.errors import ConfigError

MOST_GROUPS = 20_000
"""Groups of one rule. Over it, the half that was quiet the longest is forgotten."""
MOST_KEPT = 2_000
"""Times or values that are kept for a group; a threshold may not be higher."""
DISORDER = 600.0
"""Seconds beyond a window for which an event may still come late."""
Group = str
"""The values of a group's fields, joined: a text keeps its hash, and is the same in the state."""
BETWEEN = "\x1f"
Saved = list[Any]


class Correlation(Protocol):
    """The windows of one rule."""

    def add(self, base: str, group: Group, time: float, value: Any) -> bool:
        """Count an event that a base rule matched. True if the rule fires."""

    def saved(self) -> Iterator[Saved]:
        """The groups as plain data; text in them is names, never values."""

    def restore(self, groups: list[Saved]) -> None: ...


def made(rule: SigmaCorrelationRule) -> Correlation:
    """The windows of a rule. ConfigError for a kind or condition that is not evaluated."""
    span, kind = float(rule.timespan.seconds), rule.type.name
    if kind in ("TEMPORAL", "TEMPORAL_ORDERED"):
        names = tuple(each.reference for each in rule.rules or ())
        return _Temporal(span, names, ordered=kind == "TEMPORAL_ORDERED")
    needed = _threshold(rule)
    if kind == "EVENT_COUNT":
        return _EventCount(span, needed)
    if kind == "VALUE_COUNT":
        return _ValueCount(span, needed)
    raise ConfigError(
        f"the rule {rule.name} is a correlation of the kind {kind.lower()}",
        todo="use event_count, value_count, temporal or temporal_ordered",
    )


def _threshold(rule: SigmaCorrelationRule) -> int:
    """The count from which the rule fires."""
    condition = rule.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise ConfigError(f"the condition of the rule {rule.name} is not a comparison")
    is_greater = condition.op is SigmaCorrelationConditionOperator.GT
    if not is_greater and condition.op is not SigmaCorrelationConditionOperator.GTE:
        raise ConfigError(f"the rule {rule.name} needs a condition with gte or gt")
    needed = int(condition.count) + is_greater
    if not 1 <= needed <= MOST_KEPT:
        raise ConfigError(f"the threshold of the rule {rule.name} is not within 1 to {MOST_KEPT}")
    return needed


class _EventCount:
    """By group, the newest times of its events, sorted."""

    def __init__(self, span: float, needed: int) -> None:
        self._span = span
        self._needed = needed
        self._groups: dict[Group, list[float]] = {}

    def add(self, base: str, group: Group, time: float, value: Any) -> bool:  # noqa: ARG002
        times = self._groups.get(group)
        if times is None:
            _make_room(self._groups, lambda kept: kept[-1] if kept else 0.0)
            times = self._groups[group] = []
        insort(times, time)
        if len(times) < self._needed:
            return False
        if self._is_full(times):
            times.clear()
            return True
        if len(times) > MOST_KEPT or times[-1] - times[0] > self._span + DISORDER:
            del times[0]
        return False

    def _is_full(self, times: list[float]) -> bool:
        last = self._needed - 1
        return any(times[n + last] - times[n] <= self._span for n in range(len(times) - last))

    def saved(self) -> Iterator[Saved]:
        return ([group, times] for group, times in self._groups.items())

    def restore(self, groups: list[Saved]) -> None:
        self._groups = {str(group): sorted(map(float, times)) for group, times in groups}


class _ValueCount:
    """By group, the time of each value's latest event."""

    def __init__(self, span: float, needed: int) -> None:
        self._span = span
        self._needed = needed
        self._groups: dict[Group, dict[Any, float]] = {}

    def add(self, base: str, group: Group, time: float, value: Any) -> bool:  # noqa: ARG002
        values = self._groups.get(group)
        if values is None:
            _make_room(self._groups, lambda kept: max(kept.values()))
            values = self._groups[group] = {}
        if value is None:
            return False
        known = values.get(value)
        if known is None or known < time:
            values[value] = time
        if len(values) < self._needed:
            return False
        return self._is_full(values)

    def _is_full(self, values: dict[Any, float]) -> bool:
        """Is the threshold reached within one span? Forgets what is too old to count."""
        times = sorted(values.values())
        last = self._needed - 1
        if any(times[n + last] - times[n] <= self._span for n in range(len(times) - last)):
            values.clear()
            return True
        least = times[-1] - self._span - DISORDER
        for value in [value for value, time in values.items() if time < least]:
            del values[value]
        return False

    def saved(self) -> Iterator[Saved]:
        return ([group, [*values.items()]] for group, values in self._groups.items() if values)

    def restore(self, groups: list[Saved]) -> None:
        self._groups = {
            str(group): {value: float(time) for value, time in values} for group, values in groups
        }


class _Temporal:
    """By group, the time of the latest event of each base rule."""

    def __init__(self, span: float, names: tuple[str, ...], *, ordered: bool) -> None:
        self._span = span
        self._names = names
        self._ordered = ordered
        self._groups: dict[Group, dict[str, float]] = {}

    def add(self, base: str, group: Group, time: float, value: Any) -> bool:  # noqa: ARG002
        if not all(group.split(BETWEEN)):
            return False
        times = self._groups.get(group)
        if times is None:
            _make_room(self._groups, lambda kept: max(kept.values()))
            times = self._groups[group] = {}
        times[base] = time
        if len(times) < len(self._names):
            return False
        in_order = [times[name] for name in self._names]
        if max(in_order) - min(in_order) > self._span:
            return False
        if self._ordered and in_order != sorted(in_order):
            return False
        del times[base]  # each further event of this kind counts once more
        return True

    def saved(self) -> Iterator[Saved]:
        return ([group, [*times.items()]] for group, times in self._groups.items() if times)

    def restore(self, groups: list[Saved]) -> None:
        self._groups = {
            str(group): {str(name): float(time) for name, time in times} for group, times in groups
        }


def _make_room(groups: dict[Group, Any], newest: Callable[[Any], float]) -> None:
    if len(groups) < MOST_GROUPS:
        return
    times: Mapping[Group, float] = {
        group: newest(kept) if kept else 0.0 for group, kept in groups.items()
    }
    for group in sorted(groups, key=times.__getitem__)[: MOST_GROUPS // 2]:
        del groups[group]
