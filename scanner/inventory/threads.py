"""Inventory: threads that send requests at the same time.

Python waits for the threads of concurrent.futures when the process ends, so one slow server would
keep the audit from ending. These threads are daemons.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from queue import Queue, SimpleQueue
from typing import TypeVar

WORKERS = 8
"""How many requests run at the same time."""

NAME = "keywatch-worker"

_MAX_WAITING = 10_000  # items of one source that wait for earlier sources
T = TypeVar("T")


class Workers:
    """A pool of WORKERS threads. They end after `close`, when their current task is done."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._closed = False
        for _ in range(WORKERS):
            threading.Thread(target=self._work, name=NAME, daemon=True).start()

    def submit(self, run: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        self._tasks.put(partial(_settle, future, run))
        return future

    def close(self) -> None:
        """Stop. Tasks that have not started are dropped."""
        self._closed = True
        for _ in range(WORKERS):
            self._tasks.put(None)

    def _work(self) -> None:
        for task in iter(self._tasks.get, None):
            if not self._closed:
                task()


def _settle(future: Future[T], run: Callable[[], T]) -> None:
    try:
        future.set_result(run())
    except BaseException as error:  # noqa: BLE001 - raised again when the result is asked for
        future.set_exception(error)


def in_order(sources: Iterable[Callable[[], Iterator[T]]]) -> Iterator[T]:
    """The items of all sources, in the order of the sources. Several sources run at once."""
    workers = Workers()
    try:
        running = deque([_started(workers, source) for source in sources])
        while running:
            queue, done = running.popleft()
            yield from iter(queue.get, None)
            done.result()
    finally:
        workers.close()


def _started(
    workers: Workers, source: Callable[[], Iterator[T]]
) -> tuple[Queue[T | None], Future[None]]:
    """Start a source. None in the queue means that it has ended."""
    queue: Queue[T | None] = Queue(_MAX_WAITING)
    return queue, workers.submit(partial(_fill, source, queue))


def _fill(source: Callable[[], Iterator[T]], queue: Queue[T | None]) -> None:
    try:
        for item in source():
            queue.put(item)
    finally:
        queue.put(None)
