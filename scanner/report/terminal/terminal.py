"""The terminal report. A clean run has one line and its notes, and does not import rich."""

from __future__ import annotations

from scanner.model import Outcome
from scanner.report import summary, text
from scanner.report.interface import ReportContext


def report(outcome: Outcome, context: ReportContext) -> list[str]:
    """Lines for people: findings, notes, gaps, and the result as the last lines."""
    if outcome.complete and not outcome.findings and not (outcome.live or outcome.access):
        return [text.for_log(_clean(outcome, context))]
    from scanner.report.terminal import listing

    return [text.for_log(listing.listing(outcome, context))]


def _clean(outcome: Outcome, context: ReportContext) -> str:
    tick = "\x1b[32m✓\x1b[0m" if context.color else "✓"
    nothing_read = not outcome.coverage.files and outcome.coverage.skipped
    result = "! nothing was read" if nothing_read else f"{tick} clean"
    facts = [*summary.read(outcome), *summary.remarks(outcome)]
    notes = ["  ".join(filter(None, ("note", *note))) for note in summary.notes(outcome, context)]
    return "\n".join([*notes, f"{result} · {' · '.join(facts)}", ""])
