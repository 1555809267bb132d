"""Benchmark section: whole trees, keywatch's own rules, beside the fast peers and the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench import corpora, machine, measure, peers, real_configs
from bench.corpora import Corpus
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio, worst

ROUNDS = 5
LARGE = 10e6
TIMES = 4
MEMORY = 200e6
GROWTH = 1.5
FLOOR = "floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One tree as one kind of input ("plain" or "git")."""

    corpus: Corpus
    kind: str
    series: Mapping[str, Series]
    found: Mapping[str, int | None]

    @property
    def title(self) -> str:
        return f"{self.corpus.name}, {self.kind}"

    def wall(self, tool: str) -> float | None:
        series = self.series[tool]
        return series.wall if series.good else None

    def over(self, *others: str) -> float | None:
        """Keywatch's wall time over the fastest of the others."""
        ours = self.wall("keywatch")
        return None if ours is None else ratio(ours, map(self.wall, others))


class Growth(NamedTuple):
    """Peaks in bytes on a tree and on `TIMES` copies of it; 0 where a run failed."""

    name: str
    once: int
    many: int


def section() -> Section:
    load = machine.load()
    ours, others = peers.keywatch(), peers.fast_peers()
    names = tuple(tool.name for tool in others)
    trees = (*corpora.all_corpora(), _charts())
    timed = [_measure(corpus, kind, ours, others) for corpus in trees for kind in ("plain", "git")]
    memory = {corpus.name: _memory(corpus.plain, ours, others) for corpus in trees}
    grown = _growth(trees[0], ours)
    return Section(
        name="trees",
        title="Whole trees, own rules",
        intro=_INTRO,
        demands=(*_speed(timed, names), *_sizes(memory, grown)),
        tables=(
            _walls(timed, names),
            _cpus(timed, names),
            _peaks(memory, grown, names),
            _counts(timed, names),
        ),
        facts=machine.facts((ours, *others), load) | machine.commands((ours, *others)),
        raw=_raw(timed, memory, grown),
    )


CHARTS = (
    *("magnum-cluster-api==0.38.2", "kubemarine==0.54.0", "kapitan==0.36.3"),
    *("coffea-casa==2026.10.14", "adeploy==1.3.4", "dask-kubernetes==2026.3.0"),
    "jupyter-enterprise-gateway==3.3.0",
)


def _charts() -> Corpus:
    """The configuration files of projects with Helm charts: 790 files of charts, and manifests."""
    folder = peers.BUILD / "trees" / "plain" / "charts"

    def fill(part: Path) -> None:
        for pin in CHARTS:
            archive = real_configs.Archive("real", "pypi", pin)
            chosen = real_configs.only_configs(real_configs.ARCHIVE_BYTES)
            real_configs.unpack(real_configs.fetched(archive), part / archive.label, chosen)

    return corpora.described("charts", corpora.make(folder, fill))


_INTRO = f"""Each tree is a source distribution, or `helm`: {corpora.CHARTS} generated Helm charts
(bench/helm.py, seeded), or `charts`: real Helm charts and manifests of {len(CHARTS)} projects;
once as a plain folder (`keywatch scan --no-git`) and once as a git
repository with everything committed (`keywatch scan`). Warm page cache; one warm-up of each tool,
then {ROUNDS} runs of each in turn; medians in seconds. CPU is user and system time of all
processes. The peers' own binaries are run, not the Python scripts around them, with kingfisher's
rule cache warm. The floor is one Python process that reads every file and makes one pass over it
with keywatch's own Hyperscan database, and does nothing else. Memory is the largest sum of
proportional set sizes over all processes of a tool at one moment, sampled every 10 ms in runs of
its own."""


def _measure(
    corpus: Corpus, kind: str, ours: peers.Tool, others: tuple[peers.Tool, ...]
) -> Measured:
    tree = corpus.plain if kind == "plain" else corpus.git
    label = f"trees.{corpus.name}.{kind}"
    commands = {
        "keywatch": _own(ours, tree, label, kind),
        **{tool.name: tool.on(tree, label=label) for tool in others},
        FLOOR: _floor(ours, tree, label),
    }
    series = measure.in_turn(commands, ROUNDS)
    found = {tool.name: tool.found(label) for tool in (ours, *others)}
    return Measured(corpus=corpus, kind=kind, series=series, found=found)


def _own(ours: peers.Tool, tree: Path, label: str, kind: str) -> Command:
    tool = ours if kind == "plain" else replace(ours, scan=ours.scan.replace(" --no-git", ""))
    return tool.on(tree, label=label)


def _floor(ours: peers.Tool, tree: Path, label: str) -> Command:
    script = str(Path(__file__).with_name("floor.py"))
    command = ours.command(("-I", script, "."), tree, label=f"{label}.floor")
    return replace(command, ok=frozenset({0}))


def _memory(
    tree: Path, ours: peers.Tool, others: tuple[peers.Tool, ...] = ()
) -> Mapping[str, Series]:
    commands = {tool.name: tool.on(tree, label="memory") for tool in (ours, *others)}
    return {name: measure.sampled(command) for name, command in commands.items()}


def _growth(corpus: Corpus, ours: peers.Tool) -> Growth:
    large = corpora.multiplied(corpus.plain, TIMES)
    once, many = (_memory(tree, ours)[ours.name] for tree in (corpus.plain, large))
    sound = once.good and many.good
    return Growth(corpus.name, once.peak if sound else 0, many.peak if sound else 0)


def _speed(timed: list[Measured], names: tuple[str, ...]) -> tuple[Demand, ...]:
    large = [one for one in timed if one.corpus.size > LARGE]
    peer, value = worst({one.title: one.over(*names) for one in large})
    floor, above = worst({one.title: one.over(FLOOR) for one in large})
    return (
        Demand(
            text=f"wall over the fastest peer's, worst of {len(large)} trees over 10 MB ({peer})",
            value=value,
            limit=0.55,
            aim=0.4,
        ),
        Demand(text=f"wall over the floor's, worst tree ({floor})", value=above, limit=3),
    )


def _sizes(memory: Mapping[str, Mapping[str, Series]], grown: Growth) -> tuple[Demand, ...]:
    peaks = {name: _peak(series["keywatch"]) for name, series in memory.items()}
    tree, value = worst(peaks)
    name, once, many = grown
    return (
        Demand(
            text=f"memory over all processes, largest tree ({tree})",
            value=value,
            limit=MEMORY / 1e6,
            unit=" MB",
        ),
        Demand(
            text=f"memory on {TIMES} copies of {name} over memory on one ({TIMES}: proportional)",
            value=many / once if once and many else None,
            limit=GROWTH,
        ),
    )


def _peak(series: Series) -> float | None:
    return series.peak / 1e6 if series.good else None


def _walls(timed: list[Measured], names: tuple[str, ...]) -> Table:
    columns = ("keywatch", *names, FLOOR)
    return Table(
        title="Wall time, seconds",
        head=("Tree", "MB", "Files", *columns, "÷ fastest peer", "÷ floor"),
        rows=tuple(
            (
                one.title,
                number(one.corpus.megabytes),
                f"{one.corpus.files:,}",
                *(_cell(one.series[name], "wall") for name in columns),
                _ratio(one.over(*names)),
                _ratio(one.over(FLOOR)),
            )
            for one in timed
        ),
        note="In parentheses: the fastest and the slowest of the runs.",
    )


def _cpus(timed: list[Measured], names: tuple[str, ...]) -> Table:
    columns = ("keywatch", *names, FLOOR)
    return Table(
        title="CPU time, seconds",
        head=("Tree", *columns),
        rows=tuple(
            (one.title, *(_cell(one.series[name], "cpu") for name in columns)) for one in timed
        ),
    )


def _peaks(
    memory: Mapping[str, Mapping[str, Series]],
    grown: Growth,
    names: tuple[str, ...],
) -> Table:
    columns = ("keywatch", *names)
    name, once, many = grown
    return Table(
        title="Peak memory over all processes, MB",
        head=("Tree", *columns),
        rows=tuple(
            (tree, *(_shown_peak(series[column]) for column in columns))
            for tree, series in memory.items()
        ),
        note=(
            f"{TIMES} copies of {name} side by side: keywatch {number(many / 1e6)} MB, where one "
            f"copy took {number(once / 1e6)} MB in the same run."
        ),
    )


def _counts(timed: list[Measured], names: tuple[str, ...]) -> Table:
    columns = ("keywatch", *names)
    return Table(
        title="Findings reported",
        head=("Tree", *columns, "keywatch's exit code"),
        rows=tuple(
            (
                one.title,
                *(str(one.found[name]) if one.found[name] is not None else "-" for name in columns),
                str(one.series["keywatch"].runs[-1].code),
            )
            for one in timed
        ),
        note="Not a measure of quality: it shows that each tool did read the tree.",
    )


def _cell(series: Series, what: str) -> str:
    if not series.good:
        return series.trouble
    values = [getattr(run, what) for run in series.runs]
    return f"{number(getattr(series, what))} ({number(min(values))}-{number(max(values))})"


def _shown_peak(series: Series) -> str:
    return number(series.peak / 1e6) if series.good else series.trouble


def _ratio(value: float | None) -> str:
    return "-" if value is None else number(value)


def _raw(
    timed: list[Measured],
    memory: Mapping[str, Mapping[str, Series]],
    grown: Growth,
) -> dict[str, Any]:
    return {
        "timed": {
            one.title: {name: series.raw() for name, series in one.series.items()} for one in timed
        },
        "memory": {
            tree: {name: series.raw() for name, series in by_tool.items()}
            for tree, by_tool in memory.items()
        },
        "growth": grown._asdict(),
    }
