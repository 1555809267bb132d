"""Markdown tables for a comment or a wiki page, with hostile text escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from scanner.model import Finding, Outcome
from scanner.records import AccessMatrix, Audited, Status
from scanner.report import live_summary, summary, text
from scanner.report.access import matrix as access_matrix
from scanner.report.interface import ReportContext, whose
from scanner.report.order import gap_order, most_severe

_ROWS = 200  # of each table: a comment holds 65,536 characters
_PROSE = 600  # characters shown of a cell


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """The result, then a table each of classes, changes, findings, gaps and notes."""
    return (text.for_log(line) + "\n" for line in _lines(outcome, context))


def _lines(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    mark, words = summary.verdict(outcome, context.fail_on)
    yield f"# keywatch: {mark} {text.for_markdown(words)}"
    for problem, remedy in live_summary.unaudited(outcome.live) if outcome.live else ():
        yield from ("", text.for_markdown("; ".join(filter(None, (problem, remedy)))))
    facts = [*summary.read(outcome), *summary.remarks(outcome)]
    yield from ("", " · ".join(map(text.for_markdown, facts)))
    if outcome.live:
        yield from _live(outcome.live)
    found = sorted(outcome.findings, key=most_severe)
    head = ("Severity", "Finding", "Where", "Detail")
    yield from _table("Findings", head, [_finding(each, context) for each in found])
    if outcome.access:
        yield from _access(outcome.access)
    gaps = [(gap.kind, gap.path, gap.reason) for gap in sorted(outcome.gaps, key=gap_order)]
    yield from _table("Not checked", ("Gap", "Where", "Why"), gaps)
    notes = [("note", *note) for note in summary.notes(outcome, context)]
    yield from _table("Notes", ("", "Where", "What"), notes)


def _finding(finding: Finding, context: ReportContext) -> tuple[str, ...]:
    place = summary.place(finding.location.path, finding.location.line, context)
    names = (finding.resource.id,) if finding.resource else (finding.preview, finding.context)
    where = ", ".join(filter(None, (*names, place)))
    detail = "; ".join(filter(None, (finding.detail, *whose(finding), f"id {finding.id}")))
    return finding.severity.label, context.rule(finding).title, where, detail


def _live(live: Audited) -> Iterator[str]:
    rows = [_class(name, secrets) for name, secrets in live_summary.by_class(live)]
    yield from _table("Classes", ("Class", "Limit", "Secrets", "Verdicts", "Conditions"), rows)
    if live.since:
        title = f"Changes since {text.moment(live.since)}"
        yield from _table(title, ("", "Secret", "What"), live_summary.changes(live.changes))


def _access(matrix: AccessMatrix) -> Iterator[str]:
    rows = [access_matrix.cells(row) for row in access_matrix.worst_first(matrix.rows)]
    yield from _table("Access matrix", access_matrix.HEAD, rows)
    if matrix.since:
        changes = [access_matrix.change(one) for one in matrix.changes]
        yield from _table(f"Changes since {matrix.since}", access_matrix.CHANGES_HEAD, changes)
    for proposal in matrix.proposals:
        yield from ("", f"## {text.for_markdown(f'Narrower policy for {proposal.service}')}", "")
        yield from (f"    {text.visible(line)}" for line in proposal.text.splitlines())


def _class(name: str, secrets: Sequence[Status]) -> tuple[str, ...]:
    limits = sorted({text.duration(each.limit) for each in secrets if each.limit})
    wrong = Counter(condition for each in secrets for condition in each.conditions)
    conditions = ", ".join(f"{count:,} {each}" for each, count in sorted(wrong.items()))
    count = f"{len(secrets):,}"
    return name, ", ".join(limits), count, live_summary.verdicts(secrets), conditions


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A heading and a table, or nothing without rows."""
    if not rows:
        return
    yield from ("", f"## {text.for_markdown(title)}", "")
    yield _row(head)
    yield _row(["---"] * len(head), escape=False)
    yield from (_row(row) for row in rows[:_ROWS])
    if len(rows) > _ROWS:
        yield from ("", f"… and {len(rows) - _ROWS:,} more")


def _row(cells: Iterable[str], *, escape: bool = True) -> str:
    shown = (text.for_markdown(text.shorten(cell, _PROSE)) if escape else cell for cell in cells)
    return f"| {' | '.join(shown)} |"
