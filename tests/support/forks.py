"""Coverage of forked processes, without the start and the save that it costs in each of them.

A fork inherits the tracer and all that was seen so far. Only where it has seen more when it ends
does it leave that, in a file, for the process that it comes from: most of a run's forks see nothing
new, and to save what they saw takes as long as what they do.
"""

from __future__ import annotations

import os
import pickle
import posix
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

MEASURING = "COVERAGE_PROCESS_CONFIG"
"""Where coverage tells the processes that are started how to measure themselves."""


class Forks:
    """Made by the process that forks, with a folder of its own, and asked there for `join` when its
    forks have ended."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._inherited = 0
        coverage = sys.modules.get("coverage")
        current = coverage and coverage.Coverage.current()
        self._collector: Any = current and current._collector
        """Its `data`: what was seen of each file in this process, live."""
        if self._collector:
            os.register_at_fork(after_in_child=self._begin)
            os._exit = self._end

    def join(self) -> None:
        """Take over what forks have seen."""
        for found in os.listdir(self._folder):
            file = Path(self._folder, found)
            if file.suffix != ".seen":  # of a fork that was killed while it wrote it
                continue
            for name, arcs in pickle.loads(file.read_bytes()).items():
                self._collector.data.setdefault(name, set()).update(arcs)
            file.unlink()

    @contextmanager
    def unmeasured(self) -> Iterator[None]:
        """What runs meanwhile is not measured."""
        if not self._collector:
            yield
            return
        self._collector.pause()
        try:
            yield
        finally:
            self._collector.resume()

    def _size(self) -> int:
        return sum(map(len, self._collector.data.values()))

    def _begin(self) -> None:
        self._inherited = self._size()

    def _end(self, status: int) -> NoReturn:
        try:
            if self._size() != self._inherited:
                beside = Path(self._folder, str(os.getpid()))
                beside.write_bytes(pickle.dumps(self._collector.data))
                beside.rename(beside.with_suffix(".seen"))  # whole, even where we are killed
        finally:
            posix._exit(status)
