"""Audit many stores on a cluster: each backend of the operator config is one unit.

The client prepares and judges the audit as `keywatch audit` does; only the reading is done by the
workers.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import scanner
from scanner.audit import backends
from scanner.audit.collect import BackendResult
from scanner.audit.operator_config import VARIABLE
from scanner.audit.run import AuditRequest, FinishedAudit, audit
from scanner.console import Console
from scanner.errors import UsageError
from scanner.fleet.cluster import audit_work, engine
from scanner.fleet.cluster.audit_work import AuditUnit, BackendRead
from scanner.fleet.cluster.engine import Engine, SchedulerGoneError, SchedulerLostError
from scanner.fleet.cluster.units import Failure
from scanner.fleet.progress import Progress
from scanner.fleet.request import EngineRequest
from scanner.inputs.root import root_of
from scanner.model import Gap, GapKind, Note
from scanner.records import Record

_ATTEMPTS = 3
_POLL = 0.2  # seconds


def audit_stores(
    request: AuditRequest, cluster: EngineRequest, console: Console, now: datetime
) -> FinishedAudit | None:
    """Read every chosen backend on the cluster, and judge all of them together.

    None if a policy file is invalid; it says so. A backend that no worker could read is a Gap.
    UsageError, ConfigError: the request, the operator config or the cluster is wrong.
    """
    engine.check(cluster)
    read = partial(_read, request, cluster, console)
    return audit(request, console, backends.BACKENDS, now, read)


def _read(
    request: AuditRequest,
    cluster: EngineRequest,
    console: Console,
    results: Sequence[BackendResult],
    _modules: backends.Modules,
    now: datetime,
    _progress: object,
) -> None:
    progress = Progress(console.err, "stores")
    progress.found, progress.all_found = len(results), True
    ready = deque((number, 1) for number in range(len(results)))
    attempts: dict[int, int] = {}
    try:
        with Engine.opened(cluster) as workers:
            while ready or attempts:
                while ready and len(attempts) < 2 * workers.workers:
                    number, attempt = ready.popleft()
                    attempts[number] = attempt
                    unit = _unit(request, console, results[number], now)
                    workers.submit(number, audit_work.do, unit, "audit")
                for done in workers.ended(_POLL):
                    attempt = attempts.pop(done.number)
                    answer = done.answer
                    if done.lost:
                        answer = Failure(GapKind.WORKER_LOST, "its worker ended", temporary=True)
                    if isinstance(answer, Failure) and answer.temporary and attempt < _ATTEMPTS:
                        ready.append((done.number, attempt + 1))
                        continue
                    _fill(results[done.number], answer)
                    progress.done += 1
                    progress.gaps += not results[done.number].complete
                progress.show()
    except SchedulerLostError:
        raise SchedulerGoneError from None
    finally:
        progress.end()
        for each in results:
            each.close()
            each.mask()


def _unit(
    request: AuditRequest, console: Console, result: BackendResult, now: datetime
) -> AuditUnit:
    operator = request.operator or console.environ.get(VARIABLE)
    if not operator:
        raise UsageError("no operator config was given", todo="name it with --operator FILE")
    return AuditUnit(
        version=scanner.__version__,
        operator=os.path.join(console.cwd, operator),
        root=root_of([os.path.join(console.cwd, request.path)], console.cwd),
        backend=result.settings.name,
        timeout=request.timeout,
        now=now,
        clock=request.clock,
    )


class _Received:
    """A backend that a worker has read."""

    def __init__(self, read: BackendRead) -> None:
        self._read = read

    def read(self) -> Iterator[Record | Gap | Note]:
        return iter(self._read.items)

    def excess(self) -> Iterator[str]:
        return iter(self._read.excess)

    def close(self) -> None:
        """The worker has closed it."""


def _fill(result: BackendResult, answer: BackendRead | Failure) -> None:
    if isinstance(answer, Failure):
        result.gaps.append(Gap(answer.kind, result.store, answer.reason))
        return
    if answer.timed_out:
        timeout = result.settings.timeout
        gap = Gap(GapKind.UNREADABLE, result.store, f"it did not end within {timeout:g} seconds")
        answer = answer._replace(items=(*answer.items, gap))
    result.fill(_Received(answer))
