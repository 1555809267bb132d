"""Inventory: threads that ask at the same time, and hold nothing up.

Those of concurrent.futures are waited for as the process ends: one that a server keeps waiting
would keep the whole audit from its end.
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
"""Requests under way at once."""

NAME = "keywatch-worker"

_AHEAD = 10_000  # items of one source that wait for those before it
T = TypeVar("T")


class Workers:
    """WORKERS threads, which end once `close` was called and what they do is done."""

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
        """What has not begun never does."""
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
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)


def in_order(sources: Iterable[Callable[[], Iterator[T]]]) -> Iterator[T]:
    """All that the sources give, as if one were asked after the other. Some are asked at once."""
    workers = Workers()
    try:
        running = deque([_begun(workers, source) for source in sources])
        while running:
            queue, done = running.popleft()
            yield from iter(queue.get, None)
            done.result()
    finally:
        workers.close()


def _begun(
    workers: Workers, source: Callable[[], Iterator[T]]
) -> tuple[Queue[T | None], Future[None]]:
    """None in the queue is its end."""
    queue: Queue[T | None] = Queue(_AHEAD)
    return queue, workers.submit(partial(_pour, source, queue))


def _pour(source: Callable[[], Iterator[T]], queue: Queue[T | None]) -> None:
    try:
        for item in source():
            queue.put(item)
    finally:
        queue.put(None)
