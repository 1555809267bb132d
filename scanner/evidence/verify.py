"""Verify the ledger: find entries that were changed, removed, inserted or reordered.

Someone who can write the ledger can also compute new hashes for all of it, or cut off its end. Only
an anchor shows that: a head that somebody else keeps or has signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from scanner.errors import ExitCode
from scanner.evidence.ledger import FIRST, HASH_END, REST, START, Head, Ledger

_MOST = 100
"""So many problems are listed."""


class Problem(NamedTuple):
    """What is wrong, and where: `2026-11.jsonl:12`."""

    where: str
    what: str


class Verified(NamedTuple):
    """The result. `anchored` is the number of the last entry that an anchor covers.

    `writers` are the names that the entries were written under. `notes` do not fail the check: a
    clock that moved back, a line that a crash cut off.
    """

    head: Head
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    anchored: int = 0
    writers: frozenset[str] = frozenset()

    @property
    def exit_code(self) -> ExitCode:
        if self.problems:
            return ExitCode.FINDINGS
        whole = self.head.number and self.anchored == self.head.number
        return ExitCode.CLEAN if whole else ExitCode.INCOMPLETE


def verify(ledger: Ledger, anchors: Iterable[Head] = ()) -> Verified:
    """Check the chain, and that it contains each anchored head."""
    wanted = {head.hash: head for head in anchors}
    problems: list[Problem] = []
    notes: list[Problem] = []
    writers: set[str] = set()
    head, anchored = Head(), 0
    for name, row, line in ledger.lines():
        entry = _entry(line)
        where = f"{name}:{row}"
        if entry is None:
            problems.append(Problem(where, "the line is damaged: it is not the text of an entry"))
            continue
        if wrong := _wrong(entry, line, head, name):
            problems.append(Problem(where, wrong))
        head = Head(number=entry["number"], hash=entry["hash"], at=entry["at"])
        writers.add(entry["writer"])
        if "clock_moved_back_from" in entry:
            what = f"the clock moved back from {entry['clock_moved_back_from']} to {head.at}"
            notes.append(Problem(where, what))
        if entry["kind"] == "damage":
            notes.append(Problem(where, "before this entry, a crash had cut off a line"))
        found = wanted.pop(head.hash, None)
        if found and found.number in (0, head.number):
            anchored = head.number
        elif found:
            what = f"the anchor says number {found.number}, the entry says {head.number}"
            problems.append(Problem(where, what))
    for missing in wanted.values():
        number = f"entry {missing.number}" if missing.number else "an entry"
        what = f"{number} with the anchored hash {missing.hash[:12]}… is missing: the ledger was"
        problems.append(Problem("the ledger", f"{what} cut off or rewritten"))
    return Verified(
        head=head,
        problems=tuple(problems[:_MOST]),
        notes=tuple(notes[:_MOST]),
        anchored=0 if problems else anchored,
        writers=frozenset(writers),
    )


def _entry(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, if it has the form of one."""
    if not line.startswith(START) or line[HASH_END:REST] != b'",' or not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
        texts = [entry[key] for key in ("hash", "previous", "at", "kind", "writer")]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if type(entry.get("number")) is not int or not all(isinstance(text, str) for text in texts):
        return None
    return entry if isinstance(entry.get("data"), dict) else None


def _wrong(entry: dict[str, Any], line: bytes, head: Head, name: str) -> str:
    """What is wrong with an entry after the entry `head`, or ""."""
    seal = line[len(START) : HASH_END].decode("ascii", "replace")
    if hashlib.sha256(line[REST:-1]).hexdigest() != seal or entry["hash"] != seal:
        return "the entry was changed: its hash does not fit its text"
    if entry["previous"] != head.hash:
        if head.hash == FIRST:
            return f"entries before number {entry['number']} are missing"
        return (
            f"entry {entry['number']} does not follow entry {head.number}: an entry was changed,"
            " removed, inserted or moved"
        )
    if entry["number"] != head.number + 1:
        return f"entry {entry['number']} has the place of entry {head.number + 1}"
    return _misplaced(entry, head, name)


def _misplaced(entry: dict[str, Any], head: Head, name: str) -> str:
    try:
        at = datetime.fromisoformat(entry["at"])
        before = datetime.fromisoformat(head.at) if head.at else at
        is_earlier = at < before
    except (ValueError, TypeError):
        return "its time is not a time"
    if is_earlier and entry.get("clock_moved_back_from") != head.at:
        return "its time is before that of the previous entry"
    if entry["at"][:7] != name[:7] and "clock_moved_back_from" not in entry and not is_earlier:
        return "" if entry["at"][:7] < name[:7] else f"it belongs into another file than {name}"
    return ""
