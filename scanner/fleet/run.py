"""Scan a fleet: the function that `keywatch fleet scan` calls."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from scanner import cache
from scanner.console import Console
from scanner.detect.detector import Detector, matcher_for
from scanner.detect.rules import rulebook
from scanner.fleet.cluster import engine
from scanner.fleet.coordinator import Fleet
from scanner.fleet.find import find_targets
from scanner.fleet.progress import Progress
from scanner.fleet.request import FleetRequest
from scanner.fleet.results import html_page, parquet, writer
from scanner.fleet.results.overview import Overview
from scanner.fleet.state import State
from scanner.model import Confidence, FailOn, Finding, Location, Severity
from scanner.report import formats


class FinishedFleet(NamedTuple):
    """A run whose results are written. `failing`: findings fail the run."""

    overview: Overview
    failing: bool


def scan(request: FleetRequest, console: Console, now: datetime) -> FinishedFleet:
    """Scan all repositories of the request, and write the results.

    UsageError: the request is wrong, a library is missing, or the state is in use. OutputError: the
    results could not be written, or the scheduler is gone for good.
    """
    engine.check(request.engine)
    parquet.check()
    if request.html:
        formats.reporter("html")  # its library must be there before hours of work
    writer.make_folder(request.output)
    progress = Progress(console.err)
    with State.opened(request.state, now, resume=request.resume) as state:
        if not request.engine.scheduler:
            _compile(request)
        overview = Overview(now)
        try:
            with Fleet.opened(request, state, progress, now) as fleet:
                fleet.scan(find_targets(request.targets))
                overview.not_compared = fleet.compare()
                overview.skipped = fleet.skipped
        finally:
            progress.end()
        context = console.report_context({}, now, "", request.fail_on or FailOn(), "history")
        writer.write(state, request.output, overview, context)
        if request.html:
            html_page.write(request.html, state, overview, context)
        failing = _failing(request, state)
        state.finish(overview.summary(), now)
    return FinishedFleet(overview, failing)


def _compile(request: FleetRequest) -> None:
    """Compile the rules once, for all worker processes of this machine."""
    folder = cache.folder()
    book = rulebook.load(cache_folder=folder)
    Detector(book, matcher_for(book, request.matcher, folder)).prepare()


def _failing(request: FleetRequest, state: State) -> bool:
    """Does any finding fail the run, by the options or by its repository's policy?"""
    asked = request.fail_on
    if asked is None:
        return any(each.failing for each in state.repositories())
    return any(
        asked.fails(
            Finding(
                rule=found.row.rule,
                location=Location(found.row.path),
                severity=Severity(found.row.severity),
                confidence=Confidence(found.row.confidence),
            )
        )
        for group in state.values()
        for found in group
    )
