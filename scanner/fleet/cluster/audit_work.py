"""What a worker does to audit one store. It logs in with what its own environment gives it."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import scanner
from scanner.audit import backends, environment, operator_config
from scanner.console import Console
from scanner.errors import KeywatchError
from scanner.fleet.cluster.units import Failure
from scanner.inventory.interface import Backend
from scanner.masking import masked_gap, masked_id, masked_note
from scanner.model import Gap, GapKind, Note
from scanner.records import Record

_SLACK = 5  # seconds after its timeout in which a backend can still report what it did not read


class AuditUnit(NamedTuple):
    """Read one backend of an operator config. `operator` is the config's path, the same on every
    worker; `root` is the audited repository, which workers do not need."""

    version: str
    operator: str
    root: str
    backend: str
    timeout: int
    now: datetime
    clock: datetime | None


class BackendRead(NamedTuple):
    """What the store holds: metadata, with masked names. `excess` are needless permissions.
    `timed_out`: the backend did not end in time."""

    items: tuple[Record | Gap | Note, ...]
    excess: tuple[str, ...]
    timed_out: bool


def do(unit: AuditUnit) -> BackendRead | Failure:
    """Read the backend. Raises nothing: Dask would log the arguments of a task that raised."""
    if unit.version != scanner.__version__:
        reason = f"the worker has keywatch {scanner.__version__}, this run is of {unit.version}"
        return Failure(GapKind.WORKER_LOST, reason, temporary=True)
    try:
        with _environment_kept():
            return _read(_connected(unit), unit)
    except KeywatchError as error:
        return Failure(GapKind.UNREADABLE, ": ".join(filter(None, (error.what, error.why))))
    except Exception as error:  # noqa: BLE001 - its text may contain a token
        name = type(error).__name__
        return Failure(GapKind.INTERNAL, f"{name}: a defect in keywatch, please report it")


def _connected(unit: AuditUnit) -> Backend:
    """The backend of the worker's operator config. KeywatchError if it cannot work here."""
    modules = backends.BACKENDS
    console = Console(io.BytesIO(), io.StringIO(), io.StringIO(), os.environ, folder="/")
    config = operator_config.read(unit.operator, console, unit.root, backends.options(modules))
    (chosen,) = backends.chosen(config.backends, (unit.backend,))
    settings = backends.settings(chosen, timeout=unit.timeout, environ=dict(os.environ))
    environment.clear(os.environ, backends.variables(modules))
    return backends.connected(settings._replace(clock=unit.clock), modules, unit.now)


def _read(backend: Backend, unit: AuditUnit) -> BackendRead:
    """Read it in a thread: one that hangs, for example in name resolution, must not hold the
    worker."""
    items: list[Record | Gap | Note] = []
    excess: list[str] = []

    def read() -> None:
        try:
            for item in backend.read():  # each is kept if a later one hangs
                items.append(_masked(item))  # noqa: PERF401
            excess.extend(backend.excess())
        finally:
            backend.close()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(unit.timeout + _SLACK)
    return BackendRead(tuple(items), tuple(excess), thread.is_alive())


def _masked(item: Record | Gap | Note) -> Record | Gap | Note:
    """The item without what only this worker may know: a secret in a name, a mark of the value."""
    if isinstance(item, Gap):
        return masked_gap(item)
    if isinstance(item, Note):
        return masked_note(item)
    return item._replace(id=masked_id(item.id), tags=dict(item.tags), value_mark=None)


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """An audit removes variables that could redirect it. The next unit needs them again."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
