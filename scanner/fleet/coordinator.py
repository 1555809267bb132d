"""Scan a fleet: find what is new, hand it to workers, and store what they find.

Each repository goes through three kinds of units: list its new commits, scan them, and judge all
that is known about it. Only a bounded number of repositories and units is in memory at any time.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import NamedTuple

import scanner
from scanner import cache
from scanner.detect.rules import rulebook
from scanner.detect.rules.model import RuleFile
from scanner.errors import UsageError
from scanner.fleet.clones import CloneCache, CloneError
from scanner.fleet.cluster import work
from scanner.fleet.cluster.engine import Engine, SchedulerGoneError, SchedulerLostError
from scanner.fleet.cluster.units import (
    Answer,
    CompareUnit,
    Failure,
    Judged,
    JudgeUnit,
    Listed,
    ListUnit,
    Place,
    Scanned,
    ScanUnit,
    Settings,
    Spot,
    Unit,
)
from scanner.fleet.progress import Progress
from scanner.fleet.request import FleetRequest
from scanner.fleet.state import Candidate, Known, State, refs_key
from scanner.fleet.targets import Target
from scanner.masking import masked_gap
from scanner.model import Gap, GapKind, Skip

_ATTEMPTS = 3
_LOOKS = 8  # threads that ask for refs
_REFS_SECONDS = 120.0
_IN_FLIGHT = 3  # units for each worker: one is scanned, the others wait
_OPEN = 4  # repositories for each worker that are not finished
_RECONNECTS = 5
_POLL = 0.2  # seconds
_COMPARED_TOGETHER = 10_000  # values


class _Repository:
    """A repository that is being scanned."""

    def __init__(self, known: Known, place: Place, refs: str) -> None:
        self.known = known
        self.place = place
        self.refs = refs
        self.rules = ""
        self.waits: set[int] = set()
        self.gap: Gap | None = None


class _Task(NamedTuple):
    """A unit that is to be submitted or was. `unit` is the number of a ScanUnit in the state."""

    kind: str
    repository: int
    unit: int = 0
    attempt: int = 1
    alone: bool = False


class Fleet:
    """One run. `scan` does everything up to the stored results."""

    def __init__(
        self, request: FleetRequest, state: State, progress: Progress, now: datetime
    ) -> None:
        self._request = request
        self._state = state
        self._progress = progress
        self._now = now
        self._settings = Settings(
            version=scanner.__version__,
            clones=request.clones,
            now=now,
            seconds=request.seconds,
            rules=request.rules,
            matcher=request.matcher,
        )
        self._base = _base(request)
        self._open: dict[int, _Repository] = {}
        self._ready: deque[_Task] = deque()
        self._alone: deque[_Task] = deque()
        self._running: dict[int, _Task] = {}
        self._waiting: dict[int, set[int]] = defaultdict(set)  # units to repositories
        self._number = 0
        self._looks: dict[Future[tuple[Target, Known, Place | CloneError]], None] = {}
        self.skipped = 0
        self._stack = contextlib.ExitStack()
        self._engine: Engine | None = None
        self._losses = 0
        self._key: bytes | None = None
        self._has_key = False
        self._spots: dict[int, tuple[Spot, ...]] = {}
        self._macs: dict[tuple[int, Spot], bytes | None] = {}

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, request: FleetRequest, state: State, progress: Progress, now: datetime
    ) -> Iterator[Fleet]:
        """A run. Its cluster is started when it is first needed, and ended at the end."""
        fleet = cls(request, state, progress, now)
        with fleet._stack:
            yield fleet

    def scan(self, targets: Iterable[Target | Skip | Gap]) -> None:
        """Scan all targets. SchedulerGoneError if the cluster does not come back."""
        source = iter(targets)
        with ThreadPoolExecutor(_LOOKS) as pool:
            try:
                while True:
                    self._look(source, pool)
                    if self._has_work:
                        self._exchange()
                    elif self._looks:
                        wait(self._looks, timeout=_POLL, return_when=FIRST_COMPLETED)
                    elif self._progress.all_found:
                        return
                    self._progress.show()
            finally:
                for look in self._looks:
                    look.cancel()

    def compare(self) -> int:
        """Find out which values are equal. Returns how many could not be compared.

        Most values are told apart by their tags. Workers read the others again and compute MACs,
        under a key that exists only until this function ends.
        """
        self._key = os.urandom(32)
        try:
            return sum(self._compare(batch) for batch in self._batches())
        finally:
            if self._engine and self._has_key:
                self._engine.take_key()
            self._key = None

    def _batches(self) -> Iterator[list[Candidate]]:
        """Candidates, those with the same tag in the same batch."""
        batch: list[Candidate] = []
        for tag in self._state.tags():
            batch += self._state.candidates(tag)
            if len(batch) >= _COMPARED_TOGETHER:
                yield batch
                batch = []
        if batch:
            yield batch

    def _compare(self, batch: Sequence[Candidate]) -> int:
        by_repository: dict[int, dict[Spot, None]] = defaultdict(dict)
        for each in batch:
            if each.spot.source:
                by_repository[each.repository][each.spot] = None
        self._macs.clear()
        for repository, spots in by_repository.items():
            self._spots[repository] = tuple(spots)
            self._ready.append(_Task("compare", repository))
        while self._has_work:
            self._exchange()
            self._progress.show()
        groups: dict[Hashable, list[Candidate]] = defaultdict(list)
        failed = 0
        for each in batch:
            mac = self._macs.get((each.repository, each.spot))
            failed += mac is None
            own = (each.repository, each.number)
            groups[own if mac is None else (each.tag, mac)].append(each)
        self._state.same(groups.values())
        return failed

    @property
    def _has_work(self) -> bool:
        return bool(self._ready or self._alone or self._running)

    def _connected(self) -> Engine:
        """The cluster. It is started, or reached again, if that is necessary."""
        if self._engine is None:
            opened = Engine.opened(self._request.engine)
            self._engine = self._stack.enter_context(opened)
            self._has_key = False
            if self._engine.dashboard:
                self._progress.say(f"keywatch: the dashboard is at {self._engine.dashboard}")
        if self._key and not self._has_key:
            self._engine.give_key(self._key)
            self._has_key = True
        return self._engine

    # What is new

    def _look(self, source: Iterator[Target | Skip | Gap], pool: ThreadPoolExecutor) -> None:
        """Ask for the refs of the next targets, and open the repositories that changed."""
        clones = work.cache_of(self._request.clones)
        workers = self._engine.workers if self._engine else self._request.engine.workers
        most = max(_OPEN * workers, _LOOKS)
        while (
            not self._progress.all_found
            and len(self._looks) < 2 * _LOOKS
            and len(self._open) + len(self._looks) < most + _LOOKS
        ):
            found = next(source, None)
            if found is None:
                self._progress.all_found = True
            elif isinstance(found, Skip):
                self.skipped += 1
            elif isinstance(found, Gap):
                self._state.gap(masked_gap(found))
                self._progress.gaps += 1
            else:
                self._progress.found += 1
                known = self._state.target(found)
                if self._request.resume and known.done == self._state.run and not known.failed:
                    self._unchanged()
                else:
                    self._looks[pool.submit(_refs, clones, found, known)] = None
        for look in [look for look in self._looks if look.done()]:
            del self._looks[look]
            self._opened(*look.result())

    def _opened(self, target: Target, known: Known, place: Place | CloneError) -> None:
        """Open the repository, if it changed since the last run."""
        if isinstance(place, CloneError):
            self._failed(known.id, Gap(place.kind, target.name, place.reason))
            return
        refs = refs_key(place.refs)
        same = known.refs == refs and known.base == self._base
        if same and not (known.until and known.until < self._now.date().isoformat()):
            self._state.confirm(known.id)
            self._unchanged()
            return
        self._open[known.id] = _Repository(known, place, refs)
        self._ready.append(_Task("list", known.id))

    def _unchanged(self) -> None:
        self._progress.done += 1
        self._progress.unchanged += 1

    def _failed(self, repository: int, gap: Gap) -> None:
        shown = masked_gap(gap)
        self._state.fail(repository, shown.kind, shown.reason)
        self._open.pop(repository, None)
        self._progress.done += 1
        self._progress.gaps += 1

    # Units

    def _exchange(self) -> None:
        """Submit units, as far as there is room, and take results. SchedulerGoneError."""
        try:
            self._exchange_with(self._connected())
        except SchedulerLostError:
            self._lose_scheduler()

    def _exchange_with(self, engine: Engine) -> None:
        room = _IN_FLIGHT * engine.workers
        if self._ready:
            while self._ready and len(self._running) < room:
                self._submit(engine, self._ready.popleft())
        elif not self._running and self._alone and not self._looks:
            self._submit(engine, self._alone.popleft())
        for done in engine.ended(_POLL):
            task = self._running.pop(done.number, None)
            if task is None:
                continue
            if done.lost:
                self._lost(task)
            else:
                self._answered(task, done.answer)

    def _submit(self, engine: Engine, task: _Task) -> None:
        self._number += 1
        self._running[self._number] = task
        engine.submit(self._number, work.do, self._unit(task), task.kind)

    def _unit(self, task: _Task) -> Unit:
        settings = self._settings
        if task.kind == "compare":
            target = self._state.repository(task.repository).target
            place = Place(target, self._state.refs(task.repository))
            return CompareUnit(settings, place, self._spots[task.repository])
        repository = self._open[task.repository]
        known, place = repository.known, repository.place
        if task.kind == "list":
            return ListUnit(settings, place, known.rules, known.tips)
        if task.kind == "scan":
            return ScanUnit(settings, place, repository.rules, self._state.commits(task.unit))
        gap = repository.gap
        return JudgeUnit(
            settings,
            place,
            self._state.items(task.repository, repository.rules),
            ((gap.kind, gap.path, gap.reason),) if gap else (),
        )

    def _lost(self, task: _Task) -> None:
        """The worker ended. Another unit may have been the cause, so each is tried again alone."""
        if task.attempt < _ATTEMPTS:
            self._alone.append(task._replace(attempt=task.attempt + 1, alone=True))
            return
        reason = (
            f"its worker process ended {_ATTEMPTS} times, for lack of memory or by a crash; give"
            " the workers more memory, or make the unit smaller with --unit-commits"
        )
        self._gave_up(task, Failure(GapKind.WORKER_LOST, reason))

    def _answered(self, task: _Task, answer: Answer) -> None:
        if isinstance(answer, Failure):
            if answer.temporary and task.attempt < _ATTEMPTS:
                self._ready.append(task._replace(attempt=task.attempt + 1))
            else:
                self._gave_up(task, answer)
        elif isinstance(answer, Listed):
            self._listed(task.repository, answer)
        elif isinstance(answer, Scanned):
            self._state.scanned(task.unit, answer)
            for number in self._waiting.pop(task.unit, ()):
                self._unit_ended(number, task.unit)
        elif isinstance(answer, Judged):
            self._judged(task.repository, answer)
        else:
            for spot, mac in zip(self._spots.pop(task.repository), answer.macs, strict=True):
                self._macs[task.repository, spot] = mac

    def _listed(self, number: int, listed: Listed) -> None:
        repository = self._open[number]
        repository.rules = listed.rules
        self._progress.commits += len(listed.commits)
        self._plan(number, listed.commits)

    def _plan(self, number: int, commits: tuple[str, ...]) -> None:
        repository = self._open[number]
        planned = self._state.plan(number, repository.rules, commits, self._request.unit)
        for unit in planned.units:
            self._ready.append(_Task("scan", number, unit))
        repository.waits |= {*planned.units, *planned.awaited}
        for unit in repository.waits:
            self._waiting[unit].add(number)
        if not repository.waits:
            self._ready.append(_Task("judge", number))

    def _unit_ended(self, number: int, unit: int) -> None:
        repository = self._open[number]
        repository.waits.discard(unit)
        if not repository.waits:
            self._ready.append(_Task("judge", number))

    def _gave_up(self, task: _Task, failure: Failure) -> None:
        """A unit failed for good. The others of its repository go on."""
        if task.kind == "compare":
            return  # its values count as different
        number, repository = task.repository, self._open[task.repository]
        gap = Gap(failure.kind, repository.place.target.name, failure.reason)
        if task.kind != "scan":
            self._failed(number, gap)
            return
        others = {
            other: self._state.awaited(other, task.unit)
            for other in self._waiting.pop(task.unit, set()) - {number}
        }
        self._state.release(task.unit)
        repository.gap = repository.gap or gap
        self._unit_ended(number, task.unit)
        for other, commits in others.items():  # they have these commits, too, and their own clone
            self._open[other].waits.discard(task.unit)
            self._plan(other, commits)

    def _judged(self, number: int, judged: Judged) -> None:
        repository = self._open.pop(number)
        about = repository.known._replace(
            refs=repository.refs,
            rules=repository.rules,
            base=self._base,
        )
        gap = masked_gap(repository.gap) if repository.gap else None
        self._state.judged(judged, about, repository.place.refs, gap)
        self._progress.done += 1
        self._progress.gaps += bool(judged.gaps)

    def _lose_scheduler(self) -> None:
        """Join the cluster again, and submit again what was running. SchedulerGoneError."""
        self._ready.extendleft(self._running.values())
        self._running.clear()
        self._engine = None
        self._stack.close()
        self._losses += 1
        self._progress.say("keywatch: the scheduler is gone; trying to reach it again")
        for attempt in range(self._losses, _RECONNECTS + 1):
            try:
                self._connected()
            except (UsageError, SchedulerLostError):
                time.sleep(attempt)
            else:
                return
        raise SchedulerGoneError


def _refs(
    clones: CloneCache, target: Target, known: Known
) -> tuple[Target, Known, Place | CloneError]:
    try:
        return target, known, Place(target, dict(clones.refs(target, timeout=_REFS_SECONDS)))
    except CloneError as error:
        return target, known, error
    except (OSError, UsageError) as error:
        return target, known, CloneError(GapKind.UNREADABLE, str(error))


def _base(request: FleetRequest) -> str:
    """A hash of everything but the repository that decides what is found."""
    files = [RuleFile(name, data) for name, data in request.rules]
    book = rulebook.load(files, cache_folder=cache.folder())
    return cache.key(scanner.__version__, book.key, request.matcher)
