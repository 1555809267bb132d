"""Benchmark section: scan a generated history of 50,000 commits, a real history, and a pull request
in a repository of 50,000 files."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench import corpora, generated_history, machine, measure, peers, real_history
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio

ROUNDS = 3
ROUNDS_OF_A_REAL_ONE = 9
ROUNDS_OF_A_CHANGE = 15
COMMITS = FILES = 50_000
CHANGED = 100
PIN = "django==5.2.19"
WALL, MEMORY, TIMES = 1.0, 300e6, 3
HISTORY = "-I -m scanner scan --history --detect-secrets off --report json={out} --quiet"
DIFF = "-I -m scanner scan --diff main..pull --detect-secrets off --report json={out} --quiet"
START = ("-I", "-m", "scanner", "hook", "pre-commit")  # where nothing is staged
GIT = Path("/usr/bin/git")


def section() -> Section:
    load = machine.load()
    ours = replace(peers.keywatch(), scan=HISTORY)
    peers.pip(ours.binary, "install", f"{peers.ROOT}[history]")  # as the action does
    others = (_betterleaks(), _gitleaks(), _kingfisher())
    tree = corpora.corpus(PIN).plain
    history = peers.BUILD / "histories"
    generated = corpora.make(
        history / "commits", lambda part: generated_history.write(part, tree, COMMITS)
    )
    wide = corpora.make(history / "files", lambda part: _write_files(part, tree))
    spinnaker = corpora.make(history / "real", real_history.write)
    commands, real_commands = (
        {tool.name: tool.on(folder, label=label, limit=600) for tool in (ours, *others)}
        for folder, label in ((generated, "commits"), (spinnaker, "real"))
    )
    timed = measure.in_turn(commands, ROUNDS)
    real = measure.in_turn(real_commands, ROUNDS_OF_A_REAL_ONE)
    sampled = measure.sampled(replace(commands[ours.name], apart="git"))
    change = measure.in_turn(_of_a_change(ours, wide), ROUNDS_OF_A_CHANGE)
    return Section(
        name="commits",
        title="Histories and pull requests",
        intro=_INTRO,
        demands=_demands(timed, real, sampled, change),
        tables=(
            replace(
                _of_history(f"{COMMITS:,} commits", "commits", timed, (ours, *others)),
                note=f"Memory of keywatch's git processes: {number(sampled.apart / 1e6)} MB.",
            ),
            _of_history("A real history", "real", real, (ours, *others)),
            _of_change(change),
        ),
        facts=machine.facts((ours, *others), load) | machine.commands((ours, *others)),
        raw={name: one.raw() for name, one in (timed | change | {"memory": sampled}).items()}
        | {f"{name}, real": one.raw() for name, one in real.items()},
    )


_INTRO = f"""A generated repository of {COMMITS:,} commits over the files of {PIN}
(bench/generated_history.py, seeded): each edits up to five files, every tenth is a merge. The real
history is that of the first {real_history.COMMITS} commits of spinnaker (bench/real_history.py),
the longest that was found in a package archive.
Warm page cache; one warm-up of each tool, then {ROUNDS} runs of each in turn,
{ROUNDS_OF_A_REAL_ONE} over the real history; medians in seconds. Memory is that of keywatch's own
processes; git's is listed separately. Both are sampled in separate runs. The pull request
changes {CHANGED}
files of a generated repository of {FILES:,}; `git diff` prints it, and a start is `keywatch hook
pre-commit` where nothing is staged; {ROUNDS_OF_A_CHANGE} runs of each in turn."""


def _betterleaks() -> peers.Tool:
    tool = peers.betterleaks()
    return replace(tool, scan=tool.scan.replace("fs .", "git .", 1))


def _gitleaks() -> peers.Tool:
    tool = peers.gitleaks()
    return replace(tool, scan=tool.scan.replace("dir .", "git .", 1))


def _kingfisher() -> peers.Tool:
    tool = peers.kingfisher()
    return replace(tool, scan=tool.scan.replace("--git-history none", "--git-history full"))


def _write_files(folder: Path, tree: Path) -> None:
    """Commit files of 40 lines of a tree, and a branch that replaces lines of some of them."""
    rng = random.Random(generated_history.SEED)  # noqa: S311 - files that can be made again
    texts = generated_history.texts(tree)
    pool = [line for lines in texts.values() for line in lines]
    paths = [folder / f"part{n % 500}" / f"module{n}.py" for n in range(FILES)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(rng.choices(pool, k=40)))
    corpora.commit_all(folder)
    corpora.run_git(folder, "checkout", "-q", "-b", "pull")
    for path in rng.sample(paths, CHANGED):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join((*lines[:10], *rng.choices(pool, k=5), *lines[12:])))
    corpora.commit_all(folder)
    corpora.run_git(folder, "gc", "-q")


def _of_a_change(ours: peers.Tool, folder: Path) -> dict[str, Command]:
    small = corpora.make(folder.with_name("small"), _commit_nothing)
    git = peers.Tool(
        name="git diff", version="", binary=GIT, scan="diff main...pull", ok=frozenset({0})
    )
    return {
        "keywatch --diff": replace(ours, scan=DIFF).on(folder, label="diff"),
        "git diff": git.on(folder, label="diff"),
        "start": ours.command(START, small, label="start"),
    }


def _commit_nothing(folder: Path) -> None:
    (folder / "README").write_text("A repository with nothing staged.\n")
    corpora.commit_all(folder)


def _demands(
    timed: Mapping[str, Series],
    real: Mapping[str, Series],
    sampled: Series,
    change: Mapping[str, Series],
) -> tuple[Demand, ...]:
    diff, git, start = (
        change[name].wall if change[name].good else None
        for name in ("keywatch --diff", "git diff", "start")
    )
    base = git + start if git and start else None
    return (
        Demand(
            text=f"{COMMITS:,} commits: wall over the fastest peer's",
            value=_beside_peers(timed),
            limit=WALL,
        ),
        Demand(
            text=f"the {real_history.COMMITS} commits of a real project: "
            "wall over the fastest peer's",
            value=_beside_peers(real),
            limit=WALL,
        ),
        Demand(
            text="memory over keywatch's own processes",
            value=sampled.peak / 1e6 if sampled.good else None,
            limit=MEMORY / 1e6,
            unit=" MB",
        ),
        Demand(
            text=f"a change of {CHANGED} files among {FILES:,}: wall over git diff's and a start's",
            value=None if diff is None else ratio(diff, [base]),
            limit=TIMES,
        ),
    )


def _beside_peers(timed: Mapping[str, Series]) -> float | None:
    ours, *others = timed.values()
    return ratio(ours.wall, [one.wall for one in others if one.good]) if ours.good else None


def _of_history(
    title: str, label: str, timed: Mapping[str, Series], tools: tuple[peers.Tool, ...]
) -> Table:
    return Table(
        title=title,
        head=("Tool", "Wall, s", "CPU, s", "Findings"),
        rows=tuple(
            (
                tool.name,
                number(timed[tool.name].wall)
                if timed[tool.name].good
                else timed[tool.name].trouble,
                number(timed[tool.name].cpu),
                str(tool.found(label)),
            )
            for tool in tools
        ),
    )


def _of_change(change: Mapping[str, Series]) -> Table:
    return Table(
        title=f"A pull request of {CHANGED} files, wall time in milliseconds",
        head=tuple(change),
        rows=(
            tuple(number(one.wall * 1000) if one.good else one.trouble for one in change.values()),
        ),
    )
