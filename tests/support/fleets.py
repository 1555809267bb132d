"""Fleets of small repositories, runs of `keywatch fleet scan`, and a real Dask cluster with TLS."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import trustme

from tests.support.helpers import NOW, git, leak, repository, write_commits

_SECONDS = 60
_STARTED = 30


def clones(folder: Path, *, commits: int = 30) -> Path:
    """Six clones of two teams: `a/app`, its fork `b/fork` with a commit of its own, and others. The
    same value is in `a/lib` and `b/web`."""
    for number, name in enumerate(("a/app", "a/lib", "a/clean", "b/web")):
        secrets = name != "a/clean"
        write_repository(folder / name, number, commits, secrets=secrets)
    for name in ("a/lib", "b/web"):
        add(folder / name, {"shared.py": leak(99)})
    folder.joinpath("b").mkdir(exist_ok=True)
    git(folder, "clone", "--quiet", str(folder / "a/app"), "b/fork")
    add(folder / "b/fork", {"private.py": leak(50)})
    return folder


def write_repository(root: Path, seed: int, commits: int, *, secrets: bool = True) -> Path:
    """A repository whose every tenth commit adds a secret. The first one is removed again."""
    repository(root)
    history: list[dict[str, str]] = [
        {f"file{number % 7}.py": f"x = {seed * 1000 + number}\n"} for number in range(commits)
    ]
    for number in range(0, commits if secrets else 0, 10):
        history[number][f"secret{number}.py"] = leak(seed * 1000 + number)
    history.append({"secret0.py": "x = 1\n"})
    write_commits(root, history)
    git(root, "reset", "--quiet", "--hard")
    return root


def add(root: Path, files: Mapping[str, str]) -> None:
    """Add a commit."""
    for name, text in files.items():
        (root / name).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "-m", "more")


class FleetRun(NamedTuple):
    """A finished run."""

    code: int
    out: str
    err: str


class Fleet:
    """Runs the command of a checkout on the clones in a folder."""

    def __init__(self, checkout: Path, folder: Path, *options: str) -> None:
        self.checkout = checkout
        self.folder = folder
        self.options = options

    def argv(self, output: Path, *arguments: str) -> list[str]:
        command = [sys.executable, "-m", "scanner", "fleet", "scan", f"--now={NOW}"]
        places = ["--folder", str(self.folder), "--output", str(output)]
        return [*command, *places, *self.options, *arguments]

    def start(self, output: Path, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(output, *arguments),
            cwd=self.checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, output: Path, *arguments: str) -> FleetRun:
        return ended(self.start(output, *arguments))


def ended(process: subprocess.Popen[str]) -> FleetRun:
    out, err = process.communicate(timeout=_SECONDS)
    assert "Traceback" not in err, err
    assert process.returncode != 4, err
    return FleetRun(process.returncode, out, err)


def results(output: Path) -> dict[str, Any]:
    """Everything that a run wrote, without what tells how often it ran."""
    found: dict[str, Any] = {
        str(path.relative_to(output)): path.read_text()
        for path in sorted(output.rglob("*"))
        if path.suffix in {".sarif", ".jsonl", ".prom"}
    }
    overview = json.loads((output / "overview.json").read_text())
    return found | {"overview": {k: v for k, v in overview.items() if k != "trend"}}


def values(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "findings.jsonl").read_text().splitlines()]


def places(output: Path, repository: str) -> set[tuple[str, str]]:
    """(path, commit) of each finding of a repository."""
    every = (place for value in values(output) for place in value["places"])
    return {(each["path"], each["commit"]) for each in every if each["repository"] == repository}


class Cluster:
    """A scheduler and workers on loopback, each in its own process, with certificates of their own
    authority."""

    def __init__(self, checkout: Path, folder: Path, *, workers: int = 2) -> None:
        self._checkout = checkout
        self._folder = folder
        self._certificates()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "cluster.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._number = workers
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def options(self) -> tuple[str, ...]:
        names = ("ca", "cert", "key")
        files = [f"--tls-{name}={self._folder / name}.pem" for name in names]
        return (f"--scheduler=tls://127.0.0.1:{self.port}", *files)

    def start(self) -> None:
        self.scheduler = self._start("scheduler", "--host=127.0.0.1", f"--port={self.port}")
        deadline = time.monotonic() + _STARTED
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                break
            time.sleep(0.05)
        for _ in range(self._number):
            self.add_worker()

    def add_worker(self) -> None:
        local = self._folder / f"worker-{len(self._processes)}"
        address = f"tls://127.0.0.1:{self.port}"
        options = ("--nthreads=1", "--memory-limit=1GB", f"--local-directory={local}")
        self._processes.append(self._start("worker", address, "--host=127.0.0.1", *options))

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()
        for process in self._processes:
            _end(process)
        self._processes.clear()

    def worker_processes(self) -> list[int]:
        """The processes in which units run: the children of the nannies."""
        return [child for process in self._processes for child in children(process.pid) if child]

    def stop(self) -> None:
        for process in (*self._processes, *filter(None, (self.scheduler,))):
            _end(process)

    def _start(self, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        certificates = [
            *(f"--tls-ca-file={self._folder}/ca.pem", f"--tls-cert={self._folder}/cert.pem"),
            f"--tls-key={self._folder}/key.pem",
        ]
        module = f"distributed.cli.dask_{kind}"
        quiet = ["--no-dashboard", "--dashboard-address=127.0.0.1:0"]
        quiet += ["--protocol=tls"] if kind == "scheduler" else []
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments, *quiet, *certificates],
                cwd=self._checkout,
                env=os.environ | {"PYTHONPATH": str(self._checkout)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _certificates(self) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        self._folder.mkdir(parents=True, exist_ok=True)
        authority.cert_pem.write_to_path(str(self._folder / "ca.pem"))
        chain = self._folder / "cert.pem"
        for number, part in enumerate(certificate.cert_chain_pems):
            part.write_to_path(str(chain), append=number > 0)
        certificate.private_key_pem.write_to_path(str(self._folder / "key.pem"))


@contextlib.contextmanager
def cluster(checkout: Path, folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    made = Cluster(checkout, folder, workers=workers)
    try:
        yield made
    finally:
        made.stop()


def children(parent: int) -> Sequence[int]:
    """The processes that a process has started, without multiprocessing's resource tracker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
                if int(fields[1]) == parent and b"spawn_main" in command:
                    found.append(int(entry.name))
    return found


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def runs(process: int) -> bool:
    """Does the process still run? A moment is left to it. A dead one may wait for its parent."""
    deadline = time.monotonic() + 20
    while (alive := _is_alive(process)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return alive


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return False
    return state[0] not in "ZX"
