"""Processes that work beside this one, forked or spawned."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

import pytest

from scanner import pool
from tests.support.helpers import forks, processors

HERE = os.getpid()


def doubling() -> Callable[[Sequence[str]], list[str]]:
    return double


def double(items: Sequence[str]) -> list[str]:
    time.sleep(0.02)
    if "raise" in items:
        raise ValueError("in a worker")
    if "die" in items:
        os.kill(os.getpid(), signal.SIGKILL)
    return [item * 2 for item in items]


@pytest.fixture
def spawning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pool believe that it runs where it must not fork."""
    monkeypatch.setattr(sys, "platform", "darwin")


@pytest.mark.usefixtures("spawning")
class TestSpawned:
    ITEMS = tuple(map(str, range(200)))

    def test_every_item_is_answered_for_once(self) -> None:
        answers: list[str] = []
        for result in pool.run(doubling, self.ITEMS):
            assert not isinstance(result, pool.Lost)
            answers += result
        assert sorted(answers) == sorted(item * 2 for item in self.ITEMS)

    def test_an_error_in_a_worker_is_the_runs_error(self) -> None:
        with pytest.raises(ValueError, match="in a worker"):
            list(pool.run(doubling, (*self.ITEMS, "raise")))

    def test_a_worker_that_is_killed_loses_its_own_batch_alone(self) -> None:
        results = list(pool.run(doubling, (*self.ITEMS, "die")))
        (lost,) = [result.items for result in results if isinstance(result, pool.Lost)]
        assert "die" in lost


class TestBatches:
    def test_they_get_smaller_and_hold_all_items(self, monkeypatch: pytest.MonkeyPatch) -> None:
        processors(monkeypatch, 2)
        items = [*map(str, range(1000))]
        batches = [*pool._batches(items, 400, 0.5)]
        assert [*map(len, batches)][:6] == [250, 187, 140, 105, 79, 59]
        assert [item for batch in batches for item in batch] == items
        assert [*map(len, pool._batches(items[:10], 3, 0.9))] == [3, 3, 1, 1, 1, 1]

    @forks
    def test_where_there_is_one_processor_all_is_done_here_in_large_ones(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        processors(monkeypatch, 1)
        items, here = tuple(map(str, range(2000))), [os.getpid()]
        made: list[Sequence[object]] = []
        for result in pool.run(lambda: lambda some: [*some, os.getpid()], items, most=900):
            assert not isinstance(result, pool.Lost)
            assert result[-1:] == here
            made.append(result[:-1])
        assert [item for some in made for item in some] == [*items]
        assert [*map(len, made)] == [900, 900, 200]
