"""Benchmark section: `keywatch trail` on a large audit log, and on a day of normal traffic."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import machine, measure, peers
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio
from scanner.trail.rule_infos import detections
from tests.support import trails
from tests.support.attack_traces import TRACES
from tests.support.audit_logs import normal_day

ROUNDS = 3
SIZE = 1_000_000_000
EVENTS = 1_000_000
SERVICES, SECRETS = 50, 2_000
FASTER = 3.0
DECODES = 4.0
MEMORY = 200e6
SECONDS = 600.0


def section() -> Section:
    jq = shutil.which("jq")
    if not jq:
        raise peers.BenchError("jq is not installed: apt-get install jq, then run it again")
    load = machine.load()
    ours = peers.keywatch()
    peers.pip(ours.binary, "install", f"{peers.ROOT}[trail]")
    peers.BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=peers.BUILD) as name:
        folder = Path(name)
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)  # its own repository
        (folder / "keywatch.yaml").write_text(policy())
        lines = write(folder / "audit.log", calls=EVENTS, most=SIZE)
        timed = measured(ours.binary, Path(jq), folder)
        memory = measure.sampled(_trail(ours.binary, folder), times=1)
        write(folder / "audit.log", calls=EVENTS)
        found = findings(ours.binary, folder)
        detected = [name for name in TRACES if fires(name)]
    return Section(
        name="trail",
        title="Audit logs",
        intro=_INTRO,
        demands=judge(timed, memory, found, detected),
        tables=(_table(timed, lines),),
        facts=machine.facts((ours,), load),
        raw={name: series.raw() for name, series in timed.items()},
    )


def policy() -> str:
    """Each service needs its own secrets, so that the mapping is judged, too."""
    names = [f"service-{number:02}" for number in range(SERVICES)]
    said = {
        "version": 1,
        "classes": {name: {"rotate_every": "90d"} for name in names},
        "secrets": [{"match": f"vault://*/*/secret/{name}/*", "class": name} for name in names],
        "services": {name: {"vault_role": f"{name}-role", "needs": [name]} for name in names},
    }
    return json.dumps(said)


def write(path: Path, *, calls: int, most: int = 0) -> int:
    """Write a day of calls, at most so many bytes. The number of lines."""
    size = count = 0
    with path.open("wb") as file:
        for each in normal_day(calls, services=SERVICES, secrets=SECRETS):
            if most and size + len(each) > most:
                break
            file.write(each)
            size += len(each)
            count += 1
    return count


def measured(python: Path, jq: Path, folder: Path) -> dict[str, Series]:
    log = str(folder / "audit.log")
    decode = str(Path(__file__).with_name("trail_decode.py"))
    ways = {
        "keywatch trail": _trail(python, folder),
        "jq": _command(folder, str(jq), "-c", "select(.error)", log),
        "msgspec": _command(folder, str(python), "-I", decode, log),
    }
    return measure.in_turn(ways, ROUNDS)


def _trail(python: Path, folder: Path, *options: str) -> Command:
    log = str(folder / "audit.log")
    command = (str(python), "-I", "-m", "scanner", "trail", log, "--quiet")
    return _command(folder, *command, "--repository", str(folder), *options)


def _command(folder: Path, *argv: str) -> Command:
    """On one core."""
    core = ("taskset", "-c", "0")
    out = folder / "out"
    return Command(
        argv=(*core, *argv), cwd=folder, env=peers.environment(), limit=SECONDS, stdout=out
    )


def findings(python: Path, folder: Path) -> int | None:
    """Of the normal day; what could not be read counts as well."""
    report = folder / "report.json"
    done = measure.run(_trail(python, folder, "--report", f"json={report}"))
    if not done.good:
        return None
    told = json.loads(report.read_bytes())
    return len(told["findings"]) + len(told["gaps"])


def fires(rule: str) -> bool:
    with tempfile.TemporaryDirectory() as home:
        return rule in trails.trail(Path(home), TRACES[rule][0]()).rules


def judge(
    timed: Mapping[str, Series], memory: Series, found: int | None, detected: list[str]
) -> tuple[Demand, ...]:
    good = all(series.good for series in timed.values())
    ours = timed["keywatch trail"].wall
    over = ratio(ours, [timed["msgspec"].wall]) if good else None
    faster = timed["jq"].wall / ours if good else None
    peak = memory.peak / 1e6 if memory.good else None
    kinds = len(detections()) - 2  # two need a policy or a level of their own: their tests
    return (
        Demand(text="times faster than jq, 1 GB", value=faster, limit=FASTER, at_least=True),
        Demand(text="wall over a bare msgspec decode of the same lines", value=over, limit=DECODES),
        Demand(text="memory with 1 GB", value=peak, limit=MEMORY / 1e6, unit=" MB"),
        Demand(text=f"findings and gaps in {EVENTS:,} normal events", value=found, limit=0),
        Demand(
            text="detections that fire on their attack",
            value=len(detected),
            limit=kinds,
            at_least=True,
        ),
    )


def _table(timed: Mapping[str, Series], lines: int) -> Table:
    rows = tuple(
        (name, f"{lines:,}", number(series.wall), number(series.cpu))
        for name, series in timed.items()
    )
    return Table(
        title="1 GB of audit log, one core",
        head=("Reader", "Lines", "Wall, s", "CPU, s"),
        rows=rows,
    )


_INTRO = f"""A log as OpenBao writes it (made, and the same for the same seed): {SERVICES} services
read {SECRETS:,} secrets, and one call in a thousand is denied. `keywatch trail` runs with all
detections, and with a policy that maps each service to its secrets. jq runs `select(.error)`;
msgspec decodes each line into the same typed entry. All run on one core, in turn."""
