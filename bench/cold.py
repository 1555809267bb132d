"""Benchmark section: the first scan of a machine, beside peers whose caches are empty, too."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import corpora, machine, measure, peers
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio, worst

ROUNDS = 9
COMPILING = "keywatch, compiling"
SMALL = {
    "app.py": "import os\n\n\ndef home() -> str:\n    return os.environ['HOME']\n",
    "app.yaml": "host: example.org\nport: 8080\n",
    "README.md": "# App\n\nAn application.\n",
}
# Removes the folder of caches, then runs a command.
EMPTY = 'rm -rf "$1"; mkdir "$1"; shift; exec "$@"'


def section() -> Section:
    load = machine.load()
    ours, others = peers.keywatch(), peers.fast_peers()
    tools = (ours, _compiling(ours), *others)
    trees = {
        "one Python file": _small("app.py"),
        "code, configuration and text": _small(*SMALL),
        "ansible-core": corpora.corpus(corpora.PINS[0]).plain,
    }
    timed = {name: _timed(name, tree, tools) for name, tree in trees.items()}
    return Section(
        name="cold",
        title="The first scan of a machine",
        intro=_INTRO,
        demands=_demands(timed, [tool.name for tool in others]),
        tables=(_table(timed),),
        facts=machine.facts((ours, *others), load),
        raw={name: {tool: one.raw() for tool, one in each.items()} for name, each in timed.items()},
    )


_INTRO = f"""Every tool begins with an empty cache: it is removed before each run. One warm-up, then
{ROUNDS} runs of each tool in turn; medians in milliseconds. `keywatch` was installed from its
source, as pip and pre-commit do it: its wheel holds the rules compiled for the processor that built
it. `{COMPILING}` is the same on a processor with other features: it compiles the rules."""


def _compiling(ours: peers.Tool) -> peers.Tool:
    """The same installation without its compiled rules."""
    here = ours.binary.parent.parent
    copy = peers.BUILD / "cold" / "keywatch"
    shutil.rmtree(copy, ignore_errors=True)
    (installed,) = here.glob("lib/python*/site-packages/scanner")
    shutil.copytree(installed, copy / "scanner", ignore=shutil.ignore_patterns("compiled"))
    # `-I` would ignore PYTHONPATH.
    scan = ours.scan.replace("-I -m", "-P -m")
    return replace(ours, name=COMPILING, scan=scan, env={"PYTHONPATH": str(copy)})


def _small(*names: str) -> Path:
    """Return a folder with these files of SMALL."""
    folder = peers.BUILD / "cold" / f"tree{len(names)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(SMALL[name], encoding="utf-8")
    corpora.run_git(folder, *corpora.INIT)
    return folder


def _timed(name: str, tree: Path, tools: tuple[peers.Tool, ...]) -> Mapping[str, Series]:
    commands = {tool.name: _cold(tool.on(tree, label=f"cold.{name}")) for tool in tools}
    return measure.in_turn(commands, ROUNDS)


def _cold(command: Command) -> Command:
    """The same command with an empty folder of caches."""
    caches = str(peers.BUILD / "cold" / "caches")
    env = {"HOME": caches, "XDG_CACHE_HOME": f"{caches}/cache", "KF_RULE_CACHE_DIR": f"{caches}/kf"}
    argv = ("sh", "-c", EMPTY, "sh", caches, *command.argv)
    return replace(command, argv=argv, env={**command.env, **env})


def _demands(timed: Mapping[str, Mapping[str, Series]], names: list[str]) -> tuple[Demand, ...]:
    *small, large = timed
    tree, value = worst({name: _wall(timed[name][COMPILING]) for name in small})
    walls = timed[large]
    others = [_wall(walls[name]) for name in names]
    ours = {name: _wall(walls[name]) for name in ("keywatch", COMPILING)}
    return (
        Demand(
            text=f"seconds for the first scan of a small folder, compiling ({tree})",
            value=value,
            limit=1.0,
        ),
        *(
            Demand(
                text=f"first scan of {large} over the fastest peer's ({name})",
                value=None if wall is None else ratio(wall, others),
                limit=1.0,
            )
            for name, wall in ours.items()
        ),
    )


def _wall(series: Series) -> float | None:
    return series.wall if series.good else None


def _table(timed: Mapping[str, Mapping[str, Any]]) -> Table:
    names = tuple(next(iter(timed.values())))
    return Table(
        title="Wall time, milliseconds",
        head=("Folder", *names),
        rows=tuple((tree, *(_cell(each[name]) for name in names)) for tree, each in timed.items()),
        note="In parentheses: CPU time.",
    )


def _cell(series: Series) -> str:
    if not series.good:
        return series.trouble
    return f"{number(series.wall * 1000)} ({number(series.cpu * 1000)})"
