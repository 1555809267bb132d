"""Benchmark section: how fast does the HTML report open in a browser?

The report has 10,000 findings of 100 rules. It is opened in Debian's Chromium, without a window,
and so is a bare table with the same rows: no style, no script. The time is from the start of the
navigation until the browser has painted the page; the fastest of five runs counts. The times of a
search are those of its first use, when the script reads all rows, and of a later one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench import machine, peers
from bench.results import Demand, Section, Table
from scanner.fingerprints import identify
from scanner.model import Confidence, Finding, Location, Outcome, RuleInfo, Severity
from scanner.report import formats
from scanner.report.interface import ReportContext

FOLDER = peers.BUILD / "html"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
FINDINGS, RULES = 10_000, 100
RUNS = 5
_PAINTED = """() => new Promise(done => requestAnimationFrame(() => setTimeout(
    () => done(performance.now()))))"""
_SEARCH = """words => new Promise(done => {
    const input = document.querySelector('#findings input[type=search]');
    const begun = performance.now();
    input.value = words;
    input.form.requestSubmit();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
})"""


def section() -> Section:
    load = machine.load()
    if not shutil.which("chromium"):
        raise peers.BenchError("there is no chromium: apt-get install chromium")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    begun = time.perf_counter()
    report = written(FOLDER / "report.html", FINDINGS)
    writing = time.perf_counter() - begun
    table = bare(FOLDER / "table.html", FINDINGS)
    with browser() as chromium:
        ours, theirs = opened(chromium, report), opened(chromium, table)
        first, later = searched(chromium, report)
    return Section(
        name="html",
        title="The HTML report",
        intro=(__doc__ or "").partition("\n\n")[2].strip(),
        demands=(
            Demand(
                text=f"open a report of {FINDINGS:,} findings, against a bare table of them",
                value=ours / theirs,
                limit=2.0,
                unit=" times",
            ),
        ),
        tables=(
            Table(
                title="Times",
                head=("What", "Milliseconds"),
                rows=(
                    (f"open the report, {report.stat().st_size:,} bytes", f"{ours:.0f}"),
                    (f"open the bare table, {table.stat().st_size:,} bytes", f"{theirs:.0f}"),
                    ("search for the first time", f"{first:.0f}"),
                    ("search again", f"{later:.0f}"),
                    ("write the report", f"{writing * 1000:.0f}"),
                ),
            ),
        ),
        facts=machine.facts((peers.keywatch(),), load),
    )


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield chromium
        chromium.close()


def opened(chromium: Browser, file: Path, runs: int = RUNS) -> float:
    """Milliseconds from the start of the navigation until the page is painted."""
    times = []
    for _ in range(runs):
        page = chromium.new_page()
        page.goto(file.absolute().as_uri())
        times.append(float(page.evaluate(_PAINTED)))
        page.close()
    return min(times)


def searched(chromium: Browser, file: Path) -> tuple[float, float]:
    """Milliseconds of the first and of a later search."""
    page: Page = chromium.new_page()
    page.goto(file.absolute().as_uri())
    page.evaluate(_PAINTED)
    first, later = (float(page.evaluate(_SEARCH, words)) for words in ("service-7", "team-3"))
    page.close()
    return first, later


def findings(number: int) -> tuple[Finding, ...]:
    levels = tuple(Severity)
    return identify(
        Finding(
            rule=f"rule-{each % RULES}",
            location=Location(path=f"team-{each % 40}/service-{each}/app.py", line=each % 900 + 1),
            severity=levels[each % RULES % 4],
            confidence=Confidence.HIGH,
            preview="token_…x9",
            context="API_TOKEN",
            detail=f"assigned to a name that suggests a secret, in version {each % 7}",
        )
        for each in range(number)
    )


def written(file: Path, number: int) -> Path:
    """The report of so many findings."""
    words = "Whoever holds it can act as the service that it belongs to."
    rules = {
        f"rule-{each}": RuleInfo(
            id=f"rule-{each}",
            title=f"Token of vendor {each}",
            severity=Severity.HIGH,
            confidence=Confidence.HIGH,
            secret_class="api-key",  # noqa: S106 - the name of a class
            why=words,
            revoke=words,
            rotate=words,
            purge=words,
        )
        for each in range(RULES)
    }
    context = ReportContext(rules=rules, now=NOW, version="0", root="app")
    file.write_text(formats.render("html", Outcome(findings(number)), context), encoding="utf-8")
    return file


def bare(file: Path, number: int) -> Path:
    """The same rows as a table and nothing else."""
    rows = (
        _row(
            (
                each.severity.label,
                f"{each.location}:{each.location.column}",
                each.context,
                each.preview,
                each.detail,
                each.id,
            )
        )
        for each in findings(number)
    )
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><table>\n'
    file.write_text(head + "".join(rows) + "</table></html>\n", encoding="utf-8")
    return file


def _row(cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
