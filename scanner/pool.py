"""Ground: a bounded pool of worker processes over batches of work.

Small work never pays for a pool: it starts only for many items, or when the first hundredths of a
second were not enough. A worker that dies (out of memory, killed) costs the batch that it had, and
that is named.

Each worker has a pipe of its own (processes.py), and one batch at a time: when its end of the pipe
closes it is gone, in the middle of a message too. The standard library's executor shares one queue,
so it may wait for ever for a worker that was killed while it answered, and its workers for a parent
that was.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple, TypeVar

from scanner import processes
from scanner.processes import Pipe, Process

Result = TypeVar("Result")
Task = Callable[[Sequence[str]], Result]

_MANY = 1000  # items that are not begun here
_FIRST = 16

_task: Task[Any] | None = None


class Lost(NamedTuple):
    """A worker ended before it could answer for these items."""

    items: Sequence[str]


def run(  # noqa: PLR0913 - how the work is cut, by name
    make: Callable[[], Callable[[Sequence[str]], Result]],
    items: Sequence[str],
    meanwhile: Callable[[], object] = lambda: None,
    *,
    most: int = 64,
    share: float = 0.25,
    patience: float = 0.03,
) -> Iterator[Result | Lost]:
    """The task that `make` gives, over all items in any order, in batches of `most` at most.

    In each round, every worker takes this share of what there is left for it, from the second on at
    most half: batches get smaller, so that all workers end at about the same time. Half of them
    take from the front, half from the back: where like items are side by side, what is loaded for
    one kind is loaded by half of them. Before that, few items are done here, for so many seconds.

    `make` and what it holds must be picklable where processes cannot fork.
    """
    global _task  # noqa: PLW0603 - what a forked worker inherits
    task = _task = make()
    start, at = time.monotonic(), 0
    patience = patience if len(items) < _MANY else 0
    while at < len(items) and time.monotonic() - start < patience:
        few = min(at + 1, _FIRST)  # 1, 2, 4 …: the first files may be the large ones
        yield task(items[at : at + few])
        at += few
    if _workers() == 1:
        for first in range(at, len(items), most):
            yield task(items[first : first + most])
    elif left := _Left(items[at:], _sizes(len(items) - at, most, share)):
        yield from _pooled(make, left, meanwhile)


def _sizes(left: int, most: int, share: float) -> Iterator[int]:
    """Of one batch after the other, in rounds of one for each worker."""
    while True:
        size = max(1, min(most, int(left * share / _workers())))
        yield from [size] * _workers()
        left -= size * _workers()
        share = min(share, 0.5)


class _Left:
    """The items that no worker has taken yet."""

    def __init__(self, items: Sequence[str], sizes: Iterator[int]) -> None:
        self._items = items
        self._sizes = sizes
        self._first, self._end = 0, len(items)

    def __len__(self) -> int:
        return self._end - self._first

    def front(self) -> Sequence[str]:
        start = self._first
        self._first = min(start + next(self._sizes), self._end)
        return self._items[start : self._first]

    def back(self) -> Sequence[str]:
        end = self._end
        self._end = max(end - next(self._sizes), self._first)
        return self._items[self._end : end]


def _pooled(
    make: Callable[[], Task[Any]], left: _Left, meanwhile: Callable[[], object]
) -> Iterator[Any]:
    import signal

    work = partial(_work, make)
    begin, wait = processes.forking() if sys.platform == "linux" else processes.spawning()
    ends = cycle((left.front, left.back))
    busy: dict[Any, _Worker] = {}
    # Not SIGTERM's default, which would leave the workers to end their batches alone.
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        for _ in range(min(_workers(), len(left))):
            worker = _Worker(*begin(work, list(busy)), next(ends))
            busy[worker.pipe] = worker
        for worker in list(busy.values()):
            _employ(worker, left, busy)
        meanwhile()
        while busy:
            for pipe in wait(list(busy)):
                worker = busy.pop(pipe)
                answer = worker.answer()
                if isinstance(answer, Lost):
                    worker.end()
                    worker = _Worker(*begin(work, list(busy)), worker.take)
                _employ(worker, left, busy)
                if isinstance(answer, Exception):
                    raise answer
                yield answer
    finally:
        for worker in busy.values():
            worker.end(kill=True)
        signal.signal(signal.SIGTERM, before)


def _employ(worker: _Worker, left: Sized, busy: dict[Any, _Worker]) -> None:
    if left:
        worker.give(worker.take())
        busy[worker.pipe] = worker
    else:
        busy.pop(worker.pipe, None)
        worker.end()


class _Worker:
    """A process, our end of its pipe, the batch that it is at work on, and what takes the next."""

    def __init__(self, pipe: Pipe, process: Process, take: Callable[[], Sequence[str]]) -> None:
        self.pipe = pipe
        self.take = take
        self._batch: Sequence[str] = ()
        self._process = process

    def give(self, batch: Sequence[str]) -> None:
        """The next batch; an empty one is the end."""
        self._batch = batch
        with contextlib.suppress(OSError):  # a worker that is gone: answer() says so
            self.pipe.send(batch)

    def answer(self) -> Any:
        """What the task gave, the exception that it raised, or Lost."""
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


def _work(make: Callable[[], Task[Any]], pipe: Pipe) -> None:
    try:
        task = _task or make()
        while batch := pipe.recv():
            pipe.send(_answer(task, batch))
    except Exception:  # noqa: BLE001, S110 - to end is to say it; a traceback may hold plaintext
        pass


def _answer(task: Task[Any], batch: Sequence[str]) -> Any:
    try:
        return task(batch)
    except Exception as error:  # noqa: BLE001 - raised again where it can be reported
        return error


def _workers() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(len(os.sched_getaffinity(0)), 8))
    return max(1, min(os.cpu_count() or 1, 8))
