"""Policy: `.keywatch.baseline`, the findings that a repository has agreed to live with for now.

JSON Lines: a first line that says what the file is, then one finding a line, sorted, so that git's
union merge of two of them is again one. An entry names the rule, the file, the name beside the
value, and 16 bits of a salted hash of it: no line number, no date, nothing that identifies a value.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import Finding, SuppressedBy, Suppression
from scanner.policy.judge_input import ExceptionReport, FindingRegistry, Scope, stale_note
from scanner.policy.rules import OWN_RULES

FILE = ".keywatch.baseline"
VERSION = 1
_HEADER = "keywatch-baseline"
_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_FIELDS = {"path": str, "rule": str, "name": str, "tag": int, "copy": int}
_TAGS = range(1 << 16)

Key = tuple[str, str, str | int]


class BaselineEntry(NamedTuple):
    """One finding that is debt. `copy` counts, from 0, those that are alike in all the rest.

    `tag` is -1 for a finding without a value.
    """

    path: str
    rule: str
    name: str
    tag: int
    copy: int = 0

    @property
    def key(self) -> Key:
        return _key(self.path, self.rule, self.name, self.tag)


class Baseline(NamedTuple):
    """The entries of one file, in its order, and the line of each."""

    where: str
    entries: tuple[BaselineEntry, ...] = ()
    lines: tuple[int, ...] = ()

    def cover(self, registry: FindingRegistry, scope: Scope) -> ExceptionReport:
        """Let each entry cover one open finding that it names. What is left over is stale."""
        waiting: defaultdict[Key, deque[int]] = defaultdict(deque)
        for place, entry in enumerate(self.entries):
            waiting[entry.key].append(place)
        used = set()
        for number, finding in registry.open():
            queue = waiting.get(key_of(finding))
            if queue:
                used.add(queue[0])
                registry.cover(number, self._said(queue.popleft()))
        places = range(len(self.entries)) if scope.whole_tree else sorted(used)
        register = tuple(scope.with_usage(self._said(each), needed=each in used) for each in places)
        return ExceptionReport(register=register, notes=stale_note(self.where, register))

    def _said(self, place: int) -> Suppression:
        entry = self.entries[place]
        where = f"{self.where}:{self.lines[place]}"
        return Suppression(by=SuppressedBy.BASELINE, where=where, rule=entry.rule, path=entry.path)


def key_of(finding: Finding) -> Key:
    """What a finding and its entry have in common: rule, file and value.

    Neither the line nor the name beside the value is part of it: moved or renamed, it is the same
    debt. Where there is no value, the name stands for it.
    """
    return _key(finding.location.path, finding.rule, finding.context, _tag(finding))


def entries_of(findings: Iterable[Finding]) -> tuple[BaselineEntry, ...]:
    """The sorted entries that cover exactly these findings, except the judge's own."""
    alike: Counter[tuple[str, str, str, int]] = Counter()
    entries = []
    for finding in findings:
        if finding.rule not in OWN_RULES:
            path, rule = finding.location.path, finding.rule
            same = (path, rule, finding.context, _tag(finding))
            entries.append(
                BaselineEntry(path=path, rule=rule, name=same[2], tag=same[3], copy=alike[same])
            )
            alike[same] += 1
    return tuple(sorted(entries))


def parse(data: bytes, where: str) -> Baseline:
    """The baseline in `data`. ConfigError, with file and line, for anything that is not one.

    Order and repeated lines are of no account: a union merge leaves them.
    """
    rows: dict[BaselineEntry, int] = {}
    known = False
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            row = _row(line, f"{where}:{number}")
            known = known or _HEADER in row
            if _HEADER not in row:
                rows.setdefault(_entry(row, f"{where}:{number}"), number)
            elif row != {_HEADER: VERSION}:
                raise _error(f"{where}:{number}", "this version of the format is not known here")
    if not known:
        raise _error(f"{where}:1", f'the line {{"{_HEADER}":{VERSION}}} is missing')
    return Baseline(where=where, entries=tuple(rows), lines=tuple(rows.values()))


def is_one(data: bytes) -> bool:
    """Does `data` say of itself that it is such a file?"""
    return re.search(rb'(?m)^\s*\{\s*"' + _HEADER.encode(), data) is not None


def render(entries: Iterable[BaselineEntry]) -> bytes:
    """The file that holds these entries: the same bytes for the same set."""
    rows: list[dict[str, Any]] = [{_HEADER: VERSION}, *map(_fields, sorted(set(entries)))]
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def merge(
    base: Sequence[BaselineEntry],
    ours: Sequence[BaselineEntry],
    theirs: Sequence[BaselineEntry],
) -> tuple[BaselineEntry, ...]:
    """Both sides' additions, without either side's removals: there is never a conflict."""
    gone = set(base) - (set(ours) & set(theirs))
    return tuple(sorted((set(ours) | set(theirs)) - gone))


def _fields(entry: BaselineEntry) -> dict[str, Any]:
    # Short keys: scanners take `"some-password","longer-word"` for an assignment.
    row: dict[str, Any] = {"path": entry.path, "rule": entry.rule, "name": entry.name}
    if entry.tag >= 0:
        row["tag"] = entry.tag
    if entry.copy:
        row["copy"] = entry.copy
    return row


def _row(line: bytes, where: str) -> dict[str, Any]:
    if line.startswith(tuple(mark.encode() for mark in _CONFLICT)):
        raise ConfigError(
            "a merge conflict is left in the baseline",
            where=where,
            todo=f"keep the lines of both sides, and add `{FILE} merge=union` to .gitattributes",
        )
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise _error(where, "this line is not a JSON object")
    return row


def _entry(row: dict[str, Any], where: str) -> BaselineEntry:
    for name, value in row.items():
        if type(value) is not _FIELDS.get(name):
            raise _error(where, f"the field {name!r} is unknown, or its value is of a wrong type")
    if row.get("tag", 0) not in _TAGS:
        raise _error(where, f"the field 'tag' is not from 0 to {_TAGS[-1]}")
    try:
        return BaselineEntry(**{"tag": -1, **row})
    except TypeError:
        raise _error(where, "path, rule or name is missing") from None


def _error(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"the baseline cannot be used: {what}",
        where=where,
        todo="restore it from git, or delete it and run: keywatch baseline create",
    )


def _key(path: str, rule: str, name: str, tag: int) -> Key:
    return path, rule, tag if tag >= 0 else name


def _tag(finding: Finding) -> int:
    return -1 if finding.tag is None else finding.tag
