"""Which controls were shown to work in a period, failed, or were not tested."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scanner import document

WORKED, FAILED, NOT_TESTED = "shown to work", "failed", "not tested"
Json = Mapping[str, Any]


class Control(NamedTuple):
    """A row of rules/controls.yaml. `by` are kinds of entries that are all needed,
    `a|b` means either. `fails_on` maps a kind of entry to rules, None means all."""

    id: str
    framework: str
    control: str
    oscal: str
    title: str
    shows: str
    by: tuple[str, ...]
    fails_on: Mapping[str, frozenset[str] | None]


class Assessed(NamedTuple):
    """A control in a period. `entries` are the numbers of those that tested it, `failures` of those
    that show that it failed; `why` says why in one sentence."""

    control: Control
    result: str
    why: str
    entries: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()


class Period(NamedTuple):
    """From `start` (included) to `end` (excluded)."""

    start: datetime
    end: datetime

    def has(self, entry: Json) -> bool:
        return self.start <= datetime.fromisoformat(entry["at"]) < self.end


def load() -> tuple[Control, ...]:
    """The controls of rules/controls.yaml."""
    path = os.path.join(document.rules_folder(), "controls.yaml")
    with open(path, "rb") as file:
        parsed = document.parse(file.read(), "controls.yaml")
    document.check(parsed, "controls.schema.json")
    return tuple(map(_control, parsed.data["controls"]))


def _control(item: Json) -> Control:
    texts = {key: item[key] for key in ("id", "framework", "control", "oscal", "title", "shows")}
    fails_on = {
        kind: None if rules == "any" else frozenset(rules)
        for kind, rules in item.get("fails_on", {}).items()
    }
    return Control(**texts, by=tuple(item.get("by", ())), fails_on=fails_on)


def assess(controls: Sequence[Control], entries: Iterable[Json], period: Period) -> list[Assessed]:
    """Judge each control by the entries of the period.

    A control was tested if each kind of entry that it needs is there and complete; an audit of only
    some classes does not count. A finding counts as a failure even in an incomplete entry.
    """
    seen: dict[str, list[int]] = {control.id: [] for control in controls}
    failed: dict[str, list[int]] = {control.id: [] for control in controls}
    complete: set[str] = set()
    for entry in filter(period.has, entries):
        kind = _kind(entry)
        if entry["data"].get("complete", True) and not entry["data"].get("classes"):
            complete.add(kind)
        for control in controls:
            if any(kind in each.split("|") for each in control.by):
                seen[control.id].append(entry["number"])
                if _fails(control, entry):
                    failed[control.id].append(entry["number"])
    return [_assessed(each, seen[each.id], failed[each.id], complete) for each in controls]


def _kind(entry: Json) -> str:
    """`audit`, or `attestation:access-review`."""
    kind = str(entry["kind"])
    return f"{kind}:{entry['data']['about']}" if kind == "attestation" else kind


def _fails(control: Control, entry: Json) -> bool:
    rules = control.fails_on.get(_kind(entry), frozenset())
    found = {finding["rule"] for finding in entry["data"].get("findings", ())}
    return bool(found) if rules is None else not found.isdisjoint(rules)


def _assessed(
    control: Control, seen: Sequence[int], failed: Sequence[int], complete: set[str]
) -> Assessed:
    """`complete` are the kinds that have a complete entry in the period."""
    if failed:
        now = "the newest one too" if failed[-1] == seen[-1] else "the newest one has none"
        why = f"{len(failed)} of {len(seen)} entries have findings against it; {now}"
        return Assessed(control, FAILED, why, tuple(seen), tuple(failed))
    if not control.by:
        return Assessed(control, NOT_TESTED, "keywatch has no check for it")
    missing = [each for each in control.by if complete.isdisjoint(each.split("|"))]
    if missing:
        kinds = " and no ".join(each.replace("|", " or ") for each in missing)
        why = f"the period has no complete entry of kind {kinds}"
        return Assessed(control, NOT_TESTED, why, tuple(seen))
    return Assessed(control, WORKED, f"{len(seen)} entries without findings", tuple(seen))
