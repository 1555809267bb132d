"""Read audit logs, run all detections over them, and judge what they found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from scanner.configuration import repository
from scanner.console import Console, plain
from scanner.errors import UsageError
from scanner.fingerprints import identify
from scanner.inputs.archives.compression import Refused
from scanner.masking import masked_gap, masked_terms
from scanner.model import (
    Coverage,
    FailOn,
    Finding,
    Gap,
    GapKind,
    Note,
    NoteKind,
    Observation,
    Outcome,
    Severity,
)
from scanner.policy import judge, rules
from scanner.policy.declarations.matching import SecretEntries
from scanner.report.interface import ReportContext
from scanner.repository import policy_files
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree
from scanner.trail import findings, last_used, state
from scanner.trail.analysis import Alert, Analysis, Options, subjects
from scanner.trail.detections.access import Services
from scanner.trail.detections.rules import DETECTIONS
from scanner.trail.logging_checks.check import Checked, check_logging
from scanner.trail.logging_checks.rules import RULES as LOGGING_RULES
from scanner.trail.reading import follow, merge, streams
from scanner.trail.reading.log import Log
from scanner.trail.reading.merge import Opener
from scanner.trail.sigma import rule_files
from scanner.trail.sigma import rules as sigma_rules
from scanner.trail.sigma.rule_files import Described
from scanner.trail.state import State

_SHOWN_EVERY = 4096  # events between two updates of the progress
_AHEAD = 300.0
"""Seconds that the clock of a server may be ahead of this machine's."""


class TrailRequest(NamedTuple):
    """One run, as it was asked for. Times are in seconds.

    `logs` are files, globs or `-`. `backend` is the name of the store in canonical ids. `rules` are
    files with Sigma rules of one's own. `configurations` are files that say what is logged.
    """

    logs: tuple[str, ...]
    path: str = "."
    backend: str = "-"
    rules: tuple[str, ...] = ()
    configurations: tuple[str, ...] = ()
    operator: str | None = None
    state: str | None = None
    last_used: str | None = None
    follow: bool = False
    heartbeat: float = 3_600.0
    learning: float = 7 * 86_400.0


class FinishedTrail(NamedTuple):
    """A judged run. `save` writes what the next run needs, once the reports are out."""

    outcome: Outcome
    fail_on: FailOn
    now: datetime
    tree: Tree
    described: tuple[Described, ...]
    save: Callable[[], None]

    def report_context(self, console: Console, fail_on: Severity | None) -> ReportContext:
        infos = (*(each.info for each in self.described), *LOGGING_RULES, *rules.RULES)
        known = {rule.id: rule for rule in infos}
        failing = self.fail_on.at(fail_on)
        context = console.report_context(known, self.now, self.tree.root, failing, "trail")
        return context._replace(policy_in=self.tree.open_from)


def trail(request: TrailRequest, console: Console, now: datetime) -> FinishedTrail | None:
    """Read and judge all logs. None if a policy file is invalid; it says so.

    UsageError, ConfigError: the request, a rule or the state is wrong.
    """
    _refuse_contradictions(request)
    tree = Tree(request.path, console)
    files = policy_files.load(tree, console)
    if files is None:
        return None
    own = [rule_files.parse(console.file(name), name) for name in request.rules]
    documents = rule_files.replaced(rule_files.shipped(), own)
    described = (*rule_files.described(documents), *DETECTIONS)
    known = state.load(state.place(request.state, console.cwd)) if request.state else State()
    analysis = _analysis(request, files, documents, now)
    _restore(analysis, known, request)
    reading = _Reading(request, console, known, now)
    _read(request, console, analysis, reading, described)
    checks = check_logging(request.configurations, request.operator, console, tree.root, now)
    outcome = _outcome(analysis, reading, files, described, checks, now)

    def save() -> None:
        if request.last_used:
            place = os.path.join(console.cwd, request.last_used)
            last_used.write(place, analysis, now, complete=outcome.complete)
        if request.state:
            positions = state.together(known.positions, reading.positions())
            place = state.place(request.state, console.cwd)
            state.save(place, State(positions, analysis.saved()))

    return FinishedTrail(outcome, files.config.failing, now, tree, described, save)


def _refuse_contradictions(request: TrailRequest) -> None:
    if not request.logs and not request.configurations and not request.operator:
        raise UsageError(
            "no audit log was given",
            todo="name files, globs, or - for standard input; or --logging FILE to check only"
            " what is logged",
        )
    if request.logs.count(streams.STDIN) > 1:
        raise UsageError("standard input can be read only once", todo="give - once")
    if request.follow and (len(request.logs) != 1 or request.logs[0] == streams.STDIN):
        raise UsageError("--follow needs exactly one file", todo="name the live audit log")


def _analysis(
    request: TrailRequest, files: PolicyFiles, documents: Sequence[Any], now: datetime
) -> Analysis:
    config = files.config
    options = Options(
        services=Services(config.services),
        entries=SecretEntries(config.secrets, config.classes),
        heartbeat=request.heartbeat or float("inf"),
        learning=request.learning,
        # The events of a followed log are newer than the start of the run.
        latest=float("inf") if request.follow else now.timestamp() + _AHEAD,
    )
    return Analysis(sigma_rules.parsed(documents), subjects(documents), options)


def _restore(analysis: Analysis, known: State, request: TrailRequest) -> None:
    if known.analysis is None:
        return
    try:
        analysis.restore(known.analysis)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise state.not_a_state(request.state or "") from None


class _Reading:
    """The logs of a run: opened when their time comes, and what was not read of them."""

    def __init__(
        self, request: TrailRequest, console: Console, known: State, now: datetime
    ) -> None:
        self.logs: list[Log] = []
        self._gaps: list[Gap] = []
        self._console = console
        self._known = known.positions
        self._backend = request.backend
        self._latest = float("inf") if request.follow else now.timestamp() + _AHEAD
        self._names = streams.names(request.logs, console)

    def openers(self) -> Iterator[Opener]:
        """Each log with the time of its first event; the only one is not opened for that."""
        for name in self._names:
            start = float("-inf")
            if len(self._names) > 1 and name != streams.STDIN:
                log = self._opened(name)
                if log is None:
                    continue
                start = next((event.time for event in log.events()), float("inf"))
                log.stream.close()
            yield Opener(start, partial(self.open, name))

    def open(self, name: str) -> Log:
        """The log, read from where the last run stopped."""
        log = self._opened(name)
        if log is None:  # its compression is not known: a Gap says so
            log = Log(streams.empty(name), self._backend, self._latest)
        self.logs.append(log)
        return log

    def _opened(self, name: str) -> Log | None:
        try:
            stream = streams.opened(name, self._console, self._known)
        except Refused as error:
            self._gaps.append(Gap(kind=error.kind, path=name, reason=error.reason))
            return None
        return Log(stream, self._backend, self._latest)

    def gaps(self) -> Iterator[Gap]:
        yield from self._gaps
        for log in self.logs:
            yield from log.gaps()

        if self.logs and not any(log.lines.offset for log in self.logs):
            reason = "there is nothing in it"
            yield Gap(kind=GapKind.EMPTY, path=self.logs[0].name, reason=reason)

    def positions(self) -> Iterator[streams.Position]:
        for log in self.logs:
            if position := log.position():
                yield position

    @property
    def coverage(self) -> Coverage:
        return Coverage(files=len(self.logs), size=sum(log.size for log in self.logs))


def _read(
    request: TrailRequest,
    console: Console,
    analysis: Analysis,
    reading: _Reading,
    described: Iterable[Described],
) -> None:
    if not request.follow:
        progress = console.progress(what="events")
        for number, (log, event) in enumerate(merge.merged([*reading.openers()])):
            analysis.add(log, event)
            if not number % _SHOWN_EVERY:
                progress.at(number)
        progress.clear()
        return
    _follow(request, console, analysis, reading, described)


def _follow(
    request: TrailRequest,
    console: Console,
    analysis: Analysis,
    reading: _Reading,
    described: Iterable[Described],
) -> None:
    """Read until the run is interrupted, and print each new alert at once."""
    titles = {each.info.id: each.info.title for each in described}

    def show(alert: Alert) -> None:
        text = f"{titles[alert.rule]}: {findings.said(alert)}"
        console.write(f"{plain(f'{alert.log}:{alert.line} {alert.rule} {text}')}\n")

    analysis.on_alert = show
    try:
        live = reading.open(request.logs[0])
        for log, event in follow.followed(live, _reopen(request, console), time.sleep):
            if log not in reading.logs:
                reading.logs.append(log)
            analysis.add(log, event)
    except KeyboardInterrupt:
        console.error_line("keywatch: no longer following; the reports come now")


def _reopen(request: TrailRequest, console: Console) -> Callable[[], Log | None]:
    """The live log after its rotation; None while there is no file."""

    def opened() -> Log | None:
        try:
            stream = streams.opened(request.logs[0], console, ())
        except UsageError:
            return None
        return Log(stream, request.backend, float("inf"))

    return opened


def _outcome(  # noqa: PLR0913, PLR0917 - all that the outcome is made of
    analysis: Analysis,
    reading: _Reading,
    files: PolicyFiles,
    described: Sequence[Described],
    checks: Checked,
    now: datetime,
) -> Outcome:
    by_id = {each.info.id: each for each in described}
    found, notes = findings.made(analysis.alerts.values(), by_id, analysis.access.match)
    found += checks.findings
    notes += _notes(analysis, reading, files)
    config = files.config
    judged = judge.judge(
        [Observation(path="", size=0, findings=identify(sorted(found, key=_order)))],
        gaps=[*map(masked_gap, (*reading.gaps(), *_gaps(analysis), *checks.gaps))],
        notes=notes,
        entries=[masked_terms(each) for each in config.allow if each.rule.startswith("trail-")],
        accepted_gaps=[masked_terms(each) for each in config.accept_gaps],
        whole_tree=False,
        now=now,
    )
    return judged._replace(coverage=reading.coverage)


def _order(finding: Finding) -> tuple[str, str, str, int]:
    return finding.rule, finding.context, finding.location.path, finding.location.line


def _gaps(analysis: Analysis) -> Iterator[Gap]:
    for log, line, since, until in analysis.silences[:100]:
        reason = (
            f"no event from {findings.moment(since)} to {findings.moment(until)} (line {line:,})"
        )
        yield Gap(kind=GapKind.MISSING_STRETCH, path=log.name, reason=reason)
    if analysis.too_many:
        reason = f"{analysis.too_many:,} more alerts than can be kept were only counted"
        yield Gap(kind=GapKind.TOO_MANY_FINDINGS, path="", reason=reason)


def _notes(analysis: Analysis, reading: _Reading, files: PolicyFiles) -> Iterator[Note]:
    if not files.exists or not files.config.services:
        text = f"{repository.NAME} maps no services, so reads outside of the mapping are not found"
        yield Note(kind=NoteKind.NO_POLICY, path="", text=text)
    if analysis.duplicates:
        text = f"events that came again, from another device or file: {analysis.duplicates:,}"
        yield Note(kind=NoteKind.DUPLICATE_EVENTS, path="", text=text)
    if unanswered := sum(log.unanswered for log in reading.logs):
        text = f"calls of Vault without a response in the logs: {unanswered:,}"
        yield Note(kind=NoteKind.UNANSWERED, path="", text=text)
    if analysis.access.forgot:
        text = "more pairs of identity and secret than can be kept; the oldest were forgotten"
        yield Note(kind=NoteKind.TRAIL, path="", text=text)
