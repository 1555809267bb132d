"""Inventory: send many requests at the same time and return their results in a fixed order.

Only what is in progress is kept in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple, TypeAlias

from scanner.inventory.errors import ReadError, gap
from scanner.inventory.threads import WORKERS, Workers
from scanner.inventory.vault.parsing import parsing
from scanner.model import Gap, Note, NoteKind
from scanner.records import Record

_MAX_PENDING = 4 * WORKERS  # so that one slow answer at the head does not leave a worker idle
_BATCH_SIZE = 8

Item: TypeAlias = Record | Gap | Note


class Step(NamedTuple):
    """Requests that lead to more work, for example a list.

    `run` sends them and reads the answers; its results are then taken one by one. `id` is the path
    of the Gap if it fails. `advice` is added to the Gap if permission is denied.
    """

    id: str
    run: Callable[[], Iterator[StepResult]]
    advice: str = ""


class EntryRead(NamedTuple):
    """Read one entry of a list. An entry that no longer exists becomes a note."""

    id: str
    run: Callable[[], Sequence[Item]]
    advice: str = ""


class _Batch(NamedTuple):
    """Entries that one worker reads, because handing over each one would take too long."""

    reads: tuple[EntryRead, ...]


StepResult: TypeAlias = Item | Step | EntryRead
_Found: TypeAlias = Sequence[Item] | Iterator[StepResult]
_Pending: TypeAlias = Iterator[Future[_Found] | Item | Step | _Batch]


def run_steps(steps: Iterable[Step]) -> Iterator[Item]:
    """All items of the steps and of the steps that follow from them, in depth-first order."""
    pool = Workers()
    waiting: list[_Pending] = [iter(steps)]  # the last one comes first
    started: deque[Future[_Found] | Item] = deque()
    try:
        while _start_more(started, waiting, pool):
            head = started.popleft()
            found = head.result() if isinstance(head, Future) else (head,)
            if isinstance(found, Iterator):  # its results come before what was started later
                waiting += (iter(started), _in_batches(found))
                started = deque()
            else:
                yield from found
    finally:
        pool.close()


def _start_more(
    started: deque[Future[_Found] | Item], waiting: list[_Pending], pool: Workers
) -> bool:
    """Start the next requests. Returns whether anything is left."""
    while waiting and len(started) < _MAX_PENDING:
        match next(waiting[-1], None):
            case None:
                waiting.pop()
            case Step() as step:
                started.append(pool.submit(partial(_run, step)))
            case _Batch() as batch:
                started.append(pool.submit(partial(_read, batch)))
            case other:
                started.append(other)
    return bool(started)


def _in_batches(found: Iterator[StepResult]) -> Iterator[Item | Step | _Batch]:
    reads: list[EntryRead] = []
    for result in found:
        if reads and (len(reads) == _BATCH_SIZE or not isinstance(result, EntryRead)):
            yield _Batch(tuple(reads))
            reads = []
        if isinstance(result, EntryRead):
            reads.append(result)
        else:
            yield result
    if reads:
        yield _Batch(tuple(reads))


def _run(step: Step) -> _Found:
    try:
        with parsing():
            return step.run()
    except ReadError as error:
        return [gap(step.id, error, step.advice)]


def _read(batch: _Batch) -> _Found:
    return [item for read in batch.reads for item in _items(read)]


def _items(read: EntryRead) -> Sequence[Item]:
    try:
        with parsing():
            return read.run()
    except ReadError as error:
        if error.kind == "absent":
            text = "it was deleted while it was read"
            return [Note(kind=NoteKind.GONE, path=read.id, text=text)]
        return [gap(read.id, error, read.advice)]
