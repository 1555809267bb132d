"""Benchmark section: hostile sizes. Bounded time and memory; a finding, Skip or Gap for each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import corpora, hostile, machine, measure, peers
from bench.measure import Run
from bench.results import Demand, Section, Table, number, worst

SECONDS = 60.0
MEMORY = 200e6
OFF, EXACT = "--detect-secrets off", "--detect-secrets exact"
MODES = {"default": OFF, "size limit raised": OFF, "exact": EXACT, "exact, limit raised": EXACT}
RAISED = "version: 1\nscan: {max_file_size: 300MB}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One shape in one of keywatch's modes, once for its time and once for its memory."""

    shape: str
    mode: str
    timed: Run
    sampled: Run
    says: str

    @property
    def title(self) -> str:
        return f"{self.shape}, {self.mode}"


def section() -> Section:
    load = machine.load()
    ours = peers.keywatch()
    others = (*peers.fast_peers(), peers.detect_secrets())
    folders = {shape.__name__: shape_folder(shape) for shape in hostile.SHAPES}
    cases = [_own(ours, name, folder, mode) for name, folder in folders.items() for mode in MODES]
    beside = {
        name: {tool.name: _peer(tool, name, folder) for tool in others}
        for name, folder in folders.items()
    }
    return Section(
        name="hostile",
        title="Hostile sizes",
        intro=_intro(),
        demands=_demands(cases),
        tables=(_table(cases), _peer_table(beside)),
        facts=machine.facts((ours, *others), load),
        raw={case.title: asdict(case) for case in cases}
        | {
            name: {tool: asdict(one) for tool, one in by_tool.items()}
            for name, by_tool in beside.items()
        },
    )


def _intro() -> str:
    shapes = "\n".join(f"- `{shape.__name__}`: {shape.__doc__}" for shape in hostile.SHAPES)
    return f"""Inputs that are large or deep on purpose; each holds a planted token.

{shapes}

*Raised* runs have a keywatch.yaml with `max_file_size: 300MB`, so that files over 20 MB are read
too. Each mode runs once for its time and once for its memory, with a limit of {SECONDS:.0f} s.
Each planted file must be accounted for: a finding in it, a Skip or a Gap."""


def shape_folder(shape: hostile.Shape) -> Path:
    """The folder of one shape, made where it is missing."""
    return corpora.make(peers.BUILD / "trees" / "hostile" / shape.__name__, shape)


def planted(folder: Path) -> frozenset[str]:
    """Names of the files that hold the token."""
    if folder.name == "tiny_files":
        return frozenset({"500/50.txt"})
    return frozenset(path.relative_to(folder).as_posix() for path in corpora.regular_files(folder))


def _own(ours: peers.Tool, name: str, folder: Path, mode: str) -> Case:
    expected = planted(folder)
    config = folder / "keywatch.yaml"
    tool = replace(ours, scan=ours.scan.replace(OFF, MODES[mode]))
    label = f"hostile.{name}.{mode.replace(' ', '-')}"
    command = tool.on(folder, label=label, limit=SECONDS)
    if "raised" in mode:
        config.write_text(RAISED, encoding="utf-8")
    try:
        timed, sampled = measure.run(command), measure.run(command, sample=True)
    finally:
        config.unlink(missing_ok=True)
    report = _report(peers.outfile(f"{label}.{tool.name}.json")) if timed.good else None
    says = "no report" if report is None else verdict(report, expected)
    return Case(shape=name, mode=mode, timed=timed, sampled=sampled, says=says)


def _report(path: Path) -> dict[str, Any] | None:
    try:
        report: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return report


def verdict(report: dict[str, Any], expected: frozenset[str]) -> str:
    """What a report says about the planted files; starts with "MISSED" where one is not named."""
    named = {
        "finding": {finding["location"]["path"] for finding in report["findings"]},
        "skip": {skip["path"] for skip in report["skips"]},
        "gap": {gap["path"] for gap in report["gaps"]},
    }
    missed = sorted(expected - set().union(*named.values()))
    if missed:
        return f"MISSED {', '.join(missed)}"
    counts = {kind: len(paths & expected) for kind, paths in named.items()}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def _peer(tool: peers.Tool, name: str, folder: Path) -> Run:
    return measure.run(tool.on(folder, label=f"hostile.{name}", limit=SECONDS), sample=True)


def _demands(cases: list[Case]) -> tuple[Demand, ...]:
    slow, wall = worst({case.title: case.timed.wall if case.timed.good else None for case in cases})
    large, peak = worst(
        {case.title: case.sampled.peak / 1e6 if case.sampled.good else None for case in cases}
    )
    silent = [case.title for case in cases if case.says.startswith(("MISSED", "no report"))]
    return (
        Demand(text=f"wall, slowest ({slow})", value=wall, limit=SECONDS, unit=" s"),
        Demand(text=f"memory, largest ({large})", value=peak, limit=MEMORY / 1e6, unit=" MB"),
        Demand(
            text="without a finding, Skip or Gap" + "".join(f"; {title}" for title in silent),
            value=len(silent),
            limit=0,
        ),
    )


def _table(cases: list[Case]) -> Table:
    return Table(
        title="keywatch",
        head=("Shape", "Mode", "Wall, s", "Peak, MB", "Exit code", "Planted files"),
        rows=tuple(
            (
                case.shape,
                case.mode,
                _shown(case.timed),
                number(case.sampled.peak / 1e6),
                str(case.timed.code),
                case.says,
            )
            for case in cases
        ),
    )


def _peer_table(beside: dict[str, dict[str, Run]]) -> Table:
    names = tuple(next(iter(beside.values())))
    return Table(
        title="The peers, for information: wall in seconds, peak memory in MB",
        head=("Shape", *names),
        rows=tuple(
            (
                shape,
                *(f"{_shown(runs[name])}, {number(runs[name].peak / 1e6)} MB" for name in names),
            )
            for shape, runs in beside.items()
        ),
        note="With each peer's own size limits; what a peer skips costs it nothing.",
    )


def _shown(run: Run) -> str:
    if run.code is None:
        return f"stopped at {SECONDS:.0f}"
    return number(run.wall) if run.good else f"exit {run.code}"
