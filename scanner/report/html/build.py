"""Build the page model of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from scanner.model import Outcome, Severity
from scanner.report import summary, text
from scanner.report.html import findings, live, register, trend, words
from scanner.report.html.access import access
from scanner.report.html.overview import ControlRow, EarlierRuns, RepositoryRow
from scanner.report.html.page import Cell, Fact, Label, Page, Section, Table, Tile
from scanner.report.interface import ReportContext
from scanner.report.order import gap_order, note_order, skip_order

_KINDS = {
    "scan": "Scan for secrets",
    "audit": "Audit of live secrets",
    "access": "Access review",
    "trail": "Analysis of audit logs",
    "policy-check": "Policy check",
    "fleet": "Scan of many repositories",
}
_TONES = {"✓": "ok", "!": "warn", "✗": "bad"}
_SKIPS = 200  # paths listed of each kind of skipped file


def page(outcome: Outcome, context: ReportContext) -> Page:
    """Everything that the page shows. The same outcome and context give the same page."""
    mark, verdict = summary.verdict(outcome, context.fail_on)
    kind = _KINDS.get(context.analysis.partition("/")[0], "Report")
    subject = words.name(context.root)
    built = Page(
        title=f"{verdict} · {kind} of {subject} · keywatch",
        kind=kind,
        subject=subject,
        when=words.moment(context.now),
        verdict=Label(_TONES[mark], verdict[0].upper() + verdict[1:]),
        advice=_advice(outcome, context),
        tiles=tuple(_tiles(outcome)),
        facts=tuple(_facts(outcome, context)),
        covered=tuple(_covered(outcome)),
        coverage=tuple(_coverage(outcome)),
        gaps=_gaps(outcome, context),
        notes=tuple(_notes(outcome, context)),
        repositories=_repositories(context.repositories),
        found=findings.found(outcome, context),
        rotation=live.board(outcome.live, context.now) if outcome.live else (),
        changes=live.changes(outcome.live) if outcome.live else None,
        access=access(outcome.access) if outcome.access else None,
        exceptions=register.exceptions(outcome, context.now),
        charts=trend.charts(outcome, context),
        controls=tuple(_controls(context.earlier)),
        evidence=_evidence(context.earlier),
        version=context.version,
        sections=(),
    )
    return built._replace(sections=tuple(_sections(built)))


def _advice(outcome: Outcome, context: ReportContext) -> str:
    failing = sum(map(context.fail_on.fails, outcome.findings))
    parts = []
    if failing:
        parts.append("Start with the first rule below: revoke the secret, then remove it.")
        if context.analysis != "scan":
            parts = ["Start with the first rule below."]
    elif outcome.findings:
        parts.append("No finding fails this run.")
    if outcome.gaps:
        parts.append(f"{text.count(len(outcome.gaps), 'part')} could not be checked.")
    return " ".join(parts) or "Nothing to do."


def _tiles(outcome: Outcome) -> Iterator[Tile]:
    counts = Counter(each.severity for each in outcome.findings)
    for level in reversed(Severity):
        number = counts[level]
        tone = level.label if number else "plain"
        yield Tile(tone, f"{number:,}", level.label, "findings" if number else "")
    gaps = len(outcome.gaps)
    yield Tile("warn" if gaps else "plain", f"{gaps:,}", "not checked", "gaps" if gaps else "")
    if outcome.live:
        late = live.late(outcome.live)
        yield Tile("bad" if late else "plain", f"{late:,}", "not in time", "rotation")
    hidden = len(outcome.suppressed)
    yield Tile("plain", f"{hidden:,}", "suppressed", "exceptions" if hidden else "")


def _facts(outcome: Outcome, context: ReportContext) -> Iterator[Fact]:
    fail_on = context.fail_on
    yield Fact("Command", words.prose(context.command), is_code=True)
    yield Fact(
        "Fails on",
        f"{fail_on.severity.label} severity and above, {fail_on.confidence.label} confidence"
        " and above",
    )
    yield Fact("Complete", "yes" if outcome.complete else "no: see what could not be checked")


def _covered(outcome: Outcome) -> Iterator[Fact]:
    coverage = outcome.coverage
    if not outcome.live or coverage.files:
        yield Fact("Files read", f"{coverage.files:,}")
        yield Fact("Size", text.size(coverage.size))
    if outcome.live:
        yield Fact("Live secrets read", f"{len(outcome.live.secrets):,}")
    if outcome.access:
        yield Fact("Pairs of service and secret", f"{len(outcome.access.rows):,}")
    for kind, number in sorted(coverage.skipped.items(), key=lambda item: (-item[1], item[0])):
        yield Fact(f"Skipped: {words.name(kind)}", f"{number:,}")


def _coverage(outcome: Outcome) -> Iterator[Table]:
    if outcome.live and outcome.live.reach:
        yield live.backends(outcome.live)
    if outcome.skips:
        yield _skips(outcome)


def _skips(outcome: Outcome) -> Table:
    """The files that a rule left out, at most some of each kind."""
    kinds: dict[str, list[str]] = {}
    for skip in sorted(outcome.skips, key=skip_order):
        kinds.setdefault(skip.kind, []).append(skip.path)
    rows = []
    for kind, paths in sorted(kinds.items()):
        rows += [(words.plain(kind), words.code(path)) for path in paths[:_SKIPS]]
        if len(paths) > _SKIPS:
            rest = f"… and {len(paths) - _SKIPS:,} more; the JSON report has all"
            rows.append((words.plain(kind), words.plain(rest)))
    remark = "They do not make the run incomplete."
    return Table("Skipped by a rule", ("Why", "Path"), rows, remark=remark, is_open=False)


def _gaps(outcome: Outcome, context: ReportContext) -> Table | None:
    if not outcome.gaps:
        return None
    rows = [
        (
            words.code(summary.place(gap.path, 0, context) or "the run"),
            words.plain(gap.reason or "no reason is known"),
            words.labelled("warn", gap.kind),
        )
        for gap in sorted(outcome.gaps, key=gap_order)
    ]
    return Table("What could not be checked", ("Where", "Why", "Kind"), rows)


def _notes(outcome: Outcome, context: ReportContext) -> Iterator[Table]:
    if outcome.notes:
        rows = [
            (
                words.code(summary.place(note.path, note.line, context) or "the run"),
                words.plain(note.text),
                words.plain(note.kind),
            )
            for note in sorted(outcome.notes, key=note_order)
        ]
        remark = "They do not fail the run."
        head = ("Where", "What", "Kind")
        yield Table("Worth knowing", head, rows, remark=remark, is_open=len(rows) <= 5)


def _repositories(repositories: Sequence[RepositoryRow]) -> Table | None:
    if not repositories:
        return None
    levels = tuple(reversed(Severity))
    head = ("Team", "Repository", "Classes", *(each.label.capitalize() for each in levels))
    rows = [_repository(each, levels) for each in sorted(repositories, key=_most_findings)]
    remark = f"{text.count(len(rows), 'repository').replace('repositorys', 'repositories')}"
    return Table("Repositories", (*head, "Oldest", "Not scanned"), rows, remark=remark)


def _most_findings(row: RepositoryRow) -> tuple[object, ...]:
    counts = (-row.findings.get(level, 0) for level in reversed(Severity))
    return (*counts, not row.problem, row.team, row.name)


def _repository(row: RepositoryRow, levels: Sequence[Severity]) -> tuple[Cell, ...]:
    oldest = "" if row.oldest is None else text.duration(row.oldest)
    gaps = text.count(row.gaps, "part") if row.gaps else "nothing"
    missed = words.plain(gaps)
    if row.problem:
        missed = Cell(text=words.prose(row.problem), labels=(words.label("warn", "not scanned"),))
    return (
        words.plain(row.team or "no team"),
        words.code(row.name),
        words.plain(_numbers(row.classes) or "none"),
        *(_count(row.findings.get(level, 0), level) for level in levels),
        words.plain(oldest or "unknown" if any(row.findings.values()) else "none"),
        missed,
    )


def _count(number: int, level: Severity) -> Cell:
    if not number:
        return words.plain("0")
    return words.labelled(level.label, f"{number:,}")


def _numbers(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {name}" for name, number in ordered)


def _controls(earlier: EarlierRuns | None) -> Iterator[Table]:
    """A table for each framework."""
    frameworks: dict[str, list[ControlRow]] = {}
    for row in earlier.controls if earlier else ():
        frameworks.setdefault(row.framework, []).append(row)
    for framework, rows in frameworks.items():
        head = ("Control", "Result", "What it shows", "Evidence")
        yield Table(words.name(framework), head, [_control(row) for row in rows])


def _control(row: ControlRow) -> tuple[Cell, ...]:
    results = {
        True: ("ok", "shown to work"),
        False: ("bad", "failed"),
        None: ("plain", "not tested"),
    }
    last = ", ".join(map(str, row.entries[-5:]))
    entries = f"entries {'… ' if len(row.entries) > 5 else ''}{last}" if last else ""
    return (
        words.plain(row.control, row.title),
        words.labelled(*results[row.is_shown]),
        words.plain(row.shows),
        words.plain(row.why, entries),
    )


def _evidence(earlier: EarlierRuns | None) -> str:
    """Where the trend and the controls come from."""
    if earlier is None:
        return ""
    if earlier.problem:
        return earlier.problem
    start, end = earlier.start, earlier.end
    period = f", from {words.day(start)} to {words.day(end)}" if start and end else ""
    return f"From the ledger with the head {earlier.head[:12]}{period}."


def _sections(built: Page) -> Iterator[Section]:
    """The entries of the navigation, one for each section with data."""
    yield Section("overview", "Overview")
    if built.repositories:
        yield Section("repositories", "Repositories", f"{len(built.repositories.rows):,}")
    if built.found:
        yield Section("findings", built.found.title, f"{built.found.total:,}")
    if built.rotation:
        yield Section("rotation", "Rotation", _rows(built.rotation))
    if built.changes:
        yield Section("changes", "Changes", f"{len(built.changes.rows):,}")
    if built.access:
        yield Section("access", "Access matrix", f"{len(built.access.tables[0].rows):,}")
    if built.exceptions:
        yield Section("exceptions", "Exceptions", _rows(built.exceptions))
    if built.charts:
        yield Section("trend", "Trend")
    if built.controls:
        yield Section("controls", "Controls", _rows(built.controls))
    if built.notes:
        yield Section("notes", "Notes", _rows(built.notes))


def _rows(tables: Sequence[Table]) -> str:
    return f"{sum(len(table.rows) for table in tables):,}"
