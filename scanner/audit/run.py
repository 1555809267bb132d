"""Audit live stores: read their metadata, judge it, and compare it with earlier runs."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from scanner.audit import backends, environment, operator_config
from scanner.audit import outcome as audit_outcome
from scanner.audit import state as audit_state
from scanner.audit.collect import BackendResult, read_backends
from scanner.audit.judge import AuditJudge
from scanner.audit.outcome import AuditRun
from scanner.audit.state import State
from scanner.configuration.operator import BackendConfig, OperatorConfig
from scanner.console import Console, Progress, show_error
from scanner.document import nearest
from scanner.errors import OutputError, UsageError, unreadable
from scanner.masking import masked
from scanner.model import FailOn, Finding, Note, NoteKind, Outcome, Severity
from scanner.policy import rules
from scanner.policy.live import last_used
from scanner.policy.live import rules as live_rules
from scanner.policy.live.last_used import LastUsed
from scanner.records import History, ValueMark
from scanner.report.interface import ReportContext
from scanner.report.sarif import carried_forward
from scanner.repository import policy_files
from scanner.repository.check import no_policy
from scanner.repository.policy_files import PolicyFiles
from scanner.repository.tree import Tree


class AuditRequest(NamedTuple):
    """One audit, as it was asked for.

    path: a folder of the repository.
    operator: the operator config.
    backends: the names of the only backends to read.
    timeout: the seconds for each backend.
    state, since_last, resume, carry_forward: earlier runs (docs/audit.md).
    clock: the machine's time, if the user chose another one.
    require_exact: only exact dates prove that a secret is in time.
    last_used: what keywatch trail saw.
    history: reads the ledger that the operator config names; None if there is none.
    classes: the only classes of secrets to judge; empty for all.
    """

    path: str
    operator: str | None
    backends: tuple[str, ...]
    timeout: int
    state: str | None = None
    since_last: bool = False
    resume: bool = False
    carry_forward: str | None = None
    history: Callable[[OperatorConfig], History | None] = lambda _operator: None
    clock: datetime | None = None
    require_exact: bool = False
    last_used: str | None = None
    classes: tuple[str, ...] = ()


class FinishedAudit(NamedTuple):
    """A judged audit. `written`: the state was saved, if there was one to save.

    `policy` holds the SHA-256 of each policy file by name. `value_marks` are those of values
    without a date, by canonical ID.
    """

    outcome: Outcome
    written: bool
    fail_on: FailOn
    now: datetime
    tree: Tree
    operator: OperatorConfig
    policy: Mapping[str, str]
    value_marks: Mapping[str, ValueMark]

    def report_context(self, console: Console, fail_on: Severity | None) -> ReportContext:
        infos = {rule.id: rule for rule in (*live_rules.RULES, *rules.RULES)}
        failing = self.fail_on.at(fail_on)
        context = console.report_context(infos, self.now, self.tree.root, failing, "audit")
        return context._replace(open_from=self.tree.open_from)


class Read(Protocol):
    """Fills the results of backends, each until it has ended or timed out."""

    def __call__(
        self,
        results: Sequence[BackendResult],
        modules: backends.Modules,
        now: datetime,
        progress: Progress,
    ) -> None: ...


def read_here(
    results: Sequence[BackendResult],
    modules: backends.Modules,
    now: datetime,
    progress: Progress,
) -> None:
    """Read the backends in this process. UsageError if a library is not installed."""
    ready = [backends.connected(each.settings, modules, now) for each in results]
    read_backends(results, ready, progress)


def audit(
    request: AuditRequest,
    console: Console,
    modules: backends.Modules,
    now: datetime,
    read: Read = read_here,
) -> FinishedAudit | None:
    """Read and judge every chosen backend. None if a policy file is invalid; it says so.

    The state is saved even if the run is interrupted. UsageError, ConfigError: the request or the
    operator config is wrong.
    """
    _refuse_contradictions(request)
    tree = Tree(request.path, console)
    operator = operator_config.read(request.operator, console, tree.root, backends.options(modules))
    chosen = backends.chosen(operator.backends, request.backends)
    files = policy_files.load(tree, console)
    if files is None:
        return None
    history = request.history(operator)
    run = _prepared(request, console, tree, files, operator, chosen, modules, now, history)
    earlier, notes = _earlier(request, console)
    notes += () if files.exists else [no_policy()]
    environment.clear(console.environ, backends.variables(modules))
    try:
        read(run.results, modules, now, console.progress(what="secrets"))
    finally:  # what was read is saved even after an interrupt
        written = _save_state(request, console, run)
    outcome = audit_outcome.outcome(run, earlier, notes, compare=request.since_last)
    return FinishedAudit(
        outcome=outcome,
        written=written,
        fail_on=files.config.failing,
        now=now,
        tree=tree,
        operator=operator,
        policy={"operator config": operator.digest, **policy_files.digests(tree)},
        value_marks={name: mark for each in run.results for name, mark in each.value_marks.items()},
    )


def permissions(request: AuditRequest, console: Console, modules: backends.Modules) -> str:
    """What each chosen backend must grant to the auditor. Reads no backend."""
    _refuse_contradictions(request)
    root = Tree(request.path, console).root
    operator = operator_config.read(request.operator, console, root, backends.options(modules))
    chosen = backends.chosen(operator.backends, request.backends)
    asked = (
        backends.settings(each, timeout=request.timeout, environ=console.environ) for each in chosen
    )
    return "\n".join(backends.permissions(each, modules) for each in asked)


def _refuse_contradictions(request: AuditRequest) -> None:
    for given, name in ((request.since_last, "--since-last"), (request.resume, "--resume")):
        if given and not request.state:
            raise UsageError(f"{name} needs the state of an earlier run", todo="add --state FILE")


def _prepared(  # noqa: PLR0913, PLR0917 - each part is read before the first store
    request: AuditRequest,
    console: Console,
    tree: Tree,
    files: PolicyFiles,
    operator: OperatorConfig,
    chosen: Iterable[BackendConfig],
    modules: backends.Modules,
    now: datetime,
    history: History | None,
) -> AuditRun:
    """Everything that the run needs before it connects to a store."""
    chosen = [*chosen]
    state = State()
    if request.state:
        state = audit_state.load(os.path.join(console.cwd, request.state))
    stores = [backends.store(each, modules) for each in operator.backends]
    known = history or History()
    used = request.last_used
    seen = last_used.parse(console.file(used), used) if used else LastUsed()
    judge = AuditJudge(
        *(tree, files, operator, stores, console.environ, now, seen, known.dates),
        require_exact=request.require_exact,
    )
    _refuse_unknown_classes(request.classes, judge)
    settings = (
        backends.settings(each, timeout=request.timeout, environ=console.environ)._replace(
            known={**known.marks, **state.known(each.name)},
            fresh=state.fresh(each.name, now) if request.resume else {},
            clock=request.clock,
        )
        for each in chosen
    )
    return AuditRun(
        settings=files.config,
        judge=judge,
        results=[
            BackendResult(
                each,
                backends.address(each.name, each.kind, modules),
                judge,
                keep=bool(request.state or history),
                classes=request.classes,
            )
            for each in settings
        ],
        left_out=[
            backends.address(each.name, each.kind, modules)
            for each in operator.backends
            if each not in chosen
        ],
        tree=tree,
        state=state,
        now=now,
        advice=functools.partial(backends.advice, modules=modules),
        classes=request.classes,
    )


def _refuse_unknown_classes(names: Iterable[str], judge: AuditJudge) -> None:
    for name in names:
        if name not in judge.classes:
            listed = f"the policy has {', '.join(sorted(judge.classes))}"
            raise UsageError(
                f"unknown class {masked(name)}", todo=nearest(name, judge.classes) or listed
            )


def _earlier(request: AuditRequest, console: Console) -> tuple[tuple[Finding, ...], list[Note]]:
    """The findings of the earlier report, or a note if there is no such file."""
    name = request.carry_forward
    if not name:
        return (), []
    try:
        with open(os.path.join(console.cwd, name), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        text = "the file does not exist, so nothing is carried forward, as in a first run"
        return (), [Note(kind=NoteKind.NO_EARLIER_RUN, path=name, text=text)]
    except OSError as error:
        raise unreadable(name, error) from None
    return carried_forward.findings(data, name), []


def _save_state(request: AuditRequest, console: Console, run: AuditRun) -> bool:
    """Save the state, if there is one to save. False if that failed; the error is printed."""
    if not request.state:
        return True
    try:
        path = os.path.join(console.cwd, request.state)
        audit_state.save(path, audit_outcome.state(run))
    except OutputError as error:
        show_error(error, console)
        return False
    return True
