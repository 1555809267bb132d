"""Policy: match exceptions (comments and entries of keywatch.yaml) with findings."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from scanner.model import (
    AllowComment,
    CommentKind,
    Finding,
    Location,
    Note,
    SuppressedBy,
    Suppression,
)
from scanner.policy import rules
from scanner.policy.judge_input import ExceptionReport, FindingRegistry, Scope

ANNOUNCE = timedelta(days=14)
ID = 12
"""Length of a finding ID: the first characters of the fingerprint."""


class AllowEntry(NamedTuple):
    """One item of `allow:` in keywatch.yaml; `until` is an ISO date.

    It suppresses one finding of `rule` in `path` whose value still has the `tag`: the one with this
    fingerprint, or else one with the same value that was moved or renamed. `fingerprint` may be
    shortened to its first `ID` characters. For a live secret, `path` is its canonical id and `tag`
    is None. `commit` is the commit of a finding that only the history has, or "". `added` is the
    day on which the entry was written, or "".
    """

    fingerprint: str
    rule: str
    path: str
    reason: str
    owner: str
    until: str
    location: Location
    tag: int | None = None
    commit: str = ""
    added: str = ""


class Exemption(NamedTuple):
    """An exception from a comment or an entry.

    `line` is the line that a comment covers, or 0. `in_history`: its finding is only in commits, so
    a scan of files cannot see it. `added` is the day on which it was written, if that is known.
    """

    suppression: Suppression
    ends: date
    line: int = 0
    finding_id: str = ""
    tag: int | None = None
    in_history: bool = False
    added: date | None = None

    def is_young(self, scope: Scope) -> bool:
        """Whether it is too new to be unused: its finding may still be in another branch."""
        if self.added is None:
            return False
        return timedelta(0) <= scope.today - self.added < scope.unused_after

    @property
    def place(self) -> tuple[str, int]:
        location = self.suppression.location
        return location.path, location.line


def end_of(until: str) -> date:
    """The last UTC day on which an exception is valid. ValueError if it is not a date."""
    return date.fromisoformat(until)


def of_comment(comment: AllowComment) -> Exemption:
    """The exemption for a valid keywatch comment."""
    suppression = Suppression(
        by=SuppressedBy.COMMENT,
        location=Location.at(comment.path, comment.line),
        rule=comment.rule,
        path=comment.path,
        reason=comment.reason,
        owner=comment.owner,
        until=comment.until,
    )
    return Exemption(suppression=suppression, ends=end_of(comment.until), line=comment.covers)


def of_entry(entry: AllowEntry) -> Exemption:
    """The exemption for an entry of keywatch.yaml."""
    suppression = Suppression(
        by=SuppressedBy.ENTRY,
        location=entry.location,
        rule=entry.rule,
        path=entry.path,
        reason=entry.reason,
        owner=entry.owner,
        until=entry.until,
    )
    return Exemption(
        suppression=suppression,
        ends=end_of(entry.until),
        finding_id=entry.fingerprint[:ID],
        tag=entry.tag,
        in_history=bool(entry.commit),
        added=end_of(entry.added) if entry.added else None,
    )


def exemptions(
    comments: Iterable[AllowComment],
    entries: Iterable[AllowEntry],
    registry: FindingRegistry,
    scope: Scope,
) -> tuple[Exemption, ...]:
    """The exemptions that apply to this run. Only a scan of the whole tree uses every entry."""
    subjects = {finding.subject for finding in registry.findings}
    return (
        *(of_comment(c) for c in comments if is_ours(c) and not c.problem),
        *(of_entry(e) for e in entries if scope.whole_tree or e.path in subjects),
    )


def is_ours(comment: AllowComment) -> bool:
    return comment.kind is CommentKind.KEYWATCH


def invalid_comments(comments: Iterable[AllowComment]) -> ExceptionReport:
    """Findings about invalid keywatch comments."""
    return ExceptionReport(
        findings=tuple(
            rules.finding(rules.INVALID, Location.at(c.path, c.line), c.problem)
            for c in comments
            if is_ours(c) and c.problem
        )
    )


def assign(
    registry: FindingRegistry, exemptions: Sequence[Exemption], *, cover: bool = True
) -> frozenset[Exemption]:
    """Assign one open finding to each exemption. Returns the exemptions that got one.

    There are three rounds, so that exact matches come first: comments by line, entries by
    fingerprint, and the remaining entries by value.
    """
    taken: dict[int, Exemption] = {}
    _match(registry, taken, [e for e in exemptions if e.line], _lines, _line)
    left = _match(registry, taken, [e for e in exemptions if not e.line], _identity, _named)
    _match(registry, taken, [e for e in left if e.tag is not None], _values, _value)
    for number, exemption in taken.items() if cover else ():
        registry.cover(number, exemption.suppression)
    return frozenset(taken.values())


def report(
    exemptions: Iterable[Exemption],
    used: Collection[Exemption],
    lapsed: Collection[Exemption],
    scope: Scope,
) -> ExceptionReport:
    """Report expired and unused exceptions, and those that end soon.

    `lapsed` are expired exceptions whose finding still exists.
    """
    findings, notes, register = [], [], []
    for exemption in exemptions:
        suppression = exemption.suppression
        needed = exemption in used or exemption in lapsed
        unjudged = exemption.in_history or exemption.is_young(scope)
        if needed or scope.whole_tree:
            register.append(scope.with_usage(suppression, needed=needed or unjudged))
        if exemption in lapsed and scope.whole_tree:
            findings.append(_finding(rules.EXPIRED, exemption, _ended(exemption)))
        elif exemption in lapsed:
            notes.append(_note("allow-expired", exemption, _ended(exemption)))
        elif exemption in used and exemption.ends - scope.today <= ANNOUNCE:
            notes.append(_note("allow-ending", exemption, _ending(exemption, scope.today)))
        elif not (needed or unjudged) and scope.can_judge(suppression.rule, suppression.path):
            findings.append(_finding(rules.UNUSED, exemption, "it matches no finding"))
    return ExceptionReport(findings=tuple(findings), notes=tuple(notes), register=tuple(register))


Key = tuple[str, str, str | int | None, int | None]


def _match(
    registry: FindingRegistry,
    taken: dict[int, Exemption],
    exemptions: Sequence[Exemption],
    keys: Callable[[Finding], Iterable[Key]],
    key: Callable[[Exemption], Key],
) -> list[Exemption]:
    """Assign the first free finding with the same key. Returns the exemptions without one."""
    waiting: defaultdict[Key, deque[int]] = defaultdict(deque)
    for number, finding in registry.open() if exemptions else ():
        for each in keys(finding):
            waiting[each].append(number)
    left = []
    for exemption in exemptions:
        queue = waiting.get(key(exemption), deque())
        while queue and queue[0] in taken:
            queue.popleft()
        if queue:
            taken[queue.popleft()] = exemption
        else:
            left.append(exemption)
    return left


def _lines(finding: Finding) -> Iterator[Key]:
    place = finding.location
    for line in {place.line, place.end_line}:
        yield place.path, finding.rule, line, None


def _line(exemption: Exemption) -> Key:
    return exemption.suppression.path, exemption.suppression.rule, exemption.line, None


def _identity(finding: Finding) -> Iterator[Key]:
    for tag in {finding.tag, finding.old_tag}:
        yield finding.subject, finding.rule, finding.id, tag


def _named(exemption: Exemption) -> Key:
    return (
        exemption.suppression.path,
        exemption.suppression.rule,
        exemption.finding_id,
        exemption.tag,
    )


def _values(finding: Finding) -> Iterator[Key]:
    for tag in {finding.tag, finding.old_tag}:
        yield finding.subject, finding.rule, None, tag


def _value(exemption: Exemption) -> Key:
    return exemption.suppression.path, exemption.suppression.rule, None, exemption.tag


def _finding(rule: str, exemption: Exemption, detail: str) -> Finding:
    return rules.finding(rule, exemption.suppression.location, detail, exemption.finding_id)


def _note(kind: str, exemption: Exemption, text: str) -> Note:
    path, line = exemption.place
    return Note(kind=kind, path=path, line=line, text=text)


def _ended(exemption: Exemption) -> str:
    one = exemption.suppression
    return f"the exception for {one.rule} ended on {one.until} (owner {one.owner})"


def _ending(exemption: Exemption, today: date) -> str:
    one, days = exemption.suppression, (exemption.ends - today).days
    return f"the exception for {one.rule} ends on {one.until}, in {days} days (owner {one.owner})"
