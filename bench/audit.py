"""Benchmark section: the audit of a Vault that holds many secrets, on a server of this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from bench import audit_reads, machine, measure, peers
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio
from scanner.inventory.threads import WORKERS
from tests.support import openbao

ROUNDS = 5
FEW, MANY = 10_000, 100_000
WALL = 1.25
MEMORY = 150e6
GROWTH = 10e6  # what flat means: no more than this for ten times the records
SECONDS = 900.0


def section() -> Section:
    load = machine.load()
    ours = peers.keywatch()
    peers.pip(ours.binary, "install", f"{peers.ROOT}[vault]")
    with tempfile.TemporaryDirectory() as folder, openbao.developing(Path(folder)) as server:
        timed, few, many = measured(ours.binary, server.address, FEW, MANY)
    return Section(
        name="audit",
        title="The audit of a large Vault",
        intro=_INTRO,
        demands=judge(timed, few, many),
        tables=(_table(timed, few, many),),
        facts=machine.facts((ours,), load),
        raw={name: series.raw() for name, series in timed.items()},
    )


def measured(
    python: Path, address: str, few: int, many: int
) -> tuple[dict[str, Series], Series, Series]:
    """The times of both ways to read `few` secrets, and the memory of ours with few and many."""
    _write(address, range(few))
    ways = {way: _reads(python, way, address, few) for way in ("keywatch", "bare")}
    timed = measure.in_turn(ways, ROUNDS)
    small = measure.sampled(ways["keywatch"], times=1)
    _write(address, range(few, many))
    return timed, small, measure.sampled(_reads(python, "keywatch", address, many), times=1)


def judge(timed: Mapping[str, Series], few: Series, many: Series) -> tuple[Demand, ...]:
    timely = all(series.good for series in timed.values())
    wall = ratio(timed["keywatch"].wall, [timed["bare"].wall]) if timely else None
    peak = many.peak / 1e6 if many.good else None
    more = peak - few.peak / 1e6 if peak is not None and few.good else None
    memory = f"memory with {MANY:,} records"
    return (
        Demand(text=f"wall over a bare pool's, {FEW:,} secrets", value=wall, limit=WALL),
        Demand(text=memory, value=peak, limit=MEMORY / 1e6, unit=" MB"),
        Demand(
            text=f"{memory}, less that with {FEW:,}", value=more, limit=GROWTH / 1e6, unit=" MB"
        ),
    )


def _write(address: str, numbers: Iterable[int]) -> None:
    pool = urllib3.connection_from_url(address, maxsize=WORKERS)
    headers = {"X-Vault-Token": audit_reads.TOKEN}
    body = json.dumps({"data": {"key": "made-up"}})

    def put(secret: int) -> None:
        target = f"/v1/{audit_reads.MOUNT}/data/{audit_reads.path(secret)}"
        pool.urlopen("POST", target, body=body, headers=headers)

    with ThreadPoolExecutor(WORKERS) as threads:
        for _ in threads.map(put, numbers):
            pass


def _reads(python: Path, way: str, address: str, count: int) -> Command:
    script = str(Path(audit_reads.__file__))
    return Command(
        argv=(str(python), "-I", script, way, address, str(count)),
        cwd=peers.BUILD,
        env=peers.environment(),
        limit=SECONDS,
    )


def _table(timed: dict[str, Series], few: Series, many: Series) -> Table:
    rows = [
        (
            way,
            f"{FEW:,}",
            number(series.wall),
            number(series.cpu),
            _memory(few if way == "keywatch" else None),
        )
        for way, series in timed.items()
    ]
    last = many.runs[0]
    rows.append(("keywatch", f"{MANY:,}", number(last.wall), number(last.cpu), _memory(many)))
    head = ("Reader", "Secrets", "Wall, s", "CPU, s", "Memory, MB")
    return Table(title="From the start of the process to its end", head=head, rows=tuple(rows))


def _memory(series: Series | None) -> str:
    return number(series.peak / 1e6) if series else "-"


_INTRO = f"""An OpenBao in memory holds {FEW:,} KV v2 secrets, later {MANY:,}, in folders of
{audit_reads.FOLDER:,}. Keywatch's backend reads their metadata, and so does urllib3 alone: the same
requests, as many at once ({WORKERS}), but for the listings, and without dates or records. Server
and reader share the cores; times are those of whole processes."""
