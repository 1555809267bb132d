"""Policy: allow comments of other tools. They name no rule and suppress a whole line."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable

from scanner.model import AllowComment, Location, Note, NoteKind, SuppressedBy, Suppression
from scanner.policy.exceptions.allow_entries import is_ours
from scanner.policy.judge_input import ExceptionReport, FindingRegistry, Scope


class LegacyPragmas(enum.StrEnum):
    """Whether such a comment suppresses findings, does so with a note, or has no effect."""

    ALLOW = "allow"
    WARN = "warn"
    REFUSE = "refuse"


def cover(
    registry: FindingRegistry, comments: Iterable[AllowComment], worth: LegacyPragmas, scope: Scope
) -> ExceptionReport:
    """Suppress every open finding on a line with such a comment."""
    foreign = [c for c in comments if not is_ours(c)]
    accepted = {(c.path, c.covers): _suppression(c) for c in foreign}
    hits: Counter[tuple[str, int]] = Counter()
    for number, finding in (
        registry.open() if accepted and worth is not LegacyPragmas.REFUSE else ()
    ):
        place = finding.location
        at = next(
            (p for p in ((place.path, place.line), (place.path, place.end_line)) if p in accepted),
            None,
        )
        if at:
            registry.cover(number, accepted[at])
            hits[at] += 1
    register = tuple(
        scope.with_usage(_suppression(c), needed=(c.path, c.covers) in hits)
        for c in foreign
        if scope.whole_tree or (c.path, c.covers) in hits
    )
    notes = (_note(hits.total()),) if hits and worth is LegacyPragmas.WARN else ()
    return ExceptionReport(notes=notes, register=register)


def _suppression(comment: AllowComment) -> Suppression:
    location = Location.at(comment.path, comment.line)
    return Suppression(by=SuppressedBy.PRAGMA, location=location, path=comment.path)


def _note(findings: int) -> Note:
    text = (
        f"allow comments of other tools suppress {findings} of the findings without a reason, an "
        "owner or an end date: `keywatch allow list` lists them"
    )
    return Note(kind=NoteKind.LEGACY_PRAGMAS, path="", text=text)
