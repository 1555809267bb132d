"""What `keywatch fleet scan` is asked to do. Built by the command line."""

from __future__ import annotations

from typing import NamedTuple

from scanner.fleet.targets import TargetsRequest
from scanner.model import FailOn


class EngineRequest(NamedTuple):
    """Which Dask cluster does the work.

    `scheduler` is the address of a running scheduler (tls://host:port); "" starts a cluster on this
    machine with `workers` processes. `tls_ca`, `tls_cert` and `tls_key` are files for a running
    scheduler. `memory` is the limit of each worker process in bytes, 0 for this machine's share.
    `dashboard` is the port of the dashboard on loopback, None if there is none.
    """

    scheduler: str = ""
    workers: int = 1
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    memory: int = 0
    dashboard: int | None = None


class CloneLimits(NamedTuple):
    """The cache of clones of each machine, and the limits of one clone.

    `folder` is absolute, "" for the user's cache folder. `cache` and `repository` are in bytes,
    `seconds` is the time for a clone or a fetch.
    """

    folder: str = ""
    cache: int = 50_000_000_000
    repository: int = 20_000_000_000
    seconds: float = 3600
    loopback_http: bool = False


class FleetRequest(NamedTuple):
    """One scan of a fleet.

    `output` is the folder of the results, `state` the file that remembers what was scanned; both
    are absolute. With `resume`, the state must exist. `unit` is the number of commits that a worker
    scans in one piece. `rules` are the names and contents of additional rule files. `fail_on` and
    `strict` decide what fails the run, None if each repository's keywatch.yaml does. `html` is the
    absolute path of an HTML report, "" for none.
    """

    targets: TargetsRequest
    engine: EngineRequest
    clones: CloneLimits
    output: str
    state: str
    resume: bool = False
    unit: int = 2000
    seconds: float = 1800
    rules: tuple[tuple[str, bytes], ...] = ()
    matcher: str = "auto"
    fail_on: FailOn | None = None
    html: str = ""
    command: str = "keywatch fleet scan"
