"""The use case: plan, apply, resume and report rotations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from scanner.audit import backends, environment, operator_config
from scanner.audit.collect import BackendResult, read_backends
from scanner.configuration import operator as operator_file
from scanner.configuration.operator import OperatorConfig
from scanner.console import Console
from scanner.errors import ConfigError, UsageError
from scanner.evidence import entries
from scanner.evidence.ledger import Ledger
from scanner.inventory.interface import Settings
from scanner.model import Finding, Gap
from scanner.policy.declarations.matching import SecretEntries
from scanner.policy.live import findings, minimum_policy, rotation_age
from scanner.records import Record, Status
from scanner.repository import policy_files
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree
from scanner.rotate import config as rotation_config
from scanner.rotate import consumers, journal, locks, plan, records
from scanner.rotate.config import RotationConfig
from scanner.rotate.executors.interface import Parts, Target
from scanner.rotate.executors.table import EXECUTORS
from scanner.rotate.journal import Journal
from scanner.rotate.machine import Hook, Machine, Program, Step, Work
from scanner.rotate.model import (
    ENDED,
    Outcome,
    Policy,
    Progress,
    Rotation,
    State,
    StepError,
    WaitError,
)
from scanner.rotate.plan import Action, Planned, Selection
from scanner.rotate.stores import SecretId, Stores

_MAX_SKEW = timedelta(minutes=5)


class PlanRequest(NamedTuple):
    """`path` is a folder of the repository whose policy applies; `timeout` is in seconds."""

    path: str
    operator: str | None
    secrets: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    timeout: int = 600


class ApplyRequest(NamedTuple):
    """`urgent` is one secret to rotate now, without overlap, for this `reason`."""

    plan: PlanRequest
    urgent: str = ""
    reason: str = ""


class ResumeRequest(NamedTuple):
    """`abandon` are rotations to end as they are, by the operator's decision."""

    path: str
    operator: str | None
    abandon: tuple[str, ...] = ()
    timeout: int = 600


class StatusRequest(NamedTuple):
    """`all`: finished rotations, too."""

    path: str
    operator: str | None
    all: bool = False


class Plan(NamedTuple):
    """What is due, and what could not be read (then something may be missing here)."""

    items: tuple[Planned, ...]
    gaps: tuple[Gap, ...] = ()


class Result(NamedTuple):
    """A rotation after a run. `record` is what was written to the place of the records."""

    progress: Progress
    record: Mapping[str, object] | None = None


class Applied(NamedTuple):
    """`left` are planned secrets that were not rotated, and `why` says why, for each."""

    results: tuple[Result, ...]
    left: tuple[tuple[Planned, str], ...] = ()
    gaps: tuple[Gap, ...] = ()


class World:
    """What a run stands on. `real_time`: `now` is the machine's clock. Tests set `hook`."""

    def __init__(
        self,
        console: Console,
        modules: backends.Modules,
        now: datetime,
        *,
        real_time: bool = True,
        hook: Hook = lambda _moment: None,
    ) -> None:
        self.console = console
        self.modules = modules
        self.now = now
        self.real_time = real_time
        self.hook = hook
        self._began = time.monotonic()

    def clock(self) -> datetime:
        """`now`, as it moves on while the run lasts."""
        return self.now + timedelta(seconds=time.monotonic() - self._began)


class _Policies:
    """A Judge that remembers which policy applies to each secret."""

    def __init__(self, files: PolicyFiles, operator: OperatorConfig, now: datetime) -> None:
        classes = minimum_policy.raised(files.config.classes, operator.classes)
        self._entries = SecretEntries(files.config.secrets, classes)
        self._minimum = SecretEntries(operator.secrets, operator.classes)
        self._now = now
        self.by_secret: dict[str, Policy] = {}

    def __call__(self, record: Record, backend: str) -> tuple[Status, Sequence[Finding]]:
        match = minimum_policy.held(self._entries.match(record), self._minimum.match(record))
        judged = rotation_age.judge(record, match, self._now)
        if match and match.secret_class:
            one = match.secret_class
            where = str(one.location) or str(match.entry.location)
            self.by_secret[record.id] = Policy(one.name, one.rotate_every, one.overlap, where)
        return findings.status(judged, backend), ()

    def of(self, status: Status) -> Policy | None:
        """For an AppRole, the policy of any of its secret IDs."""
        if status.id in self.by_secret:
            return self.by_secret[status.id]
        below = f"{status.id}/"
        return next((each for name, each in self.by_secret.items() if name.startswith(below)), None)


class _Setup(NamedTuple):
    """The configuration of a run, read before any store."""

    world: World
    tree: Tree
    operator: OperatorConfig
    rotation: RotationConfig
    timeout: int

    def settings(self, backend: str) -> Settings:
        """The backend with the identity that rotates. UsageError without one."""
        kinds = {each.name: each.kind for each in self.operator.backends}
        options = self.rotation.identities.get(backend)
        if options is None:
            raise UsageError(
                f"the operator config has no identity that may rotate in {backend}",
                todo=f"add {backend} to rotation.identities",
            )
        return Settings(
            name=backend,
            kind=kinds[backend],
            options=options,
            timeout=self.timeout,
            environ=self.world.console.environ,
        )

    def stores(self) -> Stores:
        return Stores(self.settings)

    def file(self, name: str) -> str:
        return os.path.join(self.world.console.cwd, name)


def _setup(path: str, operator: str | None, timeout: int, world: World) -> _Setup:
    tree = Tree(path, world.console)
    options = backends.options(world.modules)
    config = operator_config.read(operator, world.console, tree.root, options)
    section = operator_file.rotation(config, world.console.environ, options)
    environment.clear(world.console.environ, backends.variables(world.modules))
    return _Setup(world, tree, config, rotation_config.typed(section), timeout)


def make_plan(request: PlanRequest, world: World, urgent: str = "") -> Plan:
    """Read the stores with the auditor's identity and plan what is due. Nothing is changed.

    UsageError, ConfigError: the request or a configuration is wrong.
    """
    setup = _setup(request.path, request.operator, request.timeout, world)
    return _planned(setup, request, urgent)


def _planned(setup: _Setup, request: PlanRequest, urgent: str = "") -> Plan:
    world = setup.world
    files = policy_files.load(setup.tree, world.console)
    if files is None:
        raise ConfigError("the policy is not valid, so nothing is planned")
    named = {SecretId(each).backend for each in (*request.secrets, *filter(None, [urgent]))}
    chosen = backends.chosen(setup.operator.backends, (*request.backends, *sorted(named)))
    policies = _Policies(files, setup.operator, world.now)
    results = [
        BackendResult(
            backends.settings(each, timeout=request.timeout, environ=world.console.environ),
            backends.address(each.name, each.kind, world.modules),
            policies,
            keep=False,
        )
        for each in chosen
    ]
    ready = [backends.connected(each.settings, world.modules, world.now) for each in results]
    read_backends(results, ready, world.console.progress(what="secrets"))
    statuses = [each for result in results for each in result.secrets.values()]
    selection = Selection(frozenset(request.secrets), urgent)
    items = plan.plan(statuses, setup.rotation, policies.of, selection)
    gaps = tuple(each for result in results for each in result.gaps)
    wanted = selection.only | ({urgent} if urgent else set())
    missing = wanted - {each.secret for each in items}
    if missing:
        name = min(missing)
        known = any(each.id == name or each.id.startswith(f"{name}/") for each in statuses)
        raise UsageError(
            f"{name} cannot be rotated",
            why="no class applies to it" if known else "its backend does not list it",
            todo="give it a class in keywatch.yaml" if known else "compare it with keywatch audit",
        )
    return Plan(items, gaps)


def apply(request: ApplyRequest, world: World) -> Applied:
    """Rotate what is due, or one secret now. Each rotation goes as far as it can go now."""
    if request.urgent and not request.reason:
        raise UsageError("a rotation with --now needs a reason", todo="add --reason TEXT")
    setup = _setup(request.plan.path, request.plan.operator, request.plan.timeout, world)
    planned = _planned(setup, request.plan, request.urgent)
    with _locked(setup) as (book, keep):
        results, left = [], []
        for item in planned.items:
            why = _refusal(item, request, book)
            if why:
                left.append((item, why))
                continue
            rotation = _rotation(item, request, world)
            book.begin(rotation)
            results.append(_run(setup, book, rotation.id, keep))
    return Applied(tuple(results), tuple(left), planned.gaps)


def _refusal(item: Planned, request: ApplyRequest, book: Journal) -> str:
    named = item.secret in request.plan.secrets or item.secret == request.urgent
    if item.action is Action.MANUAL:
        return f"manual: {item.missing}"
    if item.action is Action.NO_DATE and not named:
        return "its age is unknown; name it with --secret to rotate it"
    for progress in book.unfinished:
        if progress.rotation.secret == item.secret:
            state = f"{progress.rotation.id} is {progress.state.value}"
            return f"its last rotation has not ended: {state}; run keywatch rotate resume"
    return ""


def _rotation(item: Planned, request: ApplyRequest, world: World) -> Rotation:
    reason = request.reason or item.why
    return Rotation(
        id=f"rot-{os.urandom(6).hex()}",
        secret=item.secret,
        kind=item.kind,
        policy=item.policy,
        reason=reason,
        who=_who(world.console.environ),
        began=world.clock(),
        emergency=bool(request.urgent),
        consumers=item.consumers,
    )


def _who(environ: Mapping[str, str]) -> str:
    user = next((environ[name] for name in ("LOGNAME", "USER") if environ.get(name)), "")
    return f"{user or os.getuid()}@{os.uname().nodename}"


def resume(request: ResumeRequest, world: World) -> Applied:
    """Go on with every rotation that has not ended."""
    setup = _setup(request.path, request.operator, request.timeout, world)
    with _locked(setup) as (book, keep):
        results = []
        unknown = {*request.abandon} - {each.rotation.id for each in book.unfinished}
        if unknown:
            raise UsageError(
                f"there is no unfinished rotation {min(unknown)}", todo="keywatch rotate status"
            )
        for progress in book.unfinished:
            if progress.rotation.id in request.abandon:
                results.append(_ended(setup, book, progress.rotation.id, State.ABANDONED))
            else:
                results.append(_run(setup, book, progress.rotation.id, keep))
    return Applied(tuple(results))


def status(request: StatusRequest, world: World) -> tuple[Progress, ...]:
    """The rotations of the journal, unfinished ones or all. Asks no store."""
    setup = _setup(request.path, request.operator, 0, world)
    found = journal.read(setup.file(setup.rotation.journal))
    return tuple(each for each in found if request.all or each.state not in ENDED)


@contextmanager
def _locked(setup: _Setup) -> Iterator[tuple[Journal, Callable[[], None]]]:
    """The journal and the lock. UsageError if another run has one of them."""
    rotation = setup.rotation
    with Journal(setup.file(rotation.journal)) as book:
        book.check_clock(setup.world.now)
        lock = locks.of(rotation.lock, book.holder, rotation.lock_ttl, setup.stores())
        try:
            lock.acquire()
        except StepError as error:
            raise UsageError(
                f"the lock {rotation.lock} cannot be had", why=error.reason, todo=error.todo
            ) from None
        try:
            yield book, lock.keep
        finally:
            lock.release()


def _run(setup: _Setup, book: Journal, name: str, keep: Callable[[], None]) -> Result:
    """Run one rotation as far as it goes now."""
    rotation = book.progress(name).rotation
    world = setup.world
    target = _target(setup, rotation)
    if target is None:
        todo = "put its entry back, or end the rotation: keywatch rotate resume --abandon ID"
        reason = "the operator config does not say any more how to rotate it"
        book.state(name, State.NEEDS_OPERATOR, world.now, reason=reason, todo=todo)
        return Result(book.progress(name))
    parts = EXECUTORS[rotation.kind].parts(target)
    machine = Machine(book, world.clock, world.hook)
    state = machine.run(name, _program(parts, target, world), keep)
    if state in ENDED:
        return _ended(setup, book, name, state)
    return Result(book.progress(name))


def _target(setup: _Setup, rotation: Rotation) -> Target | None:
    entry = setup.rotation.entry(rotation.secret) or plan.NO_ENTRY
    known = {each.id: each for each in entry.consumers}
    if EXECUTORS[rotation.kind].manual(entry) or not known.keys() >= {*rotation.consumers}:
        return None
    entry = entry._replace(consumers=tuple(known[each] for each in rotation.consumers))
    environ = setup.world.console.environ
    return Target(SecretId(rotation.secret), entry, setup.stores(), environ)


def _program(parts: Parts, target: Target, world: World) -> Program:
    """All steps: issue and store, restart the consumers, wait, revoke."""
    steps: list[Step] = [*parts.before]
    for consumer in target.entry.consumers:
        steps += consumers.steps(target, consumer)
    if parts.overlaps and parts.after:
        steps.append(Step("overlap", _Overlap(target, world).wait))
    return Program([*steps, *parts.after], parts.discard)


class _Overlap:
    """The time in which the old credential still works, by the policy."""

    def __init__(self, target: Target, world: World) -> None:
        self._target = target
        self._world = world

    def wait(self, work: Work) -> Outcome:
        stored = datetime.fromisoformat(work.facts["stored_at"])
        until = stored + timedelta(seconds=work.rotation.policy.overlap)
        if work.rotation.emergency:
            note = f"no overlap: the leaked value was revoked after {stored:%Y-%m-%d %H:%M:%S} UTC"
            return Outcome(notes=(note,))
        if work.now() < until:
            raise WaitError(until)
        self._check_clock(work)
        return Outcome()

    def _check_clock(self, work: Work) -> None:
        """StepError if the clock was moved forward: the overlap would end too early."""
        place = self._target.place
        if not self._world.real_time or place.scheme != "vault":
            return
        server = self._target.stores.vault(place).clock()
        if server and work.now() - server > _MAX_SKEW:
            raise StepError(
                f"this clock is {(work.now() - server)} ahead of the store's; the overlap may not"
                " have ended",
                "set the clock right, then run keywatch rotate resume",
            )


def _add_to_ledger(setup: _Setup, record: Mapping[str, Any], now: datetime) -> None:
    """Add the record once. OutputError, ConfigError: the ledger is damaged or not writable."""
    config = setup.operator.evidence
    if config is None:
        return
    ledger = Ledger(setup.file(config.place), config.writer)
    rotations = (each["data"] for each in ledger.entries() if each["kind"] == "rotation")
    if all(each["id"] != record["id"] for each in rotations):
        ledger.append(*entries.rotation(record), now)


def _ended(setup: _Setup, book: Journal, name: str, result: State) -> Result:
    """Write the record and the ledger's entry, then note the end: a crash repeats none of them."""
    ended = setup.world.clock()
    entry = records.record(book.progress(name), result, ended.isoformat())
    entry = records.append(setup.file(setup.rotation.records), entry)
    setup.world.hook("recorded")
    _add_to_ledger(setup, entry, ended)
    setup.world.hook("added to the ledger")
    before = book.progress(name)
    book.state(name, result, ended, step=before.step, reason=before.reason, todo=before.todo)
    return Result(book.progress(name), entry)
