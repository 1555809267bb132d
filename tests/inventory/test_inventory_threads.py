"""Several sources at once: their order, their errors, and what hangs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from scanner.inventory.threads import WORKERS, Workers, in_order


def numbers(first: int, count: int = 3) -> Iterator[int]:
    yield from range(first, first + count)


def test_what_several_sources_give_comes_in_their_order() -> None:
    sources = [partial(numbers, 3 * n) for n in range(4 * WORKERS)]
    assert list(in_order(sources)) == list(range(12 * WORKERS))


def test_sources_are_asked_at_the_same_time() -> None:
    meeting = threading.Barrier(WORKERS, timeout=20)

    def meets() -> Iterator[int]:
        yield meeting.wait()

    assert sorted(in_order([meets] * WORKERS)) == list(range(WORKERS))


def test_without_a_source_there_is_nothing() -> None:
    assert list(in_order([])) == []


def test_an_error_of_a_source_is_raised_after_what_came_before_it() -> None:
    def fails() -> Iterator[int]:
        yield 7
        raise ValueError

    sources: list[Callable[[], Iterator[int]]] = [partial(numbers, 0), fails]
    found = in_order(sources)
    assert [next(found) for _ in range(4)] == [0, 1, 2, 7]
    with pytest.raises(ValueError):
        next(found)


def test_after_the_end_nothing_begins() -> None:
    workers, begun, goes_on = Workers(), threading.Semaphore(0), threading.Event()

    def waits() -> bool:
        begun.release()
        return goes_on.wait(20)

    running = [workers.submit(waits) for _ in range(WORKERS)]
    for _ in running:
        begun.acquire()
    late = workers.submit(waits)
    workers.close()
    goes_on.set()
    assert all(each.result() for each in running)
    assert not late.done()


def test_a_thread_that_hangs_does_not_keep_the_process_from_its_end() -> None:
    text = (
        "import threading\n"
        "from scanner.inventory.threads import Workers\n"
        "begun = threading.Event()\n"
        "Workers().submit(lambda: (begun.set(), threading.Event().wait()))\n"
        "begun.wait()\n"
    )
    assert subprocess.run([sys.executable, "-c", text], timeout=60, check=False).returncode == 0
