"""Findings, gaps and notes for the terminal.

Findings are grouped by rule, the most severe first. A group explains its rule once and has one line
`path:line:column` for each place. Gaps and the summary come last, where a terminal shows them
without scrolling.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby

from scanner.model import Finding, Outcome, Severity, archives_around
from scanner.report import summary, text
from scanner.report.interface import ReportContext, remedy, whose
from scanner.report.order import by_place, gap_order
from scanner.report.terminal import access_table, live_tables
from scanner.report.terminal.page import Page, Part, cells

_GROUPS = 20
_PLACES = 40  # all of them up to this number; more share it, but at least _FEW for each group
_FEW = 3
_GAPS = 10
_WORDS, _NAME, _PROSE = 48, 240, 1200  # characters shown of a name, of an id and of a text
_INDENT = 10  # the longest severity and two spaces
_SEVERITIES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
_MARKS = {"✗": "bold red", "!": "bold yellow", "✓": "bold green"}
Group = list[Finding]


def listing(outcome: Outcome, context: ReportContext) -> str:
    """The report of an outcome with findings, gaps or notes."""
    page = Page(width=context.width, color=context.color)
    groups = _grouped(outcome.findings)
    room = _room(len(outcome.findings), len(groups))
    if outcome.live:
        live_tables.standings(outcome.live, page)
    _findings(groups, room, context, page)
    if outcome.access:
        access_table.show(outcome.access, page)
    _notes(outcome, context, page)
    _gaps(outcome, context, page)
    _verdict(outcome, context, page)
    _hints(outcome, groups, room, context, page)
    return page.render()


def _grouped(findings: Iterable[Finding]) -> list[Group]:
    """One group for each rule, severity and confidence, the most severe first."""
    ordered = sorted(sorted(findings, key=by_place), key=_group)
    return [list(group) for _, group in groupby(ordered, key=_group)]


def _room(findings: int, groups: int) -> int:
    """How many places of each group are shown."""
    return _PLACES if findings <= _PLACES else max(_FEW, _PLACES // min(groups, _GROUPS))


def _group(finding: Finding) -> tuple[int, int, str]:
    return (-finding.severity, -finding.confidence, finding.rule)


def _findings(groups: Sequence[Group], room: int, context: ReportContext, page: Page) -> None:
    said: dict[str, str] = {}
    for group in groups[:_GROUPS]:
        _header(group[0], context, page)
        _places(group[:room], context, page)
        _more(len(group) - room, page)
        _advice(group[0], said, context, page)
    rest = [finding for group in groups[_GROUPS:] for finding in group]
    if rest:
        words = f"… and {text.count(len(rest), 'finding')} of {len(groups) - _GROUPS:,} more kinds"
        page.line((f"{words}: {summary.severities(rest)}", ""))
        page.space()


def _header(finding: Finding, context: ReportContext, page: Page) -> None:
    rule = context.rule(finding)
    label = finding.severity.label.ljust(_INDENT)
    page.line((label, _SEVERITIES[finding.severity]), (_clip(rule.title, 2 * _WORDS), "bold"))
    facts = [_clip(finding.rule, 2 * _WORDS), f"{finding.confidence.label} confidence"]
    if finding.severity < context.fail_on:
        facts.append(f"below --fail-on {context.fail_on.label}")
    page.paragraph(" · ".join(facts), indent=_INDENT, style="dim")
    if rule.why:
        page.paragraph(_clip(rule.why, _PROSE), indent=_INDENT)
    page.space()


def _places(group: Group, context: ReportContext, page: Page) -> None:
    rows = [_row(finding, context) for finding in group]
    widths = [max(cells(row[column]) for row in rows) for column in range(4)]
    fits = 4 + sum(widths) + 2 * 3 <= page.width
    for finding, (where, *facts) in zip(group, rows, strict=True):
        if fits:
            page.line(("    ", ""), *_columns([where, *facts], widths))
        else:
            page.line(("    ", ""), (where, "bold"))
            page.line(("      ", ""), *_columns(["", *facts], [0, *widths[1:]]))
        for words in filter(None, (finding.detail, " · ".join(whose(finding)))):
            page.paragraph(_clip(words, _PROSE), indent=6, style="dim")


def _row(finding: Finding, context: ReportContext) -> list[str]:
    place = finding.location
    where = summary.place(place.path, place.line, context)
    if finding.resource:
        name = text.visible(finding.resource.id)
        return [text.shorten(name, _NAME), "", where, _clip(finding.id)]
    return [
        f"{where}:{place.column}",
        _clip(finding.preview),
        _clip(finding.context),
        _clip(finding.id),
    ]


def _columns(row: Sequence[str], widths: Sequence[int]) -> Iterable[Part]:
    """The cells of a row, padded; a column that is empty in every row takes no room."""
    styles = ("bold", "yellow", "", "dim")
    for cell, width, style in zip(row[:-1], widths, styles, strict=False):
        if width:
            yield from ((cell, style), (" " * (width - cells(cell) + 2), ""))
    yield (row[-1], styles[-1])


def _advice(finding: Finding, said: dict[str, str], context: ReportContext, page: Page) -> None:
    """What to do. Text that an earlier rule has already shown is replaced by that rule's title."""
    page.space()
    rule = context.rule(finding)
    earlier: dict[str, list[str]] = {}
    for step, words in remedy(rule):
        if words in said:
            earlier.setdefault(said[words], []).append(step)
        else:
            page.paragraph(_clip(words, _PROSE), indent=12, label=(f"    {step}", "green"))
            said[words] = _clip(rule.title, _WORDS)
    for title, steps in earlier.items():
        label = f"    {', '.join(steps)}  ".ljust(12)
        page.line((label, "green"), (f"as for {title}", "dim"))
    if remedy(rule):
        page.space()


def _notes(outcome: Outcome, context: ReportContext, page: Page) -> None:
    label = "note"
    for where, words in summary.notes(outcome, context):
        _remark((label.ljust(_INDENT), "blue"), where, words, page)
        label = ""
    if outcome.notes:
        page.space()


def _gaps(outcome: Outcome, context: ReportContext, page: Page) -> None:
    gaps = sorted(outcome.gaps, key=gap_order)
    if not gaps:
        return
    missed = "were not audited" if outcome.live else "are not reported"
    heading = f"{text.count(len(gaps), 'path')}: secrets there {missed}"
    page.line(("NOT CHECKED", "bold reverse yellow"), (f"  {heading}", "bold"))
    for gap in gaps[:_GAPS]:
        words = _clip(f"{gap.kind}: {gap.reason}", _PROSE)
        _remark(("    ", ""), summary.place(gap.path, 0, context), words, page)
    _more(len(gaps) - _GAPS, page)
    page.space()


def _remark(label: Part, where: str, words: str, page: Page) -> None:
    """A place and a text, on one line if both fit. Either may be empty."""
    indent = len(label[0])
    if where and indent + cells(where) + 2 + cells(words) > page.width:
        page.line(label, (where, "bold"))
        page.paragraph(words, indent=indent + 2)
    elif where:
        page.line(label, (where, "bold"), (f"  {words}", ""))
    else:
        page.paragraph(words, indent=indent, label=label)


def _more(number: int, page: Page) -> None:
    if number > 0:
        page.line((f"    … and {number:,} more", ""))


def _verdict(outcome: Outcome, context: ReportContext, page: Page) -> None:
    mark, words = summary.verdict(outcome, context.fail_on)
    page.paragraph(words, indent=2, label=(mark, _MARKS[mark]), style="bold")
    page.items([*summary.read(outcome), *summary.remarks(outcome)], indent=2)


def _hints(
    outcome: Outcome, groups: Sequence[Group], room: int, context: ReportContext, page: Page
) -> None:
    command = text.visible(context.command)
    long_list = len(groups) > _GROUPS or any(len(group) > room for group in groups)
    if long_list or len(outcome.gaps) > _GAPS or summary.hides_notes(outcome):
        page.line(("  the whole list: ", "dim"), (f"{command} --report json=FILE", ""))
    accepted = [g[0] for g in groups if g[0].resource or context.rule(g[0]).secret_class]
    if accepted:  # an invalid exception must be corrected, not accepted
        if accepted[0].resource:
            page.line(("  its report:     ", "dim"), (f"{command} --report sarif=FILE", ""))
        page.line(("  to accept one:  ", "dim"), (_to_accept(accepted[0], context), ""))


def _to_accept(finding: Finding, context: ReportContext) -> str:
    """The command that accepts a finding, with the folder or file to scan for it."""
    path = finding.location.path
    around = archives_around(path)
    options = ["--archives"] if around else []
    where = summary.place((path, *around)[-1], 0, context)
    if finding.resource:
        options, where = ["--audit FILE"], text.visible(context.open_from)
    elif finding.since and not finding.since.present:
        options, where = ["--history", *options], ""
    place = [shlex.quote(where)] if where and context.open_from else []
    end = (context.now + timedelta(days=90)).date()
    terms = f'--reason "…" --owner @team --until {end}'
    return " ".join(["keywatch allow", _clip(finding.id), *place, *options, terms])


def _clip(words: str, limit: int = _WORDS) -> str:
    return text.shorten(text.visible(words), limit)
