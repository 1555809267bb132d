"""Benchmark section: `--detect-secrets exact` beside detect-secrets itself."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from bench import corpora, machine, measure, peers
from bench.corpora import Corpus
from bench.measure import Series
from bench.results import Demand, Section, Table, number, worst

ROUNDS = 3
LIMIT = 900.0
PARITY_LIMIT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One tree; `parity` is what bench/parity.py said last, `same` whether it was content."""

    corpus: Corpus
    ours: Series
    theirs: Series
    same: bool
    parity: str

    @property
    def ratio(self) -> float | None:
        """How many times less CPU keywatch takes."""
        sound = self.ours.good and self.theirs.good
        return self.theirs.cpu / self.ours.cpu if sound else None


def section() -> Section:
    load = machine.load()
    ours, theirs = peers.keywatch(), peers.detect_secrets()
    compared = [_compare(tree, ours, theirs) for tree in corpora.all_corpora()]
    return Section(
        name="exact",
        title="The detect-secrets layer",
        intro=_INTRO,
        demands=_demands(compared),
        tables=(_table(compared),),
        facts=machine.facts((ours, theirs), load) | machine.commands((exact(ours), theirs)),
        raw={
            one.corpus.name: {"keywatch": one.ours.raw(), "detect-secrets": one.theirs.raw()}
            for one in compared
        },
    )


_INTRO = f"""`keywatch scan --detect-secrets exact` (own rules and detect-secrets' plugins) beside
`detect-secrets -c 2 scan --all-files -n` on the same plain trees. CPU is user and system time of
all processes, in seconds; keywatch's is the median of {ROUNDS} runs after a warm-up. The other is
one run, since it takes minutes. `helm` is a generated tree of {corpora.CHARTS} Helm charts
(bench/helm.py, seeded). Parity compares the findings file by file (type, hash and line), see
bench/parity.py."""


def exact(ours: peers.Tool) -> peers.Tool:
    """keywatch with the detect-secrets layer."""
    return replace(ours, scan=ours.scan.replace("--detect-secrets off", "--detect-secrets exact"))


def _compare(corpus: Corpus, ours: peers.Tool, theirs: peers.Tool) -> Compared:
    label = f"exact.{corpus.name}"
    command = exact(ours).on(corpus.plain, label=label)
    own = measure.in_turn({"keywatch": command}, ROUNDS)["keywatch"]
    other = measure.run(theirs.on(corpus.plain, label=label, limit=LIMIT))
    known = peers.outfile(f"{label}.{theirs.name}.stdout") if other.good else None
    same, text = _parity(ours.binary, corpus.plain, known)
    return Compared(
        corpus=corpus, ours=own, theirs=measure.Series(runs=(other,)), same=same, parity=text
    )


def _parity(python: Path, tree: Path, known: Path | None) -> tuple[bool, str]:
    """(identical, the last line that bench/parity.py wrote). `known`: what detect-secrets found."""
    argv = [str(python), str(Path(__file__).with_name("parity.py")), str(tree)]
    if known is None:
        return False, "detect-secrets did not end"
    argv.append(str(known))
    env = peers.environment()
    try:
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, check=False, timeout=PARITY_LIMIT
        )
    except subprocess.TimeoutExpired:
        return False, f"stopped after {PARITY_LIMIT:.0f} s"
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return done.returncode == 0, lines[-1] if lines else f"exit {done.returncode}"


def _demands(compared: list[Compared]) -> tuple[Demand, ...]:
    name, value = worst({one.corpus.name: one.ratio for one in compared}, least=True)
    different = [one.corpus.name for one in compared if not one.same]
    return (
        Demand(
            text=f"detect-secrets' CPU over keywatch's, worst of {len(compared)} trees ({name})",
            value=value,
            limit=40,
            aim=50,
            at_least=True,
            unit=" times",
        ),
        Demand(
            text="trees whose findings differ" + "".join(f", {name}" for name in different),
            value=len(different),
            limit=0,
        ),
    )


def _table(compared: list[Compared]) -> Table:
    return Table(
        title="CPU and wall time, seconds",
        head=(
            *("Tree", "MB", "Files", "keywatch CPU", "keywatch wall"),
            *("detect-secrets CPU", "detect-secrets wall", "CPU ratio", "Parity"),
        ),
        rows=tuple(
            (
                one.corpus.name,
                number(one.corpus.megabytes),
                f"{one.corpus.files:,}",
                *_costs(one.ours),
                *_costs(one.theirs),
                "-" if one.ratio is None else number(one.ratio),
                one.parity,
            )
            for one in compared
        ),
    )


def _costs(series: Series) -> tuple[str, str]:
    if series.good:
        return number(series.cpu), number(series.wall)
    return series.trouble, number(series.wall)
