"""Findings, gaps and notes for the terminal.

Each finding has one line, `path:line:column  severity  rule  message  (ID)`, sorted by file. What
to do about each rule follows once, below. Gaps and the summary come last, where a terminal shows
them without scrolling.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby, pairwise

from scanner.model import (
    Acceptance,
    Detail,
    Finding,
    Outcome,
    RuleInfo,
    Severity,
    archives_around,
)
from scanner.records import Audited
from scanner.report import live_summary, summary, text
from scanner.report.interface import ReportContext, remedy, whose
from scanner.report.order import by_place, gap_order
from scanner.report.terminal import access_table, live_tables
from scanner.report.terminal.page import Page, Part, cells

_GAPS = 10
_SARIF = "audit.sarif"
_WEAKENED = "policy-weakened"
_WORDS, _NAME, _PROSE = 48, 240, 1200  # characters shown of a word, of an id and of a text
_BRIEF = 160  # characters shown of a finding's detail, and of what to do, unless all is asked for
_NAMES = 40  # characters of a rule's name beside what to do
_SENTENCE = re.compile(r".*?[.!?](?=\s)")
_INDENT = 10  # the longest severity and two spaces
_SEVERITIES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
_MARKS = {"✗": "bold red", "!": "bold yellow", "✓": "bold green"}


def listing(outcome: Outcome, context: ReportContext) -> str:
    """The report of an outcome with findings, gaps or notes."""
    page = Page(width=context.width, color=context.color)
    if outcome.live:
        _unaudited(outcome.live, page)
        live_tables.standings(outcome.live, page)
    found = sorted(outcome.findings, key=by_place)
    _findings(found, context, page)
    _rules(found, context, page)
    if outcome.access:
        access_table.show(outcome.access, page)
    _notes(outcome, context, page)
    _gaps(outcome, context, page)
    _verdict(outcome, context, page)
    _hints(outcome, found, context, page)
    return page.render()


def _unaudited(live: Audited, page: Page) -> None:
    """The stores that were not audited, and why, before everything else."""
    for words, first in live_summary.unaudited(live):
        shown = text.shorten(words, _PROSE)
        page.paragraph(shown, indent=2, label=("!", "bold yellow"), style="bold")
        if first:  # on one line, because it may contain a command to copy
            page.line(("  ", ""), (text.shorten(first, _PROSE), ""))
        page.space()


def _findings(found: Sequence[Finding], context: ReportContext, page: Page) -> None:
    """One line for each finding, with columns that are aligned within each file."""
    for _, group in groupby(found, key=lambda each: each.location.path):
        rows = [_row(each, context) for each in group]
        place, rule = (max(cells(row[column][0]) for row in rows) for column in (0, 2))
        for row in rows:
            page.line(*_columns(row, (place, _INDENT - 2, rule)))
    if found:
        page.space()


def _row(finding: Finding, context: ReportContext) -> list[Part]:
    place = finding.location
    where = f"{summary.place(place.path, place.line, context)}:{place.column}"
    return [
        (where, _linked("bold", summary.link(place.path, context))),
        (finding.severity.label, _SEVERITIES[finding.severity]),
        (_clip(finding.rule, 2 * _WORDS), ""),
        (_message(finding, context), ""),
        (f"({_clip(finding.id)})", "dim"),
    ]


def _linked(style: str, url: str) -> str:
    return f"{style} link {url}" if url else style


def _columns(row: Sequence[Part], widths: Sequence[int]) -> Iterator[Part]:
    """The parts of a line, the first ones padded to these widths."""
    for number, (words, style) in enumerate(row):
        room = widths[number] - cells(words) if number < len(widths) else 0
        yield words, style
        if number < len(row) - 1:
            yield " " * (room + 2), ""


def _message(finding: Finding, context: ReportContext) -> str:
    """What was found, in one line."""
    words = _clip(context.rule(finding).title, 2 * _WORDS)
    if finding.resource:
        words = f"{text.shorten(text.visible(finding.resource.id), _NAME)}: {words}"
    if finding.preview:
        words += f" '{_clip(finding.preview)}'"
    if finding.context and not finding.resource and finding.preview:
        words += f" in {_clip(finding.context)}"
    full = context.detail is Detail.FULL
    more = [finding.detail, *whose(finding)]
    if finding.confidence < context.fail_on.confidence:
        more.append(f"{finding.confidence.label} confidence")
    shown = [_clip(each, _PROSE if full else _BRIEF) for each in more if each]
    return "; ".join([words, *shown])


def _rules(found: Iterable[Finding], context: ReportContext, page: Page) -> None:
    """What to do about the findings of each rule, the most severe rule first."""
    first: dict[str, Finding] = {}
    for each in sorted(found, key=lambda each: (-each.severity, each.rule)):
        first.setdefault(each.rule, each)
    rules = [context.rule(each) for each in first.values()]
    if context.detail is Detail.FULL:
        _in_full(rules, page)
    else:
        _in_brief(rules, page)


def _in_brief(rules: Sequence[RuleInfo], page: Page) -> None:
    """The first sentence on what to do about each rule. Rules of the same words share them."""
    steps = [(rule, remedy(rule)[0]) for rule in rules if remedy(rule)]
    first_of: dict[tuple[str, str], str] = {}
    indent = 2 + min(_NAMES, max((cells(rule.id) for rule, _ in steps), default=0))
    for rule, (step, words) in steps:
        sentence = _SENTENCE.match(words)
        shown = f"{step}: {sentence[0] if sentence else words}"
        first = first_of.setdefault((step, words), rule.id)
        if first != rule.id:
            shown = f"{step}: as for {first}"
        page.paragraph(_clip(shown, _BRIEF), indent=indent, label=(_clip(rule.id, _NAMES), "bold"))
    if steps:
        page.space()


def _in_full(rules: Sequence[RuleInfo], page: Page) -> None:
    """All texts of each rule. A text that an earlier rule has shown is replaced by its title."""
    shown: dict[str, str] = {}
    for rule in rules:
        page.line((_clip(rule.id, 2 * _WORDS), "bold"), (f"  {_clip(rule.title, 2 * _WORDS)}", ""))
        if rule.why:
            page.paragraph(_clip(rule.why, _PROSE), indent=2)
        earlier: dict[str, list[str]] = {}
        for step, words in remedy(rule):
            if words in shown:
                earlier.setdefault(shown[words], []).append(step)
            else:
                page.paragraph(_clip(words, _PROSE), indent=10, label=(f"  {step}", "green"))
                shown[words] = _clip(rule.id, _WORDS)
        for name, steps in earlier.items():
            label = f"  {', '.join(steps)}  ".ljust(10)
            page.line((label, "green"), (f"as for {name}", "dim"))
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
    room = len(gaps) if context.detail is Detail.FULL else _GAPS
    for gap in gaps[:room]:
        words = _clip(f"{gap.kind}: {gap.reason}", _PROSE)
        _remark(("    ", ""), summary.place(gap.path, 0, context), words, page)
    if len(gaps) > room:
        page.line((f"    … and {len(gaps) - room:,} more; -v lists all", ""))
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


def _verdict(outcome: Outcome, context: ReportContext, page: Page) -> None:
    mark, words = summary.verdict(outcome, context.fail_on)
    page.paragraph(words, indent=2, label=(mark, _MARKS[mark]), style="bold")
    page.items([*summary.read(outcome), *summary.remarks(outcome)], indent=2)


def _hints(outcome: Outcome, found: Sequence[Finding], context: ReportContext, page: Page) -> None:
    hints = []
    if found and context.detail is not Detail.FULL:
        hints.append(("more on each:  ", "-v explains every rule"))
    if summary.hides_notes(outcome):
        hints.append(("all notes:     ", _again(context, "--report", "json=report.json")))
    # An invalid exception must be corrected, not accepted.
    can_accept = [each for each in found if each.resource or context.rule(each).secret_class]
    unwritten = [each for each in can_accept if not _waits_for_approval(each, found)]
    if unwritten:
        hints += _acceptance(unwritten[0], context)
    elif can_accept:
        words = "CI passes --approve COMMIT once an owner agrees (docs/exceptions.md)"
        hints.append(("to approve:    ", words))
    for label, words in hints:
        page.line((f"  {label}", "dim"), (words, ""))


def _waits_for_approval(finding: Finding, found: Iterable[Finding]) -> bool:
    """Does the change add an exception for the finding, which does not count yet?"""
    words = f"the exception for {finding.rule} in {finding.location.path},"
    return any(each.rule == _WEAKENED and each.detail.startswith(words) for each in found)


def _acceptance(finding: Finding, context: ReportContext) -> Iterator[tuple[str, str]]:
    """How to accept a finding that is no secret, by a command that has this effect."""
    if context.acceptance is Acceptance.NONE:
        yield "to correct it: ", "change the text; an exception needs a file that it can name"
        return
    label = "to accept one: "
    if finding.resource and not _sarif_report(context):
        yield label, _again(context, "--report", f"sarif={_SARIF}")
        label = " " * len(label)
    yield label, _to_accept(finding, context)
    if context.acceptance is Acceptance.APPROVAL:
        yield "               ", "then have it approved: it counts in this run with --approve REF,"
        yield "               ", "or once it is on the base branch (docs/exceptions.md)"


def _to_accept(finding: Finding, context: ReportContext) -> str:
    """The command that accepts a finding, with the folder or file to scan for it."""
    path = finding.location.path
    around = archives_around(path)
    options = ["--archives"] if around else []
    where = summary.place((path, *around)[-1], 0, context)
    if finding.resource:
        report = shlex.quote(text.visible(_sarif_report(context) or _SARIF))
        options = [f"--audit {report}"]
        where = text.visible(context.policy_in or context.open_from)
    elif finding.since and not finding.since.present:
        options, where = ["--history", *options], ""
    place = [shlex.quote(where)] if where and (context.open_from or context.policy_in) else []
    if now := _option("--now", context):  # the end below counts from it
        options += ["--now", shlex.quote(now)]
    end = (context.now + timedelta(days=90)).date()
    terms = f'--reason "…" --owner @team --until {end}'
    return " ".join([f"{context.program} allow", _clip(finding.id), *place, *options, terms])


def _sarif_report(context: ReportContext) -> str:
    """The SARIF report that the run has written. "" if there is none."""
    for each in _words(context)[1]:
        name, _, file = each.partition("=")
        if name in {"sarif", "sarif-full"} and file != "-":
            return file
    return ""


def _again(context: ReportContext, *more: str) -> str:
    """The command that repeats the run with other reports."""
    words, _ = _words(context)
    end = words.index("--") if "--" in words else len(words)
    given = [*words[1:end], *more, *words[end:]]
    return text.visible(f"{context.program} {shlex.join(given)}")


def _option(name: str, context: ReportContext) -> str:
    """The value of an option in the command line, "" if it is not there."""
    words, _ = _words(context)
    for word, after in pairwise([*words, ""]):
        if word == name or word.startswith(f"{name}="):
            return after if word == name else word.partition("=")[2]
    return ""


def _words(context: ReportContext) -> tuple[list[str], list[str]]:
    """The words of the command line without its reports, and the reports as FORMAT=FILE."""
    try:
        given = shlex.split(context.command)
    except ValueError:  # masking has removed a quote
        given = context.command.split()
    words, reports = [], []
    rest = iter(given)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in {"--report", "-f", "--format"}:
            value = value if equals else next(rest, "")
            reports.append(value if name == "--report" else f"{value}=-")
        elif word not in {"-q", "--quiet"}:
            words.append(word)
    return words, reports


def _clip(words: str, limit: int = _WORDS) -> str:
    return text.shorten(text.visible(words), limit)
