"""Benchmark section: many repositories on one machine, beside the same scans in a plain loop.

200 bare repositories of 1,000 commits each; every fourth is a fork of the one before it, and shares
nine tenths of its history. `keywatch fleet scan` runs with one worker and with two, each time
without a state file. The plain loop is `keywatch scan --history` in each repository, in two
processes at a time (`xargs -P 2`); it scans what forks share once more, so the loop leaves the
forks out, and so does the run that it is compared with. The second run has the state of the first
one, and is compared with `git ls-remote` of each repository, in two processes as well.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bench import machine, measure, peers
from bench.measure import Command, Series
from bench.results import Demand, Section, Table, number, ratio
from tests.support.many_repositories import Made, write_repositories

FOLDER = peers.BUILD / "fleet"
REPOSITORIES, COMMITS = 200, 1_000
FORK_EVERY = 4
FASTER, OVER_LOOP, OVER_LIST = 1.7, 1.15, 2.0
SECONDS = 3_600.0


def section(repositories: int = REPOSITORIES, commits: int = COMMITS) -> Section:
    load = machine.load()
    ours = peers.keywatch()
    peers.pip(ours.binary, "install", f"{peers.ROOT}[fleet]")
    shutil.rmtree(FOLDER, ignore_errors=True)
    made = write_repositories(FOLDER / "all", repositories, commits, fork_every=FORK_EVERY)
    roots = _without_forks(made)
    measure.run(_fleet(ours.binary, "all", 2, "warm"))  # compiles the rules
    one = _timed(_fleet(ours.binary, "all", 1, "one"))
    two = _timed(_fleet(ours.binary, "all", 2, "two"))
    again = _timed(_fleet(ours.binary, "all", 2, "two"))
    asked = _timed(_each("git ls-remote {} > /dev/null", "all", made))
    plain = _timed(_fleet(ours.binary, "roots", 2, "plain"))
    scan = f"{ours.binary} -I -m scanner scan --history --quiet --report json=/dev/null"
    loop = _timed(_each(f"cd {{}} && GIT_DIR={{}} {scan} || test $? = 1", "roots", roots))
    tasks = _tasks(ours.binary)
    runs = {
        "fleet scan, 1 worker": one,
        "fleet scan, 2 workers": two,
        "fleet scan, 2 workers, nothing new": again,
        "git ls-remote of each": asked,
        "fleet scan without forks, 2 workers": plain,
        "plain loop without forks, 2 processes": loop,
    }
    good = all(series.good for series in runs.values())
    return Section(
        name="fleet",
        title="Many repositories",
        intro=(__doc__ or "").partition("\n\n")[2].strip(),
        demands=(
            Demand(
                text="times faster with 2 workers than with 1",
                value=one.wall / two.wall if good else None,
                limit=FASTER,
                at_least=True,
            ),
            Demand(
                text="wall over the plain loop",
                value=ratio(plain.wall, [loop.wall]) if good else None,
                limit=OVER_LOOP,
            ),
            Demand(
                text="a second run with nothing new, over git ls-remote",
                value=ratio(again.wall, [asked.wall]) if good else None,
                limit=OVER_LIST,
            ),
        ),
        tables=(
            Table(
                title=f"{repositories} repositories of {commits:,} commits",
                head=("What", "Wall, s", "CPU, s"),
                rows=tuple(
                    (name, number(series.wall), number(series.cpu)) for name, series in runs.items()
                ),
            ),
            Table(
                title="The scheduler",
                head=("What", "Number"),
                rows=(("Empty tasks a second, 2 workers", f"{tasks:,.0f}"),),
            ),
        ),
        facts=machine.facts((ours,), load),
        raw={name: series.raw() for name, series in runs.items()},
    )


def _without_forks(made: list[Made]) -> list[Made]:
    """The repositories that are no forks, linked into a folder of their own."""
    roots = [one for one in made if not one.fork_of]
    for one in roots:
        place = FOLDER / "roots" / one.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(FOLDER / "all" / one.name, place)
    return roots


def _timed(command: Command) -> Series:
    """One run: each takes minutes, and the first one with a state file has no second."""
    return Series(runs=(measure.run(command),))


def _fleet(python: Path, folder: str, workers: int, output: str) -> Command:
    command = (str(python), "-I", "-m", "scanner", "fleet", "scan", "--quiet", f"--folder={folder}")
    return _command(*command, f"--workers={workers}", f"--output=results/{output}")


def _each(script: str, folder: str, made: list[Made]) -> Command:
    """A script for each repository, two at a time."""
    names = FOLDER / f"{folder}.txt"
    names.write_text("".join(f"{FOLDER / folder / one.name}\n" for one in made))
    return _command("xargs", "-a", str(names), "-P", "2", "-I", "{}", "sh", "-c", script)


def _command(*argv: str) -> Command:
    return Command(
        argv=argv,
        cwd=FOLDER,
        env=peers.environment(),
        ok=frozenset({0, 1}),
        limit=SECONDS,
        stdout=FOLDER / "out",
        stderr=FOLDER / "err",
    )


def _tasks(python: Path) -> float:
    script = str(Path(__file__).with_name("empty_tasks.py"))
    done = measure.run(_command(str(python), "-I", script, "2"))
    return float((FOLDER / "out").read_text()) if done.good else 0.0


if __name__ == "__main__":
    small = section(*map(int, sys.argv[1:]))
    print(json.dumps({one.text: one.value for one in small.demands}, indent=1))
    for table in small.tables:
        for row in table.rows:
            print(*row, sep="\t")
