"""Policy: findings of a run, the exceptions that apply to them, and the scope of the scan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import NamedTuple, Protocol

from scanner.model import Finding, Note, NoteKind, Suppressed, Suppression, archives_around

UNUSED_AFTER = timedelta(days=14)


class Scope(NamedTuple):
    """What the run covers.

    `unread` are paths with a Gap. `unopened` are these and the skipped paths; an archive among them
    may contain any member. `today` is a UTC day. An exception that is younger than
    `unused_after` is never unused.
    """

    whole_tree: bool
    today: date
    idle_rules: Collection[str] = ()
    unread: Collection[str] = ()
    unopened: AbstractSet[str] = frozenset()
    unused_after: timedelta = UNUSED_AFTER

    def can_judge(self, rule: str, path: str) -> bool:
        """Whether the run can tell that an exception for this rule and file is unused."""
        if not self.whole_tree or rule in self.idle_rules or path in self.unread:
            return False
        return self.unopened.isdisjoint(archives_around(path))

    def with_usage(self, suppression: Suppression, *, needed: bool) -> Suppression:
        """Set `used`. It is false only if the exception is known to be unused."""
        return suppression._replace(
            used=needed or not self.can_judge(suppression.rule, suppression.path)
        )


class ExceptionReport(NamedTuple):
    """The findings, notes and register rows that one kind of exception adds to the Outcome."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    register: tuple[Suppression, ...] = ()


class FindingRegistry:
    """The findings of a run, by number, and the suppression of each one that has one."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=in_order))
        self._covered: dict[int, Suppression] = {}

    def open(self) -> Iterator[tuple[int, Finding]]:
        """The findings that are not suppressed yet, with their numbers."""
        return (pair for pair in enumerate(self.findings) if pair[0] not in self._covered)

    def cover(self, number: int, suppression: Suppression) -> None:
        self._covered[number] = suppression

    def suppressed(self) -> tuple[Suppressed, ...]:
        return tuple(
            Suppressed(finding=self.findings[number], suppression=suppression)
            for number, suppression in sorted(self._covered.items())
        )


class ExceptionSource(Protocol):
    """A baseline of keywatch or of detect-secrets."""

    def cover(self, registry: FindingRegistry, scope: Scope) -> ExceptionReport: ...


def stale_note(where: str, register: Iterable[Suppression]) -> tuple[Note, ...]:
    """A note about baseline entries that match no finding. Empty if there are none."""
    stale = sum(not suppression.used for suppression in register)
    text = f"baseline entries that match no finding any more: {stale} (`keywatch baseline prune`)"
    return (Note(kind=NoteKind.STALE_BASELINE, path=where, text=text),) if stale else ()


def in_order(finding: Finding) -> tuple[str, int, int, str, int, str, str, int]:
    """A sort key: location first, then rule. The other fields make the order total."""
    place = finding.location
    return (
        place.path,
        place.line,
        place.column,
        finding.rule,
        finding.ordinal,
        finding.fingerprint,
        finding.detail,
        -1 if finding.tag is None else finding.tag,
    )
