"""The state of a fleet: its work for a repository depends on that repository only."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from scanner.fleet import state_file
from scanner.fleet.cluster.units import Scanned
from scanner.fleet.state import State
from scanner.fleet.targets import Target

NOW = datetime(2026, 12, 1, tzinfo=UTC)
COMMITS = 500


def commits(repository: int) -> list[str]:
    return [hashlib.sha1(b"%d %d" % (repository, n)).hexdigest() for n in range(COMMITS)]


def steps_of_plans(path: Path, repositories: int) -> tuple[int, int]:
    """The steps of SQLite's machine, in hundreds, for the plan of the second and the last one."""
    database = state_file.connected(str(path))
    state = State(database, state_file.begun(database, NOW, resume=False))
    steps: list[int] = []
    count = 0

    def stepped() -> int:
        nonlocal count
        count += 1
        return 0

    database.set_progress_handler(stepped, 100)
    for number in range(repositories):
        known = state.target(Target(f"r{number}", f"/r{number}"))
        count = 0
        planned = state.plan(known.id, "rules", commits(number), 2000)
        steps.append(count)
        for unit in planned.units:
            state.scanned(unit, Scanned((), 1, 1))
    database.close()
    return steps[1], steps[-1]


def test_a_plan_takes_as_long_however_many_commits_of_others_are_scanned(tmp_path: Path) -> None:
    early, late = steps_of_plans(tmp_path / "state.sqlite", 40)
    assert late < 1.5 * early
