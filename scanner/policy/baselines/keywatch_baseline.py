"""Policy: `.keywatch.baseline`, the findings that a repository accepts for now.

The file is in JSON Lines format: a header, then one finding per line, sorted, so that a union merge
of two baselines is a valid baseline. An entry has the rule, the file, the name of the value, and 16
bits of a hash of it. Equal values have equal tags, so that many entries of a value reveal no more
of it than one. It has no line number and no date, and does not identify the value.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import Finding, Location, SuppressedBy, Suppression
from scanner.policy.judge_input import ExceptionReport, FindingRegistry, Scope, stale_note
from scanner.policy.rules import OWN_RULES

FILE = ".keywatch.baseline"
VERSION = 2
_KNOWN_VERSIONS = (1, VERSION)  # the tags of version 1 depend on the path
_HEADER = "keywatch-baseline"
_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
_FIELDS = {"path": str, "rule": str, "name": str, "tag": int, "copy": int}
_TAGS = range(1 << 16)

Key = tuple[str, str, str | int]


class BaselineEntry(NamedTuple):
    """One accepted finding. `copy` numbers, from 0, the entries that are otherwise identical.

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
    """The entries of one file, in the order of the file, and their line numbers."""

    path: str
    entries: tuple[BaselineEntry, ...] = ()
    lines: tuple[int, ...] = ()

    def cover(self, registry: FindingRegistry, scope: Scope) -> ExceptionReport:
        """Let each entry suppress one matching open finding. Entries without one are stale."""
        waiting: defaultdict[Key, deque[int]] = defaultdict(deque)
        for place, entry in enumerate(self.entries):
            waiting[entry.key].append(place)
        used = set()
        for number, finding in registry.open():
            queue = waiting.get(key_of(finding)) or waiting.get(_old_key_of(finding))
            if queue:
                used.add(queue[0])
                registry.cover(number, self._suppression(queue.popleft()))
        places = range(len(self.entries)) if scope.whole_tree else sorted(used)
        register = tuple(
            scope.with_usage(self._suppression(each), needed=each in used) for each in places
        )
        return ExceptionReport(register=register, notes=stale_note(self.path, register))

    def _suppression(self, place: int) -> Suppression:
        entry = self.entries[place]
        location = Location.at(self.path, self.lines[place])
        return Suppression(
            by=SuppressedBy.BASELINE, location=location, rule=entry.rule, path=entry.path
        )


def key_of(finding: Finding) -> Key:
    """The key that a finding shares with its entry: file, rule and tag of the value.

    The line and the name are not part of it, so a finding may be moved or renamed. A finding
    without a value has the name instead of the tag.
    """
    return _key(finding.location.path, finding.rule, finding.context, _tag(finding))


def _old_key_of(finding: Finding) -> Key:
    """The key of an entry that an earlier version wrote."""
    tag = -1 if finding.old_tag is None else finding.old_tag
    return _key(finding.location.path, finding.rule, finding.context, tag)


def entries_of(findings: Iterable[Finding]) -> tuple[BaselineEntry, ...]:
    """The sorted entries for these findings, except findings about exceptions."""
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


def parse(data: bytes, path: str) -> Baseline:
    """Parse a baseline. ConfigError, with file and line, if it is invalid.

    The order and repeated lines are ignored, because a union merge produces them.
    """
    rows: dict[BaselineEntry, int] = {}
    known = False
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            row = _row(line, f"{path}:{number}")
            known = known or _HEADER in row
            if _HEADER not in row:
                rows.setdefault(_entry(row, f"{path}:{number}"), number)
            elif row not in [{_HEADER: version} for version in _KNOWN_VERSIONS]:
                raise _error(
                    f"{path}:{number}", "this version of keywatch does not know the format version"
                )
    if not known:
        raise _error(f"{path}:1", f'the line {{"{_HEADER}":{VERSION}}} is missing')
    return Baseline(path=path, entries=tuple(rows), lines=tuple(rows.values()))


def is_one(data: bytes) -> bool:
    """Whether `data` contains the header of a keywatch baseline."""
    return re.search(rb'(?m)^\s*\{\s*"' + _HEADER.encode(), data) is not None


def render(entries: Iterable[BaselineEntry]) -> bytes:
    """The bytes of a baseline. The same set of entries always gives the same bytes."""
    rows: list[dict[str, Any]] = [{_HEADER: VERSION}, *map(_fields, sorted(set(entries)))]
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def merge(
    base: Sequence[BaselineEntry],
    ours: Sequence[BaselineEntry],
    theirs: Sequence[BaselineEntry],
) -> tuple[BaselineEntry, ...]:
    """The additions of both sides, without the removals of either. There are no conflicts."""
    gone = set(base) - (set(ours) & set(theirs))
    return tuple(sorted((set(ours) | set(theirs)) - gone))


def _fields(entry: BaselineEntry) -> dict[str, Any]:
    # Keys are short, because scanners take `"some-password","longer-word"` for an assignment.
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
            raise _error(where, f"the field {name!r} is unknown or has a value of the wrong type")
    if row.get("tag", 0) not in _TAGS:
        raise _error(where, f"the field 'tag' must be from 0 to {_TAGS[-1]}")
    try:
        return BaselineEntry(**{"tag": -1, **row})
    except TypeError:
        raise _error(where, "path, rule or name is missing") from None


def _error(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"the baseline is invalid: {what}",
        where=where,
        todo="restore it from git, or delete it and run: keywatch baseline create",
    )


def _key(path: str, rule: str, name: str, tag: int) -> Key:
    return path, rule, tag if tag >= 0 else name


def _tag(finding: Finding) -> int:
    return -1 if finding.tag is None else finding.tag
