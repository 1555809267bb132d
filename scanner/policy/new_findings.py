"""Policy: which findings of a file are new, given the lines that a change adds to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scanner.model import AllowComment, Confidence, Finding, Location, Note

Lines = Sequence[tuple[int, int]] | None
"""The first and the last line of each block that is new; None where all of them are."""

Known = Mapping[tuple[str, str, str], Confidence]


def known(before: Iterable[Finding]) -> Known:
    """What was found in the file before, and how sure that was."""
    found: dict[tuple[str, str, str], Confidence] = {}
    for each in before:
        found[_key(each)] = max(each.confidence, found.get(_key(each), Confidence.LOW))
    return found


def touches(place: Location, lines: Lines) -> bool:
    """Does a place lie on a line that is new?"""
    if lines is None:
        return True
    return any(first <= place.end_line and place.line <= last for first, last in lines)


def new_findings(findings: Iterable[Finding], lines: Lines, before: Known) -> tuple[Finding, ...]:
    """Those that touch a new line, and those that the file had not before: because its path says
    something else now, or the key of the value, or what stands around it."""
    return tuple(
        each
        for each in findings
        if touches(each.location, lines) or before.get(_key(each), 0) < each.confidence
    )


def comments(
    said: Iterable[AllowComment], lines: Lines
) -> tuple[tuple[AllowComment, ...], tuple[AllowComment, ...]]:
    """The allow comments that count, and those that the change adds: they count for nothing, nor
    does one whose line is another one now. What is wrong with one is said of a new one alone."""
    kept, added = [], []
    for each in said:
        if not _touches_line(each.line, lines):
            if not (each.problem or _touches_line(each.covers, lines)):
                kept.append(each)
        elif each.problem:
            kept.append(each)
        else:
            added.append(each)
    return tuple(kept), tuple(added)


def notes(said: Iterable[Note], lines: Lines) -> tuple[Note, ...]:
    """Those about the file, and about a new line."""
    return tuple(each for each in said if not each.line or _touches_line(each.line, lines))


def _touches_line(line: int, lines: Lines) -> bool:
    return touches(Location(path="", line=line, end_line=line), lines)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.context, finding.preview
