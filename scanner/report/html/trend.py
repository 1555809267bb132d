"""Earlier runs as charts: stacked columns, one for each run, with the same numbers in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from scanner.model import Outcome, Severity
from scanner.report import text
from scanner.report.html import words
from scanner.report.html.overview import EarlierRuns, RunNumbers
from scanner.report.html.page import Chart, Column, Segment, Table, Tick
from scanner.report.interface import ReportContext

_RUNS = 60
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BELOW = 760, 230, 44, 28, 18, 30
_WIDEST = 36  # pixels of a column
_LABEL = 84  # pixels that a day below a column takes
_SEVERITIES = tuple((level.label, level.label) for level in reversed(Severity))
_LATE = (
    ("bad", "overdue, never rotated or expired"),
    ("warn", "unknown age"),
    ("soon", "in the grace period"),
)
_OF = {
    "overdue": "bad",
    "never-rotated": "bad",
    "expired": "bad",
    "undated": "warn",
    "grace": "soon",
}
Numbers = Mapping[str, int]


def charts(outcome: Outcome, context: ReportContext) -> tuple[Chart, ...]:
    """Findings and late secrets of this run and those before it. Nothing without earlier runs."""
    earlier = context.earlier
    if not earlier or not earlier.runs:
        return ()
    runs = _with_this(earlier, outcome, context)
    if len(runs) < 2:
        return ()
    found = _chart("Findings", _SEVERITIES, runs, _by_severity)
    if not outcome.live:
        return (found,)
    return (_chart("Secrets that are not in time", _LATE, runs, _by_lateness), found)


def _with_this(
    earlier: EarlierRuns, outcome: Outcome, context: ReportContext
) -> Sequence[RunNumbers]:
    """The last runs up to this one, which is not in the ledger yet, or already."""
    before = [run for run in earlier.runs if run.at < context.now]
    secrets = outcome.live.secrets if outcome.live else ()
    this = RunNumbers(
        at=context.now,
        is_complete=outcome.complete,
        findings=Counter(each.severity for each in outcome.findings),
        verdicts=Counter(each.verdict for each in secrets),
    )
    return [*before, this][-_RUNS:]


def _by_severity(run: RunNumbers) -> Numbers:
    return {level.label: number for level, number in run.findings.items()}


def _by_lateness(run: RunNumbers) -> Numbers:
    counts: Counter[str] = Counter()
    for verdict, number in run.verdicts.items():
        if verdict in _OF:
            counts[_OF[verdict]] += number
    return counts


def _chart(
    title: str,
    keys: Sequence[tuple[str, str]],
    runs: Sequence[RunNumbers],
    numbers: Callable[[RunNumbers], Numbers],
) -> Chart:
    counted = [numbers(run) for run in runs]
    top = _ceiling(max(sum(each.values()) for each in counted))
    step = (_WIDTH - _LEFT - _RIGHT) / len(runs)
    every = -(-_LABEL // max(int(step), 1))  # a day is written below each of so many columns
    columns = tuple(
        Column(
            middle=round(_LEFT + step * (number + 0.5)),
            label=words.day(run.at) if (len(runs) - 1 - number) % every == 0 else "",
            words=_run_text(run, counts, keys),
            is_complete=run.is_complete,
            segments=tuple(_segments(counts, keys, top)),
        )
        for number, (run, counts) in enumerate(zip(runs, counted, strict=True))
    )
    return Chart(
        title=title,
        summary=_summary(runs, counted),
        width=_WIDTH,
        height=_HEIGHT,
        bottom=_HEIGHT - _BELOW,
        thickness=min(round(step * 0.62), _WIDEST),
        ticks=tuple(Tick(_y(each, top), f"{each:,}") for each in (0, top // 2, top)),
        columns=columns,
        keys=tuple(keys),
        numbers=_table(runs, counted, keys),
    )


def _ceiling(most: int) -> int:
    """An even, round number that is at least `most`."""
    unit = 1
    while True:
        for factor in (2, 4, 6, 8, 10):
            if factor * unit >= most:
                return factor * unit
        unit *= 10


def _y(number: int, top: int) -> int:
    return round(_HEIGHT - _BELOW - number * (_HEIGHT - _BELOW - _TOP) / top)


def _segments(counts: Numbers, keys: Sequence[tuple[str, str]], top: int) -> list[Segment]:
    segments, below = [], 0
    for kind, _ in keys:
        number = counts.get(kind, 0)
        if number:
            bottom, upper = _y(below, top), _y(below + number, top)
            segments.append(Segment(kind, min(upper, bottom - 1), bottom))
            below += number
    return segments


def _run_text(run: RunNumbers, counts: Numbers, keys: Sequence[tuple[str, str]]) -> str:
    parts = [f"{counts[kind]:,} {name}" for kind, name in keys if counts.get(kind)]
    incomplete = "" if run.is_complete else " (incomplete)"
    return f"{words.moment(run.at)}{incomplete}: {', '.join(parts) or 'none'}"


def _summary(runs: Sequence[RunNumbers], counted: Sequence[Numbers]) -> str:
    first, last = (sum(counted[place].values()) for place in (0, -1))
    return (
        f"{text.count(len(runs), 'run')} from {words.day(runs[0].at)} to {words.day(runs[-1].at)}:"
        f" {first:,} at first, {last:,} now"
    )


def _table(
    runs: Sequence[RunNumbers], counted: Sequence[Numbers], keys: Sequence[tuple[str, str]]
) -> Table:
    rows = [
        (
            words.plain(words.moment(run.at), "" if run.is_complete else "incomplete"),
            *(words.plain(f"{counts.get(kind, 0):,}") for kind, _ in keys),
        )
        for run, counts in zip(reversed(runs), reversed(counted), strict=True)
    ]
    head = ("Run", *(name.capitalize() for _, name in keys))
    return Table("The numbers", head, rows, is_open=False)
