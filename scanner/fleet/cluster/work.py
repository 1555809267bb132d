"""What a worker does with a unit. Each function opens one repository and returns masked results.

A worker process does one unit at a time. It reads tokens and compiled rules from its own machine.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import assert_never

import scanner
from scanner import cache
from scanner.console import Console
from scanner.detect.detector import Detector
from scanner.detect.rules.model import RuleFile
from scanner.detect.rules.rulebook import Rulebook
from scanner.errors import KeywatchError
from scanner.fleet.clones import CloneCache, CloneError
from scanner.fleet.cluster import items
from scanner.fleet.cluster.units import (
    FINDING,
    GAP,
    MESSAGE,
    MOVED,
    SKIP,
    Answer,
    Compared,
    CompareUnit,
    Failure,
    Item,
    Judged,
    JudgeUnit,
    Listed,
    ListUnit,
    Place,
    Row,
    Scanned,
    ScanUnit,
    Settings,
    Spot,
    Unit,
)
from scanner.fleet.request import CloneLimits
from scanner.inputs.git import commands
from scanner.inputs.git.revisions import Change, of_tips
from scanner.inputs.git.stored import of_commit
from scanner.masking import masked_gap
from scanner.model import Finding, Gap, GapKind, Observation, Outcome, Skip
from scanner.report import formats
from scanner.report.interface import ReportContext
from scanner.scan import commits, messages, sources
from scanner.scan import plan as planning
from scanner.scan import run as scanning
from scanner.scan.commit_scanner import CommitResult, CommitWorkerConfig
from scanner.scan.first_seen import FirstSeen
from scanner.scan.plan import ScanPlan
from scanner.scan.request import CommitSelection, HistoryRequest, ScanRequest
from scanner.scan.result import ScanResult

_PIECE = 250  # commits between two looks at the clock
_MOST_BOOKS = 4
_GAPS = 3  # of a repository in the overview; its report has all

_books: dict[tuple[str, frozenset[str]], Rulebook] = {}


def do(unit: Unit) -> Answer:
    """Do one unit. Raises nothing: Dask would log the arguments of a task that raised an error."""
    version = unit.settings.version
    if version != scanner.__version__:
        reason = f"the worker has keywatch {scanner.__version__}, this run is of {version}"
        reason += ": install the same version everywhere"
        return Failure(GapKind.WORKER_LOST, reason, temporary=True)
    try:
        with _opened(unit.place, unit.settings.clones) as root:
            return _in_repository(root, unit)
    except CloneError as error:
        return Failure(error.kind, error.reason, error.temporary)
    except KeywatchError as error:
        gap = masked_gap(Gap(GapKind.UNREADABLE, "", ": ".join(filter(None, _words(error)))))
        return Failure(gap.kind, gap.reason)
    except OSError as error:
        return Failure(GapKind.UNREADABLE, error.strerror or "it could not be read", temporary=True)
    except Exception as error:  # noqa: BLE001 - its text may quote the repository
        return Failure(GapKind.INTERNAL, _defect(error))


def cache_of(limits: CloneLimits) -> CloneCache:
    folder = limits.folder or os.path.join(cache.folder() or "", "clones")
    return CloneCache(Path(folder), limits.cache, loopback_http=limits.loopback_http)


def _words(error: KeywatchError) -> tuple[str, str]:
    return error.what, error.why


def _defect(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
    return f"a defect of keywatch, {type(error).__name__} in {place}: please report it"


@contextlib.contextmanager
def _opened(place: Place, limits: CloneLimits) -> Iterator[str]:
    """The folder of the clone, while it is open."""
    clones = cache_of(limits)
    opened = clones.open(
        place.target, timeout=limits.seconds, max_size=limits.repository, refs=place.refs
    )
    with opened as clone:
        root = os.path.realpath(clone.path)
        try:
            yield root
        finally:
            commands.end_processes(root)
            cache.stop_distrusting(root)


def _in_repository(root: str, unit: Unit) -> Answer:
    match unit:
        case ListUnit():
            return _listed(root, unit)
        case ScanUnit():
            return _scanned(root, unit)
        case JudgeUnit():
            return _judged(root, unit)
        case CompareUnit():
            return _compared(root, unit)
        case _:
            assert_never(unit)


def _listed(root: str, unit: ListUnit) -> Listed:
    plan = _plan(root, unit.place, unit.settings)
    rules = _rules(plan)
    known = unit.known_tips if rules == unit.known_rules else ()
    change = of_tips(root, unit.place.head, unit.place.tips, known)
    return Listed(rules, change.commits[::-1])


def _scanned(root: str, unit: ScanUnit) -> Scanned | Failure:
    """Scan the commits. A Failure if the rules are no longer those of the list, or if it takes too
    long."""
    plan = _plan(root, unit.place, unit.settings)
    if _rules(plan) != unit.rules:
        reason = "its rules changed during the run: run it again"
        return Failure(GapKind.CHANGED, reason, temporary=True)
    config = CommitWorkerConfig(root=root, workers=plan.workers, is_own=True, packed=False)
    end = time.monotonic() + unit.settings.seconds
    found: list[Item] = []
    result = CommitResult()
    for first in range(0, len(unit.commits), _PIECE):
        some = unit.commits[first : first + _PIECE]
        result.add(config.scan(some))
        found += _message_items(plan, some)
        if time.monotonic() > end:
            done, every = min(first + _PIECE, len(unit.commits)), len(unit.commits)
            if done < every:
                limit = f"the time limit of {unit.settings.seconds:.0f} seconds for one unit"
                reason = f"{limit} ended after {done} of {every} commits; --unit-timeout raises it"
                return Failure(GapKind.LEFT_OUT, reason)
    found += _items(plan, result)
    return Scanned(tuple(found), result.total.files, result.total.size)


def _message_items(plan: ScanPlan, some: Sequence[str]) -> Iterator[Item]:
    scanned = messages.scan(plan, (Change(commits=tuple(some)),))
    for seen in scanned.observations:
        yield items.of_message(seen.path.removeprefix(messages.COMMITS), seen)
    for gap in scanned.gaps:
        yield items.of_gap(gap.path.removeprefix(messages.COMMITS), gap)


def _items(plan: ScanPlan, result: CommitResult) -> Iterator[Item]:
    for commit, _, finding in result.past:
        yield items.of_finding(commit, finding)
    for commit, gap in result.gaps:
        yield items.of_gap(commit, masked_gap(gap))
    for skip, commit in result.skips.items():
        yield items.of_skip(commit, skip)
    paths = {path for _, old, new in result.moved for path in (old, new)}
    named = plan.workers.detector().names([*paths])
    with_secret = {path for path, name in named.items() if name.observation}
    for commit, old, new in result.moved:
        if not with_secret.intersection((old, new)):
            yield items.of_moved(commit, old, new)


def _judged(root: str, unit: JudgeUnit) -> Judged:
    plan, place = _plan(root, unit.place, unit.settings), unit.place
    change = of_tips(root, place.head, place.tips)
    there = {*change.commits}
    by_kind: dict[str, list[Item]] = {kind: [] for kind in (FINDING, MESSAGE, MOVED, GAP, SKIP)}
    for item in unit.items:
        if item.commit in there:  # a commit that was rewritten is no longer in the repository
            by_kind[item.kind].append(item)
    found = [(item.commit, items.finding(item)) for item in by_kind[FINDING]]
    first_seen = FirstSeen(
        plan,
        (change,),
        ((commit, each.location.path, each) for commit, each in found),
        map(items.moved, by_kind[MOVED]),
    )
    result = ScanResult()
    result.observations = [*first_seen.rest()]
    for item in by_kind[MESSAGE]:
        seen = items.message(item)
        since = first_seen.appearance(item.commit, present=True)
        findings = tuple(each._replace(since=since) for each in seen.findings)
        result.observations.append(seen._replace(findings=findings))
    result.gaps = [*map(items.gap, by_kind[GAP]), *map(masked_gap, change.gaps)]
    result.gaps += (Gap(*gap) for gap in unit.gaps)
    skips: dict[Skip, None] = dict.fromkeys(map(items.skip, by_kind[SKIP]))
    result.skips = [*skips]
    result.add(messages.scan(plan, (Change(tips=_tags(root, place)),)))
    result.files = len(change.commits)
    return _report(plan, result, unit)


def _tags(root: str, place: Place) -> tuple[str, ...]:
    """The tag objects that lead to the commits of the refs, for the messages in them."""
    objects = commands.objects(root)
    named = (
        (oid, name) for oid, name in commands.refs(root) if oid and name.startswith("refs/tags/")
    )
    return tuple(
        oid
        for oid, name in named
        if oid != place.refs.get(name) and objects.id(f"{oid}^{{commit}}") == place.refs.get(name)
    )


def _report(plan: ScanPlan, result: ScanResult, unit: JudgeUnit) -> Judged:
    outcome = scanning.judge(plan, result, unit.settings.now)
    name = unit.place.target.name
    context = scanning.report_context(
        plan, _console("."), unit.settings.now, plan.selection.config.failing
    )._replace(root=name, open_from="", command="keywatch fleet scan")
    text = formats.render("json", outcome, context)
    return Judged(
        report=zlib.compress(text.encode()),
        rows=tuple(_row(each, context, unit.place) for each in outcome.findings),
        failing=sum(map(context.fail_on.fails, outcome.findings)),
        gaps=len(outcome.gaps),
        first_gaps=tuple((each.kind, each.path, each.reason) for each in outcome.gaps[:_GAPS]),
        suppressed=len(outcome.suppressed),
        until=_next_end(outcome, unit.settings.now.date()),
    )


def _row(finding: Finding, context: ReportContext, place: Place) -> Row:
    since, info = finding.since, context.rule(finding)
    first = since.commit if since else ""
    is_file = not finding.location.path.startswith((messages.COMMITS, messages.TAGS))
    return Row(
        rule=finding.rule,
        title=info.title,
        severity=int(finding.severity),
        confidence=int(finding.confidence),
        secret_class=info.secret_class,
        path=finding.location.path,
        line=finding.location.line,
        column=finding.location.column,
        preview=finding.preview,
        context=finding.context,
        detail=finding.detail,
        fingerprint=finding.fingerprint,
        commit=first,
        author=since.author if since else "",
        date=since.date if since else "",
        present=since.present if since else True,
        source=place.head if is_file and since and since.present else first,
        tag=finding.tag,
    )


def _next_end(outcome: Outcome, today: date) -> str:
    """The first day on which an exception of the repository ends, "" if none does."""
    ends = (each.until[:10] for each in outcome.register if each.until)
    return min((end for end in ends if end >= today.isoformat()), default="")


def _compared(root: str, unit: CompareUnit) -> Compared | Failure:
    """The MACs of values, under the key of this worker."""
    from scanner.fleet.cluster import worker_key  # it needs Dask, which all workers have

    key = worker_key.current()
    if key is None:  # the worker has just joined
        return Failure(GapKind.WORKER_LOST, "the worker has no key yet", temporary=True)
    plan = _plan(root, unit.place, unit.settings)
    detector = plan.workers.detector(mac_key=key)
    macs: dict[Spot, int] = {}
    for source, spots in groupby(sorted(unit.spots), key=attrgetter("source")):
        for seen in _read_again(plan, root, source, {spot.path for spot in spots}, detector):
            for each in seen.findings:
                place = each.location
                spot = Spot(source, place.path, each.rule, place.line, place.column)
                if each.tag is not None:
                    macs[spot] = each.tag
    return Compared(
        tuple(macs[spot].to_bytes(16, "big") if spot in macs else None for spot in unit.spots)
    )


def _read_again(
    plan: ScanPlan, root: str, source: str, paths: Iterable[str], detector: Detector
) -> Iterator[Observation]:
    """What is in these files of the commit `source`, or in its message."""
    if messages.COMMITS + source in paths:
        yield from messages.scan(plan, (Change(commits=(source,)),), detector).observations
    tree = of_commit(root, source)
    workers = plan.workers._replace(source=tree, alone=True)
    files = workers.file_scanner()._replace(detector=detector)
    yield from files.scan(sorted(tree.entries.keys() & paths)).observations


def _rules(plan: ScanPlan) -> str:
    """A hash of everything that decides what a scan of a commit finds."""
    workers = plan.workers
    parts = (
        workers.rulebook.key,
        sorted(workers.rulebook.disabled),
        workers.settings,
        workers.exclude,
        workers.max_size,
    )
    return cache.key(scanner.__version__, repr(parts))


def _plan(root: str, place: Place, settings: Settings) -> ScanPlan:
    """How to scan the repository: its own policy as of its HEAD."""
    request = ScanRequest(history=HistoryRequest(), matcher=settings.matcher)
    chosen = CommitSelection(source=commits.at(root, place.head), history=HistoryRequest())
    selection = sources.of_commits(request, _console(root), chosen, cache.folder())
    files = [RuleFile(name, data) for name, data in settings.rules]
    plan = planning.make(request, _console(root), selection, files)
    book = plan.workers.rulebook
    key = book.key, book.disabled
    if key not in _books and len(_books) >= _MOST_BOOKS:
        _books.clear()
    return plan._replace(workers=plan.workers._replace(rulebook=_books.setdefault(key, book)))


def _console(folder: str) -> Console:
    """A console for functions that need one: it has no input and its output is thrown away."""
    return Console(io.BytesIO(), io.StringIO(), io.StringIO(), {}, folder=folder)
