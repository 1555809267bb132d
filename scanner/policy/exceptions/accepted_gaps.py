"""Policy: accept gaps that keywatch.yaml lists, until their end date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scanner import globs
from scanner.model import Gap, Location, Note, NoteKind, SuppressedBy, Suppression
from scanner.policy.exceptions.allow_entries import Exemption, end_of, report
from scanner.policy.judge_input import ExceptionReport, Scope


class AcceptedGap(NamedTuple):
    """A kind of Gap that is accepted for paths that match a glob, until the end of a day."""

    kind: str
    path: str
    reason: str
    until: str
    location: Location
    owner: str = ""


def accept(
    gaps: Sequence[Gap], accepted: Sequence[AcceptedGap], scope: Scope
) -> tuple[tuple[Gap, ...], ExceptionReport]:
    """The gaps that are not accepted, and the report about the accepted ones.

    An expired acceptance has no effect in any kind of run.
    """
    covers = {_exemption(one): _covered(gaps, one) for one in accepted}
    used = [each for each, covered in covers.items() if covered and each.ends >= scope.today]
    passed = {gap: each for each in reversed(used) for gap in covers[each]}
    open_gaps = tuple(gap for gap in gaps if gap not in passed)
    lapsed = [
        each for each, covered in covers.items() if each not in used and {*covered} & {*open_gaps}
    ]
    part = report(covers, used, lapsed, scope)
    notes = tuple(_note(gap, each) for gap, each in passed.items())
    return open_gaps, ExceptionReport(
        findings=part.findings, notes=part.notes + notes, register=part.register
    )


def _exemption(one: AcceptedGap) -> Exemption:
    suppression = Suppression(
        by=SuppressedBy.ACCEPTED_GAP,
        location=one.location,
        rule=one.kind,
        path=one.path,
        reason=one.reason,
        owner=one.owner,
        until=one.until,
    )
    return Exemption(suppression=suppression, ends=end_of(one.until))


def _covered(gaps: Sequence[Gap], one: AcceptedGap) -> list[Gap]:
    fits = globs.matcher([one.path])
    return [gap for gap in gaps if gap.kind == one.kind and fits(gap.path)]


def _note(gap: Gap, exemption: Exemption) -> Note:
    text = f"{gap.kind}: {gap.reason}; accepted until {exemption.suppression.until}"
    return Note(kind=NoteKind.GAP_ACCEPTED, path=gap.path, text=text)
