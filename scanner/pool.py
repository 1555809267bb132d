"""A pool of worker processes over batches of items.

Small work never pays for a pool: it starts only for many items, or if the first hundredths of a
second were not enough. If a worker dies (out of memory, killed), its current batch is lost and
reported as `Lost`.

Each worker has its own pipe and one batch at a time. When its end of the pipe closes, the worker is
gone, even in the middle of a message. The executor of the standard library shares one queue: it may
wait forever for a worker that was killed while it answered, and its workers for a parent that was.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Result = TypeVar("Result")
Task = Callable[[Sequence[str]], Result]

_MANY = 1000  # items for which workers start at once

_task: Task[Any] | None = None


class Lost(NamedTuple):
    """A worker ended before it could answer for these items."""

    items: Sequence[str]


def run(
    make: Callable[[], Callable[[Sequence[str]], Result]],
    items: Sequence[str],
    *,
    most: int = 64,
    share: float = 0.5,
    patience: float = 0.03,
) -> Iterator[Result | Lost]:
    """Call the task that `make` returns for all items, in batches of at most `most`, in any order.

    A batch holds this `share` of the remaining items, divided by the number of workers.
    This process works alone for `patience` seconds after the first item, unless there are many
    items. `make` and what it holds must be picklable where processes cannot fork.
    """
    global _task  # noqa: PLW0603 - inherited by forked workers
    task = _task = make()
    start, done = time.monotonic(), 0
    while done < len(items) < _MANY and time.monotonic() - start < patience:
        yield task(items[done : done + 1])
        done += 1
        if done == 1:  # the first item also loads modules and compiles expressions
            start = time.monotonic()
    if _workers() == 1:
        for first in range(done, len(items), most):
            yield task(items[first : first + most])
    elif done < len(items):
        yield from _in_workers(make, _batches(items[done:], most, share))


def _batches(items: Sequence[str], most: int, share: float) -> Iterator[Sequence[str]]:
    """Smaller and smaller batches, so that all workers finish at about the same time."""
    while items:
        size = max(1, min(most, int(len(items) * share / _workers())))
        yield items[:size]
        items = items[size:]


def _in_workers(make: Callable[[], Task[Any]], batches: Iterator[Sequence[str]]) -> Iterator[Any]:
    import signal
    import sys

    from scanner import processes

    busy: dict[Connection, _Worker] = {}

    def start_worker() -> None:
        if batch := next(batches, None):
            worker = _Worker(*processes.start(partial(_work, make)))
            busy[worker.pipe] = worker
            worker.give(batch)

    # By default, SIGTERM would end this process and leave its workers to finish their batches.
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        for _ in range(_workers()):
            start_worker()
        while busy:
            for pipe in processes.wait_for(list(busy)):
                answer = busy[pipe].answer()
                if isinstance(answer, Lost):
                    busy.pop(pipe).end()
                    start_worker()
                elif batch := next(batches, None):
                    busy[pipe].give(batch)
                else:
                    busy.pop(pipe).end()
                if isinstance(answer, Exception):
                    raise answer
                yield answer
    finally:
        for worker in busy.values():
            worker.end(kill=True)
        signal.signal(signal.SIGTERM, before)


class _Worker:
    """A process, our end of its pipe, and its current batch."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self.pipe = pipe
        self._process = process
        self._batch: Sequence[str] = ()

    def give(self, batch: Sequence[str]) -> None:
        """Send the next batch; an empty one ends the worker."""
        self._batch = batch
        with contextlib.suppress(OSError):  # the worker is gone, which `answer` reports
            self.pipe.send(batch)

    def answer(self) -> Any:
        """The result of the task, the exception that it raised, or Lost."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return Lost(self._batch)

    def end(self, *, kill: bool = False) -> None:
        if kill:
            self._process.terminate()
        else:
            self.give(())
        self.pipe.close()
        self._process.join()


def _work(make: Callable[[], Task[Any]], pipe: Connection) -> None:
    try:
        task = _task or make()
        while batch := pipe.recv():
            pipe.send(_answer(task, batch))
    except Exception:  # noqa: BLE001, S110 - the end of the worker is noticed; a traceback may
        pass  # contain plaintext


def _answer(task: Task[Any], batch: Sequence[str]) -> Any:
    try:
        return task(batch)
    except Exception as error:  # noqa: BLE001 - raised again in the parent, which reports it
        return error


def _workers() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(len(os.sched_getaffinity(0)), 8))
    return max(1, min(os.cpu_count() or 1, 8))
