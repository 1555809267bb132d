"""Find out which commit first had a finding, and whether it is still there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

from scanner.fingerprints import of_past
from scanner.inputs.git import commands
from scanner.inputs.git.revisions import Change
from scanner.inputs.git.stored import of_commit
from scanner.masking import masked
from scanner.model import Appearance, Finding, Observation
from scanner.report.text import shorten
from scanner.scan.plan import ScanPlan

_GONE = "only in the history, revoke it"
_MESSAGE = 1 << 20
_NAME = 200  # characters of an author's name: git does not limit it
_LATEST = 253_402_300_799  # seconds: the end of the year 9999
_AUTHOR = re.compile(rb"^author (.*) ([0-9]{1,20}) [+-][0-9]+$", re.MULTILINE)


class _Past(NamedTuple):
    """A finding that a commit added; `path` is not masked."""

    commit: str
    path: str
    finding: Finding


class FirstSeen:
    """Which commit first had each finding."""

    def __init__(
        self,
        plan: ScanPlan,
        changes: Sequence[Change],
        past: Iterable[tuple[str, str, Finding]],
        moved: Iterable[tuple[str, str, str]],
    ) -> None:
        self._plan = plan
        self._objects = commands.objects(plan.selection.source.root)
        self._heads = {change.trees: change.head for change in changes}
        listed = dict.fromkeys(commit for change in changes for commit in change.commits)
        self._order = {commit: number for number, commit in enumerate(listed)}
        self._moved: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for commit, old, new in moved:
            self._moved[old].append((self._order.get(commit, -1), new))
        self._first: dict[Hashable, _Past] = {}
        for each in map(_Past._make, past):
            known = self._first.setdefault(_key(each.finding), each)
            if self._order[known.commit] < self._order[each.commit]:
                self._first[_key(each.finding)] = each

    def dated(self, seen: Iterable[Observation]) -> Iterator[Observation]:
        """The observations of changes as a whole, each finding with its first commit."""
        for each in seen:
            found = []
            for finding in each.findings:
                first = self._first.pop(_key(finding), None)
                trees = finding.since.commit if finding.since else ""
                commit = first.commit if first else self._heads[trees]
                found.append(_with_history(finding, self.appearance(commit, present=True)))
            yield each._replace(findings=tuple(found))

    def rest(self) -> Iterator[Observation]:
        """The findings that only single commits add.

        They are gone, or still there: a history, unlike a change, is not scanned as a whole.
        """
        asked = self._plan.selection.commits
        wanted = asked is not None and asked.history is not None
        there = _Present(self._plan, {*self._heads.values()} - {""}, self._paths())
        present: dict[Hashable, Finding] = {}
        for past in sorted(self._first.values(), key=lambda each: -self._order[each.commit]):
            found = there.finding(past, self._trail(past))
            since = self.appearance(past.commit, present=found is not None)
            if found is None:
                gone = _with_history(of_past(past.finding, past.commit), since)
                yield Observation(path=gone.location.path, size=0, findings=(gone,))
            else:
                present.setdefault((found.location, found.rule), _with_history(found, since))
        for seen in there.observations if wanted else ():
            findings = (present.get((each.location, each.rule)) for each in seen.findings)
            yield seen._replace(findings=tuple(filter(None, findings)), notes=())

    def _paths(self) -> set[str]:
        return {path for past in self._first.values() for path in self._trail(past)}

    def _trail(self, past: _Past) -> Sequence[str]:
        """The paths that the file of a finding has had since then."""
        trail: dict[str, None] = {}
        waiting = [(-self._order[past.commit], past.path)]
        while waiting:  # from the oldest commit on, so that each path is followed only once
            number, path = heappop(waiting)
            if path not in trail:
                trail[path] = None
                for later, to in self._moved[path]:
                    if later < -number and to not in trail:
                        heappush(waiting, (-later, to))
        return [*trail]

    def appearance(self, commit: str, *, present: bool) -> Appearance:
        """The commit with its author and date."""
        data = self._objects.read(commit, _MESSAGE, b"commit")
        found = _AUTHOR.search(data) if isinstance(data, bytes) else None
        if not found:
            return Appearance(commit, present=present)
        author = shorten(masked(found[1].decode(errors="replace")), _NAME)
        when = datetime.fromtimestamp(min(int(found[2]), _LATEST), UTC).isoformat()
        return Appearance(commit, author, when.replace("+00:00", "Z"), present)


class _Present:
    """The findings of the newest commits in some files."""

    def __init__(self, plan: ScanPlan, heads: Collection[str], paths: Collection[str]) -> None:
        self.observations: list[Observation] = []
        self._by_path: dict[str, list[Finding]] = defaultdict(list)
        for head in sorted(heads) if paths else ():
            source = of_commit(plan.selection.source.root, head)
            scan = plan.workers._replace(source=source, alone=True).scan_function()
            for path in sorted(source.entries.keys() & paths):
                for seen in scan((path,)).observations:
                    self.observations.append(seen)
                    self._by_path[path] += seen.findings

    def finding(self, past: _Past, trail: Sequence[str]) -> Finding | None:
        """The same finding in one of the newest commits, under a path of `trail`; or None."""
        for path in trail:
            for each in self._by_path[path]:
                if _is_same(past.finding, each):
                    return each
        return None


def _key(finding: Finding) -> Hashable:
    """Two findings with different keys are different, wherever in their file they are."""
    name = finding.context if finding.tag is None else ""
    return finding.rule, finding.location.path, finding.tag, finding.preview, name


def _is_same(one: Finding, other: Finding) -> bool:
    """Are they the same finding? Tags are only comparable within one path."""
    if one.location.path == other.location.path:
        return _key(one) == _key(other)
    return (one.rule, one.context, one.preview) == (other.rule, other.context, other.preview)


def _with_history(finding: Finding, since: Appearance) -> Finding:
    """The finding with its history, which is also added to its detail."""
    words = [since.commit[:12]]
    words += [f"of {since.date[:10]} by {since.author}"] if since.date else []
    where = " ".join(words)
    appearance = (
        f"first in commit {where}" if since.present else f"{_GONE}: commit {where} added it"
    )
    return finding._replace(
        since=since, detail="; ".join(filter(None, (finding.detail, appearance)))
    )
