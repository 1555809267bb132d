"""Ground: start a worker process and exchange objects with it through a pipe.

A forked worker inherits the modules that this process has loaded. A spawned one loads them again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_LENGTH, _MOST = 8, 1 << 20  # of a message: the bytes of its size; and those that are read at once


class Pipe(Protocol):
    """Our end of a pipe, or theirs. `recv` gives the next object; EOFError or OSError where the
    other end is closed."""

    def send(self, value: Any) -> None: ...
    def recv(self) -> Any: ...
    def close(self) -> None: ...


class Process(Protocol):
    """`terminate` asks it to end, `join` waits until it has."""

    def terminate(self) -> None: ...
    def join(self) -> None: ...


Work = Callable[[Pipe], None]
Begin = Callable[[Work, Sequence[Any]], tuple[Pipe, Process]]
Wait = Callable[[Sequence[Any]], Sequence[Any]]


def forking() -> tuple[Begin, Wait]:
    """How to begin a process, given the pipes of the others; and how to wait until some pipes have
    something to read, or are closed."""
    return _fork, _wait


def spawning() -> tuple[Begin, Wait]:
    """The same where processes do not fork. The work must be picklable."""
    import multiprocessing
    from multiprocessing.connection import wait

    context = multiprocessing.get_context("spawn")

    def begin(work: Work, _others: object) -> tuple[Pipe, Process]:
        ours, theirs = context.Pipe()
        process = context.Process(target=_spawned, args=(work, theirs), daemon=True)
        with _signals_held():
            process.start()
        theirs.close()
        return ours, process

    return begin, wait


class _Pipe:
    """Pickled objects over two file descriptors: what multiprocessing's connections do, without the
    ten milliseconds that it takes to import them."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads = reads
        self._writes = writes

    def fileno(self) -> int:
        return self._reads

    def send(self, value: Any) -> None:
        import pickle

        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        left = memoryview(len(data).to_bytes(_LENGTH, "big") + data)
        while left:
            left = left[os.write(self._writes, left) :]

    def recv(self) -> Any:
        import pickle

        size = int.from_bytes(self._read(_LENGTH), "big")
        return pickle.loads(self._read(size))  # noqa: S301 - a process of our own wrote it

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = os.read(self._reads, min(size - len(data), _MOST))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def close(self) -> None:
        os.close(self._reads)
        os.close(self._writes)


class _Forked:
    def __init__(self, pid: int) -> None:
        self._pid = pid

    def terminate(self) -> None:
        import signal

        os.kill(self._pid, signal.SIGTERM)

    def join(self) -> None:
        os.waitpid(self._pid, 0)


def _fork(work: Work, others: Sequence[_Pipe]) -> tuple[_Pipe, _Forked]:
    """It closes our ends of the pipes of the others: one with no writer left must be at its end, so
    that a process whose parent was killed ends after the work at hand."""
    (their_reads, our_writes), (our_reads, their_writes) = os.pipe(), os.pipe()
    ours, theirs = _Pipe(our_reads, our_writes), _Pipe(their_reads, their_writes)
    with _signals_held():
        pid = os.fork()
        if not pid:
            try:
                for pipe in (ours, *others):
                    pipe.close()
                _begin(work, theirs)
            finally:
                os._exit(0)
    theirs.close()
    return ours, _Forked(pid)


def _wait(pipes: Sequence[_Pipe]) -> Sequence[_Pipe]:
    import select

    poll, by_number = select.poll(), {pipe.fileno(): pipe for pipe in pipes}
    for number in by_number:
        poll.register(number, select.POLLIN)
    ready = poll.poll()
    return [by_number[number] for number, _ in ready]


def _begin(work: Work, pipe: Pipe) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    work(pipe)


def _spawned(work: Work, pipe: Connection) -> None:
    from threading import Thread

    Thread(target=_end_with_parent, daemon=True).start()
    _begin(work, pipe)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back during a fork. Otherwise the child could run the parent's signal handler,
    or the parent could be stopped before it knows the child's id."""
    import signal

    if not hasattr(signal, "pthread_sigmask"):  # Windows, where there is no fork
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """End this worker when its parent is killed: the parent cannot end it then."""
    from multiprocessing.connection import wait
    from multiprocessing.process import parent_process

    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)
