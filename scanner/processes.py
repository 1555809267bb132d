"""Start worker processes and exchange objects with them through pipes.

Only pool.py imports this module, and only when it starts workers: multiprocessing takes 12 ms.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess, parent_process
from threading import Thread
from typing import cast

Work = Callable[[Connection], None]

METHOD = "fork" if sys.platform == "linux" else "spawn"
"""How processes start. A forked one inherits what this process has loaded."""


def start(work: Work) -> tuple[BaseProcess, Connection]:
    """Start a process that calls `work` with its end of a pipe; returns the process and our end.

    `work` must be picklable unless processes are forked.
    """
    context = cast("SpawnContext", multiprocessing.get_context(METHOD))
    ours, theirs = context.Pipe()
    process = context.Process(target=_begin, args=(work, theirs), daemon=True)
    with _signals_blocked():
        process.start()
    theirs.close()
    return process, ours


def wait_for(pipes: Sequence[Connection]) -> list[Connection]:
    """Wait until some of the pipes have an object to read, or are closed; returns these."""
    return cast("list[Connection]", wait(pipes))


def _begin(work: Work, pipe: Connection) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    work(pipe)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals during a fork. Otherwise the child could run the parent's signal handler, or
    the parent could be stopped before it knows the child's id."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows, which has no fork
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """End this worker if its parent is killed: the parent cannot end it then."""
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)
