"""Run units on a Dask cluster: one that is started on this machine, or one that exists.

A Dask port executes code for everybody who can reach it. So the cluster on this machine listens on
loopback only, with TLS and certificates that exist only in memory: other users of the machine
cannot connect. A running scheduler is reached with client certificates.

Task names hold a kind and a number, task arguments hold units, and units hold no secret.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import queue
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import scanner
from scanner import project
from scanner.errors import KeywatchError, OutputError, UsageError
from scanner.fleet.cluster.units import Failure
from scanner.fleet.request import EngineRequest
from scanner.model import GapKind

if TYPE_CHECKING:
    from distributed import Client, Future

# Dask gives some of its loggers levels of their own.
_LOGGERS = (
    *("distributed", "distributed.client", "distributed.core", "distributed.nanny"),
    *("distributed.scheduler", "distributed.worker", "bokeh", "tornado", "tornado.application"),
    "asyncio",
)
_PATIENCE = 30  # seconds until a scheduler must answer
_ASK_EVERY = 1.0  # seconds between questions for the number of workers


class Done(NamedTuple):
    """A unit that has ended. `lost`: its worker ended first."""

    number: int
    answer: Any
    lost: bool = False


class SchedulerLostError(Exception):
    """The scheduler is gone. What was submitted must be submitted again."""


def check(request: EngineRequest) -> None:
    """UsageError if the engine's options contradict each other or would be unsafe."""
    certificates = (request.tls_ca, request.tls_cert, request.tls_key)
    if not request.scheduler:
        if any(certificates):
            raise UsageError(
                "--tls-ca, --tls-cert and --tls-key belong to --scheduler",
                todo="add --scheduler tls://HOST:PORT, or leave them out",
            )
        return
    parts = urlsplit(request.scheduler)
    if parts.scheme not in ("tls", "tcp") or not parts.hostname:
        raise UsageError(
            f"--scheduler {request.scheduler} is not an address",
            todo="write it as tls://HOST:PORT",
        )
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname):
        raise UsageError(
            f"--scheduler {request.scheduler} is refused",
            why="without TLS, everybody who can reach a Dask port can execute code on it",
            todo="use tls:// with --tls-ca, --tls-cert and --tls-key",
        )
    if parts.scheme == "tls" and not all(certificates):
        raise UsageError(
            "a scheduler with TLS needs --tls-ca, --tls-cert and --tls-key",
            why="the scheduler and keywatch prove to each other who they are",
            todo="name the three files; docs/fleet.md shows how to make them",
        )
    for path in filter(None, certificates):
        if not os.access(path, os.R_OK):
            raise UsageError(f"{path} cannot be read", todo="check the path and its permissions")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Engine:
    """A connection to a cluster."""

    def __init__(self, client: Client, cluster: Any, *, has_dashboard: bool) -> None:
        self._client = client
        self._cluster = cluster
        self._has_dashboard = has_dashboard
        self._futures: dict[int, Future[Any]] = {}
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._workers, self._asked = 1, float("-inf")

    @classmethod
    @contextlib.contextmanager
    def opened(cls, request: EngineRequest) -> Iterator[Engine]:
        """Start or join the cluster. UsageError if its library is missing, it does not answer, or
        a worker has another version of keywatch."""
        _load()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="keywatch-fleet-"))
            cluster = None
            if request.scheduler:
                client = _joined(request)
            else:
                cluster = _started(request, folder)
                stack.callback(_quietly, cluster.close, timeout=10)
                client = _client(cluster, cluster.security)
            stack.callback(_quietly, client.close, timeout=5)
            has_dashboard = bool(cluster) and request.dashboard is not None
            engine = cls(client, cluster, has_dashboard=has_dashboard)
            engine.check_versions()
            yield engine

    @property
    def workers(self) -> int:
        """How many worker threads there were within the last second, at least 1.

        Each answer of the scheduler takes some milliseconds, and this is asked for each result.
        """
        if time.monotonic() - self._asked >= _ASK_EVERY:
            self._asked = time.monotonic()
            try:
                threads: dict[str, int] = self._client.nthreads()
                self._workers = max(1, sum(threads.values()))
            except (OSError, TimeoutError, ValueError):
                self._workers = 1
        return self._workers

    @property
    def dashboard(self) -> str:
        """The address of the dashboard of the own cluster, "" if there is none."""
        return self._cluster.dashboard_link if self._has_dashboard else ""

    def check_versions(self) -> None:
        versions = self._client.run(_version)
        others = {found for found in versions.values() if found != scanner.__version__}
        if others:
            raise UsageError(
                f"{len(others)} of the workers' versions of keywatch is not {scanner.__version__}",
                why=f"the workers have {', '.join(sorted(map(str, others)))}",
                todo="install the same version of keywatch on the workers and here",
            )

    def submit(self, number: int, function: Callable[[Any], Any], unit: Any, kind: str) -> None:
        """Start a unit. `number` is in its Done. SchedulerLostError."""
        try:
            future = self._client.submit(
                function, unit, key=f"{kind}-{number}-{os.urandom(4).hex()}", pure=False, retries=0
            )
        except (OSError, RuntimeError) as error:
            raise SchedulerLostError from error
        self._futures[number] = future
        future.add_done_callback(lambda _future: self._ended.put(number))

    def ended(self, seconds: float) -> Iterator[Done]:
        """The units that have ended; waits this long for the first. SchedulerLostError."""
        wait = seconds
        while True:
            try:
                number = self._ended.get(timeout=wait) if wait else self._ended.get_nowait()
            except queue.Empty:
                if self._client.status != "running":
                    raise SchedulerLostError from None
                return
            wait = 0
            future = self._futures.pop(number, None)
            if future is not None:
                yield self._done(number, future)

    def _done(self, number: int, future: Future[Any]) -> Done:
        from distributed import KilledWorker

        if future.status == "finished":
            try:
                return Done(number, future.result(timeout=_PATIENCE))
            except (OSError, TimeoutError):  # the worker that held the result is gone
                return Done(number, None, lost=True)
            except Exception as error:  # such as CancelledError: the scheduler is gone
                raise SchedulerLostError from error
        if future.status == "error":
            raised = future.exception(timeout=_PATIENCE)
            if isinstance(raised, KilledWorker):
                return Done(number, None, lost=True)
            reason = f"the worker could not run the unit: {type(raised).__name__}"
            return Done(number, Failure(GapKind.INTERNAL, reason))
        raise SchedulerLostError

    def give_key(self, key: bytes) -> None:
        """Give the workers the key for MACs. SchedulerLostError.

        It travels over the cluster's own connections, not in a task. Workers that join later get
        it, too.
        """
        from scanner.fleet.cluster import worker_key

        try:
            self._client.register_plugin(worker_key.KeyPlugin(key), worker_key.NAME)
        except (OSError, TimeoutError, RuntimeError) as error:
            raise SchedulerLostError from error

    def take_key(self) -> None:
        """Take the key away from the scheduler and the workers."""
        from scanner.fleet.cluster import worker_key

        with contextlib.suppress(OSError, TimeoutError, ValueError, RuntimeError):
            self._client.unregister_worker_plugin(worker_key.NAME)


def _version() -> str:
    return scanner.__version__


def _load() -> None:
    try:
        import cryptography  # noqa: F401 - certificates of the own cluster
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "keywatch fleet needs a library that is not installed",
            why=f"there is no module {error.name}",
            todo=f"pip install {project.requirement('fleet')}",
        ) from None
    # Their messages quote task arguments, and a lost worker is reported by keywatch itself.
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _settings() -> Mapping[str, Any]:
    return {
        # A unit whose worker ended is not given to the next worker at once: keywatch tries it again
        # at the end, alone, so that it takes no other unit with it.
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.profile.enabled": False,
        "distributed.admin.low-level-log-length": 0,
        # What was read stays in memory until the next unit; a worker is not paused for it.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.95,
        "distributed.diagnostics.nvml": False,
    }


def _started(request: EngineRequest, folder: str) -> Any:
    """A cluster of processes on this machine."""
    import dask
    from distributed import LocalCluster, Security

    dask.config.set(_settings())
    # Without an address, Dask's own HTTP server warns if the port 8787 is taken.
    dashboard = f"127.0.0.1:{request.dashboard or 0}"
    try:
        return LocalCluster(
            n_workers=request.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address=dashboard,
            worker_dashboard_address="127.0.0.1:0",
            local_directory=folder,
            memory_limit=request.memory or "auto",
            silence_logs=logging.CRITICAL,
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise UsageError(
            "the worker processes could not be started",
            why=str(error) or type(error).__name__,
            todo="try fewer --workers, or another --dashboard port",
        ) from None


def _joined(request: EngineRequest) -> Client:
    from distributed import Security

    security = None
    if request.scheduler.startswith("tls:"):
        security = Security(
            tls_ca_file=request.tls_ca,
            tls_client_cert=request.tls_cert,
            tls_client_key=request.tls_key,
            require_encryption=True,
        )
    return _client(request.scheduler, security)


def _client(where: Any, security: Any) -> Client:
    from distributed import Client

    try:
        return Client(where, security=security, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"the scheduler {where if isinstance(where, str) else ''} does not answer",
            why=str(error).splitlines()[0] if str(error) else type(error).__name__,
            todo="check its address, its certificates and whether it runs",
        ) from None


def _quietly(close: Callable[..., Any], *, timeout: float) -> None:
    """Close a part of the cluster; a part that is gone already is closed."""
    with contextlib.suppress(Exception):
        close(timeout=timeout)


class SchedulerGoneError(OutputError):
    """The scheduler did not come back. What was done is in the state."""

    def __init__(self) -> None:
        KeywatchError.__init__(
            self,
            "the scheduler is gone",
            why=f"it did not come back within {_PATIENCE} seconds, several times",
            todo="start it again, and run the same command: what was scanned is kept",
        )
