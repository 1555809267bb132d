"""Benchmark section: how long `keywatch access` takes beside the parsing of the policies."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Mapping, Sequence

from bench import machine, peers
from bench.access_policies import ANSWERS, MANY_POLICIES, POLICIES, ROLES, SECRETS
from bench.results import Demand, Section, Table, number

ROUNDS = 5
ANSWER, REVIEW = 3.0, 2.0

Runs = Sequence[Mapping[str, float]]


def section() -> Section:
    load = machine.load()
    ours = peers.keywatch()
    runs = [measured(str(ours.binary)) for _ in range(ROUNDS)]
    return Section(
        name="access",
        title="Who can read which secret",
        intro=_INTRO,
        demands=judge(runs),
        tables=(_table(runs),),
        facts=machine.facts((ours,), load),
        raw={"runs": list(runs)},
    )


def measured(python: str) -> Mapping[str, float]:
    """The seconds of one process."""
    argv = [python, "-m", "bench.access_policies"]
    done = subprocess.run(argv, cwd=peers.ROOT, stdout=subprocess.PIPE, check=True)
    found: Mapping[str, float] = json.loads(done.stdout)
    return found


def judge(runs: Runs) -> tuple[Demand, ...]:
    answers = statistics.median(run["answer"] / run["parse_few"] for run in runs)
    review = statistics.median(run["review"] / run["parse_many"] for run in runs)
    return (
        Demand(
            text=f"{ANSWERS:,} answers over {POLICIES} policies, over parsing these",
            value=answers,
            limit=ANSWER,
        ),
        Demand(
            text=f"review of {MANY_POLICIES:,} policies, {ROLES} roles and {SECRETS:,} secrets, "
            "over parsing the policies",
            value=review,
            limit=REVIEW,
        ),
    )


def _table(runs: Runs) -> Table:
    names = {
        "parse_few": f"parse {POLICIES} policies",
        "answer": f"{ANSWERS:,} answers",
        "parse_many": f"parse {MANY_POLICIES:,} policies",
        "review": "review",
    }
    rows = [
        (text, number(statistics.median(run[name] for run in runs))) for name, text in names.items()
    ]
    return Table(title="Median CPU time", head=("Step", "CPU, s"), rows=tuple(rows))


_INTRO = f"""Policies have seven path blocks each: exact paths, folders, a segment wildcard and a
deny. Answers come from one index of {POLICIES} policies. In the review, each of {ROLES} roles has
five of {MANY_POLICIES:,} policies, and needs one class of {SECRETS:,} declared secrets. Times are
CPU times of one process; each ratio is the median of {ROUNDS} processes."""
