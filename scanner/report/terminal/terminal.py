"""The terminal report. A clean run has one line and its notes, and does not import rich."""

from __future__ import annotations

from scanner.model import Detail, Outcome
from scanner.report import summary, text
from scanner.report.interface import ReportContext

_COLORS = {"✓": 32, "!": 33, "✗": 31}


def report(outcome: Outcome, context: ReportContext) -> list[str]:
    """Lines for people: findings, notes, gaps, and the result as the last lines."""
    if context.detail is Detail.SUMMARY:
        return [text.for_log(_result(outcome, context))]
    if outcome.complete and not outcome.findings and not outcome.live:
        notes = ["  ".join(filter(None, ("note", *n))) for n in summary.notes(outcome, context)]
        return [text.for_log("\n".join([*notes, _result(outcome, context)]))]
    from scanner.report.terminal import listing

    return [text.for_log(listing.listing(outcome, context))]


def _result(outcome: Outcome, context: ReportContext) -> str:
    """The summary, on one line."""
    mark, words = summary.verdict(outcome, context.fail_on)
    if mark == "✓" and not outcome.coverage.files and outcome.coverage.skipped:
        mark, words = "!", "nothing was read"
    shown = f"\x1b[{_COLORS[mark]}m{mark}\x1b[0m" if context.color else mark
    facts = [*summary.read(outcome), *summary.remarks(outcome)]
    return " · ".join([f"{shown} {words}", *facts]) + "\n"
