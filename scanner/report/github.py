"""Workflow commands of GitHub, which a runner turns into annotations.

A step shows ten annotations of each level and silently drops the others. If there are more, the
nine most severe are written, and the tenth says how many are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scanner.model import Finding, Gap, Location, Note, Outcome, Severity
from scanner.report import summary, text
from scanner.report.interface import ReportContext, sentences
from scanner.report.order import gap_order, most_severe, note_order

_SHOWN = 10
_TITLE, _MESSAGE = 255, 4096  # characters; the runner cuts what is longer
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
}
Item = Finding | Gap | Note


class _Annotation(NamedTuple):
    """The content of a command. Without a path it is about the run; line 0 is the whole file."""

    title: str
    words: str
    place: Location


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """Commands for the most severe findings, gaps and notes; the last line is the result."""
    items: list[Item] = [
        *sorted(outcome.findings, key=most_severe),
        *sorted(outcome.gaps, key=gap_order),
        *sorted(outcome.notes, key=note_order),
    ]
    for level in ("error", "warning", "notice"):
        yield from _level(level, [each for each in items if _level_of(each) == level], context)
    _, words = summary.verdict(outcome, context.fail_on)
    facts = [f"keywatch: {words}", *summary.read(outcome), *summary.remarks(outcome)]
    yield text.for_log(text.visible(" · ".join(facts))) + "\n"


def _level_of(item: Item) -> str:
    match item:
        case Finding():
            return _LEVELS[item.severity]
        case Gap():
            return "error"
        case Note():
            return "notice"


def _level(level: str, items: Sequence[Item], context: ReportContext) -> Iterator[str]:
    room = _SHOWN if len(items) <= _SHOWN else _SHOWN - 1
    for item in items[:room]:
        yield _command(level, _annotation(item, context), context)
    if items[room:]:
        yield _command(level, _hidden(items[room:], context), context)


def _annotation(item: Item, context: ReportContext) -> _Annotation:
    match item:
        case Finding():
            words = " ".join([*sentences(item, context), f"Id: {item.id}."])
            return _Annotation(context.rule(item).title, words, item.location)
        case Gap():
            return _Annotation(f"Not checked: {item.kind}", item.reason, Location(item.path, 0))
        case Note():
            return _Annotation(item.kind, item.text, Location(item.path, item.line))


def _hidden(items: Sequence[Item], context: ReportContext) -> _Annotation:
    kinds = [type(item).__name__.lower() for item in items]
    counts = (text.count(kinds.count(kind), kind) for kind in dict.fromkeys(kinds))
    words = f"{', '.join(counts)} more. For all of them: {context.command} --report json=FILE"
    return _Annotation("keywatch: not shown here", words, Location(""))


def _command(level: str, annotation: _Annotation, context: ReportContext) -> str:
    title = text.shorten(text.visible(annotation.title), _TITLE)
    values = {**_place(annotation.place, context), "title": title}
    properties = ",".join(f"{name}={text.for_property(value)}" for name, value in values.items())
    message = text.for_workflow(text.shorten(text.visible(annotation.words), _MESSAGE))
    return f"::{level} {properties}::{message}\n"


def _place(place: Location, context: ReportContext) -> dict[str, str]:
    """The properties of a place. The runner accepts columns only within one line."""
    if not place.path or text.is_live(place.path):
        return {}
    file = {"file": context.in_repository + place.path}
    if not place.line:
        return file
    lines = {"line": place.line, "endLine": max(place.line, place.end_line)}
    one_line = place.line == place.end_line
    columns = {"col": place.column, "endColumn": place.end_column} if one_line else {}
    return file | {name: str(number) for name, number in (lines | columns).items()}
