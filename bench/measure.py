"""Benchmark: runs one command and says what it cost, together with all processes it started.

Linux only: pidfd for the time limit, /proc for memory. A command gets a session of its own, so
that everything it leaves behind can be found, counted and ended by id.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and where. `ok` are the exit codes that count as done; `limit` in seconds. The
    memory of processes of the program `apart` is counted by itself."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    ok: frozenset[int] = frozenset({0})
    limit: float = 120.0
    stdout: Path | None = None
    stderr: Path | None = None
    apart: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: wall and CPU (user and system of the whole process tree) in seconds.

    `peak` is the largest sum of proportional set sizes seen at one moment, in bytes; 0 where
    memory was not sampled. `apart` is that of the processes of `Command.apart`, which are not in
    it. `code` is None where the run was ended at its time limit.
    """

    wall: float
    cpu: float
    code: int | None
    good: bool
    peak: int = 0
    apart: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The runs of one command."""

    runs: tuple[Run, ...]

    @property
    def good(self) -> bool:
        return bool(self.runs) and all(run.good for run in self.runs)

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak(self) -> int:
        return max(run.peak for run in self.runs)

    @property
    def apart(self) -> int:
        return max(run.apart for run in self.runs)

    @property
    def trouble(self) -> str:
        """Why the series cannot be used, or ""."""
        bad = [run for run in self.runs if not run.good]
        if not bad:
            return "" if self.runs else "not run"
        return "stopped at the limit" if bad[0].code is None else f"exit {bad[0].code}"

    def raw(self) -> list[dict[str, object]]:
        return [asdict(run) for run in self.runs]


def run(command: Command, *, sample: bool = False) -> Run:
    """Run `command` once; with `sample`, its memory is read every 10 ms (which disturbs time)."""
    _adopt_orphans()
    with _streams(command) as (out, err):
        start = time.perf_counter()
        child = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            in_time, peaks = _watch(child.pid, command, sample=sample)
        finally:
            wall = time.perf_counter() - start
            if not _ended(child.pid):
                _end(child.pid)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
    cpu = _cpu(usage) + _reap(child.pid)
    code = child.returncode if in_time else None
    good = code in command.ok
    return Run(wall=wall, cpu=cpu, code=code, good=good, **peaks)


def in_turn(commands: Mapping[str, Command], rounds: int) -> dict[str, Series]:
    """Each command once to warm up, then A B C A B C …; one that fails warming up stays out."""
    first = {name: run(command) for name, command in commands.items()}
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            if first[name].good:
                taken[name].append(run(command))
    return {
        name: Series(runs=tuple(runs) if first[name].good else (first[name],))
        for name, runs in taken.items()
    }


def sampled(command: Command, times: int = 2) -> Series:
    """Runs that only look at memory."""
    return Series(runs=tuple(run(command, sample=True) for _ in range(times)))


def session(leader: int) -> tuple[int, ...]:
    """Ids of all processes whose session is `leader`'s, or that descend from one of them."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for pid, parent, group in _processes():
        parents[pid] = parent
        if leader in (group, pid):
            found.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return tuple(sorted(found))


def proportional_size(pid: int) -> int:
    """The PSS of one process in bytes; 0 where it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0
    )


def _watch(pid: int, command: Command, *, sample: bool) -> tuple[bool, dict[str, int]]:
    """Wait for the end: did it come in time? And the peaks of a Run."""
    deadline = time.monotonic() + command.limit
    peaks = {"peak": 0, "apart": 0, "processes": 0}
    with _poller(pid) as ended:
        while (left := deadline - time.monotonic()) > 0:
            if ended(min(left, SAMPLE_SECONDS) if sample else left):
                return True, peaks
            if sample:
                sizes = {pid_: size for pid_ in session(pid) if (size := proportional_size(pid_))}
                apart = sum(size for pid_, size in sizes.items() if _name(pid_) == command.apart)
                peaks["apart"] = max(peaks["apart"], apart)
                if (own := sum(sizes.values()) - apart) > peaks["peak"]:
                    peaks |= {"peak": own, "processes": len(sizes)}
    return False, peaks


def _name(pid: int) -> str:
    """The program that a process runs, "" where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def _poller(pid: int) -> Iterator[Callable[[float], bool]]:
    """A function that waits up to so many seconds and says whether the process has ended."""
    handle = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        yield lambda seconds: bool(poll.poll(max(1, round(seconds * 1000))))
    finally:
        os.close(handle)


def _ended(pid: int) -> bool:
    with _poller(pid) as ended:
        return ended(0)


def _end(leader: int) -> None:
    for pid in session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _reap(leader: int) -> float:
    """End what a command left running; the CPU seconds of those orphans."""
    spent = 0.0
    for pid in session(leader):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            spent += _cpu(os.wait4(pid, 0)[2])
    return spent


def _adopt_orphans() -> None:
    """Orphans of a command come to this process, which can then count their CPU."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _processes() -> Iterator[tuple[int, int, int]]:
    """(pid, parent, session) of every process."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(entry.path, "stat").read_bytes()
                fields = stat[stat.rindex(b")") + 2 :].split()
                yield int(entry.name), int(fields[1]), int(fields[3])


@contextlib.contextmanager
def _streams(command: Command) -> Iterator[tuple[int, int]]:
    with contextlib.ExitStack() as stack:
        paths: Sequence[Path | None] = (command.stdout, command.stderr)
        out, err = (
            stack.enter_context(path.open("wb")).fileno() if path else subprocess.DEVNULL
            for path in paths
        )
        yield out, err
