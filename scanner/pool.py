"""Ground: a bounded pool of worker processes over batches of work.

Small work never pays for a pool: it starts only when the first hundredths of a second were not
enough. A worker that dies (out of memory, killed) costs its batches, and they are named.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

Result = TypeVar("Result")
Task = Callable[[Sequence[str]], Result]

_PATIENCE = 0.03
_FIRST, _BATCH = 16, 64

_task: Task[Any] | None = None


class Lost(NamedTuple):
    """A worker ended before it could answer for these items."""

    items: Sequence[str]


def run(
    make: Callable[[], Callable[[Sequence[str]], Result]], items: Sequence[str]
) -> Iterator[Result | Lost]:
    """The task that `make` gives, over all items in batches, in any order.

    `make` and what it holds must be picklable where processes cannot fork.
    """
    global _task  # noqa: PLW0603 - what a forked worker inherits
    task = _task = make()
    start, at = time.monotonic(), 0
    while at < len(items) and (time.monotonic() - start < _PATIENCE or _workers() == 1):
        yield task(items[at : at + _FIRST])
        at += _FIRST
    if at < len(items):
        yield from _pooled(make, [items[i : i + _BATCH] for i in range(at, len(items), _BATCH)])


def _pooled(make: Callable[[], Task[Result]], batches: Sequence[Sequence[str]]) -> Iterator[Any]:
    import multiprocessing
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed

    method = "fork" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(method)
    workers = min(_workers(), len(batches))
    with ProcessPoolExecutor(workers, context, _start, (make,)) as pool:
        futures = {pool.submit(_do, batch): batch for batch in batches}
        try:
            for future in as_completed(futures):
                batch = futures.pop(future)
                try:
                    yield future.result()
                except BrokenExecutor:
                    yield Lost(batch)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(make: Callable[[], Task[Any]]) -> None:
    global _task  # noqa: PLW0603
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if _task is None:
        _task = make()


def _do(batch: Sequence[str]) -> Any:
    assert _task is not None  # noqa: S101 - _start ran first
    return _task(batch)


def _workers() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(len(os.sched_getaffinity(0)), 8))
    return max(1, min(os.cpu_count() or 1, 8))
