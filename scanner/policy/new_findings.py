"""Policy: select the findings, comments and notes that a change adds to a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scanner.model import AllowComment, Confidence, Finding, Location, Note

Lines = Sequence[tuple[int, int]] | None
"""The first and last line of each added block. None if the whole file is new."""

Known = Mapping[tuple[str, str, str], Confidence]


def known(before: Iterable[Finding]) -> Known:
    """The findings before the change, with their highest confidence."""
    found: dict[tuple[str, str, str], Confidence] = {}
    for each in before:
        found[_key(each)] = max(each.confidence, found.get(_key(each), Confidence.LOW))
    return found


def touches(place: Location, lines: Lines) -> bool:
    """Whether a location overlaps an added line."""
    if lines is None:
        return True
    return any(first <= place.end_line and place.line <= last for first, last in lines)


def new_findings(findings: Iterable[Finding], lines: Lines, before: Known) -> tuple[Finding, ...]:
    """The findings on added lines, and those that the file did not have before.

    A change can cause the latter by a new path, a new key, or other text near the value.
    """
    return tuple(
        each
        for each in findings
        if touches(each.location, lines) or before.get(_key(each), 0) < each.confidence
    )


def comments(
    comments: Iterable[AllowComment], lines: Lines
) -> tuple[tuple[AllowComment, ...], tuple[AllowComment, ...]]:
    """(comments that apply, comments that the change adds).

    Added comments have no effect, and neither do comments whose covered line changed. An invalid
    comment is kept only if it is new, so that it is reported once.
    """
    kept, added = [], []
    for each in comments:
        if not _touches_line(each.line, lines):
            if not (each.problem or _touches_line(each.covers, lines)):
                kept.append(each)
        elif each.problem:
            kept.append(each)
        else:
            added.append(each)
    return tuple(kept), tuple(added)


def notes(found: Iterable[Note], lines: Lines) -> tuple[Note, ...]:
    """The notes about the whole file or about added lines."""
    return tuple(each for each in found if not each.line or _touches_line(each.line, lines))


def _touches_line(line: int, lines: Lines) -> bool:
    return touches(Location(path="", line=line, end_line=line), lines)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.context, finding.preview
