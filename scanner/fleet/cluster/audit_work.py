"""What a worker does to audit one store. It logs in with what its own environment gives it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import scanner
from scanner.audit import backends
from scanner.audit.collect import BackendResult
from scanner.audit.run import AuditRequest, audit, read_here
from scanner.console import Console
from scanner.errors import KeywatchError
from scanner.fleet.cluster.units import Failure
from scanner.model import Finding, Gap, GapKind, Note
from scanner.records import Status


class AuditUnit(NamedTuple):
    """Read one backend of an operator config. `path` and `operator` are absolute paths, the same on
    every worker."""

    version: str
    path: str
    operator: str
    backend: str
    timeout: int
    now: datetime
    clock: datetime | None
    require_exact: bool


class BackendRead(NamedTuple):
    """What was read and judged: metadata, masked. `ended`: the backend was read to its end."""

    secrets: tuple[Status, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[Note, ...]
    ended: bool


def do(unit: AuditUnit) -> BackendRead | Failure:
    """Read the backend. Raises nothing: Dask would log the arguments of a task that raised."""
    if unit.version != scanner.__version__:
        reason = f"the worker has keywatch {scanner.__version__}, this run is of {unit.version}"
        return Failure(GapKind.WORKER_LOST, reason, temporary=True)
    found: list[BackendRead] = []

    def read(results: Sequence[BackendResult], modules: backends.Modules, now: datetime) -> None:
        read_here(results, modules, now)
        found.extend(map(_read, results))

    request = AuditRequest(
        path=unit.path,
        operator=unit.operator,
        backends=(unit.backend,),
        timeout=unit.timeout,
        clock=unit.clock,
        require_exact=unit.require_exact,
    )
    console = Console(io.BytesIO(), io.StringIO(), io.StringIO(), os.environ, folder=unit.path)
    try:
        with _environment_kept():
            audit(request, console, backends.BACKENDS, unit.now, read)
    except KeywatchError as error:
        return Failure(GapKind.UNREADABLE, ": ".join(filter(None, (error.what, error.why))))
    except Exception as error:  # noqa: BLE001 - its text may contain a token
        name = type(error).__name__
        return Failure(GapKind.INTERNAL, f"{name}: a defect in keywatch, please report it")
    if not found:
        return Failure(GapKind.UNREADABLE, "a policy file on the worker is invalid")
    return found[0]


def _read(result: BackendResult) -> BackendRead:
    return BackendRead(
        secrets=tuple(result.secrets.values()),
        findings=tuple(result.findings),
        gaps=tuple(result.gaps),
        notes=tuple(result.notes),
        ended=result.ended,
    )


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """An audit removes variables that could redirect it. The next unit needs them again."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
