"""Benchmark section: what the GitHub Action adds to the scan that it runs."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

from bench import corpora, machine, measure, peers
from bench.measure import Command
from bench.results import Demand, Section, Table, number

ROUNDS = 9
TREE = "ansible-core"
FOLDER = peers.BUILD / "action"


def section() -> Section:
    load = machine.load()
    ours = peers.keywatch()
    tree = corpora.corpus(next(pin for pin in corpora.PINS if pin.startswith(TREE))).git
    timed = measure.in_turn(_commands(ours, tree), ROUNDS)
    steps, scan = timed.values()
    own = (steps.wall - scan.wall, steps.cpu - scan.cpu)
    share = max(own[0] / scan.wall, own[1] / scan.cpu)
    return Section(
        name="action",
        title="The GitHub Action",
        intro=_INTRO,
        demands=(
            Demand(
                text="the action's own steps over the scan, the larger of wall and CPU",
                value=share if steps.good and scan.good else None,
                limit=1.0,
            ),
        ),
        tables=(
            Table(
                title="Seconds",
                head=("What", "Wall", "CPU"),
                rows=(
                    *((name, number(one.wall), number(one.cpu)) for name, one in timed.items()),
                    ("the steps less the scan", *map(number, own)),
                ),
            ),
        ),
        facts=machine.facts((ours,), load),
        raw={name: one.raw() for name, one in timed.items()},
    )


_INTRO = f"""A push of {TREE} as a git repository. `the steps` are `plan`, `run` and `conclude` of
action.yml in one shell, with all reports, outputs and the page of the run; `the scan` is
`keywatch scan` alone, with its report for the terminal. The installation is in neither, and the
compiled rules are in the cache: on a fresh runner they are not, and the scan takes that much
longer. {ROUNDS} runs of each in turn; medians."""


def _commands(ours: peers.Tool, tree: Path) -> dict[str, Command]:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (FOLDER / "event.json").write_text("{}")
    scan = ours.command(("-I", "-m", "scanner", "scan"), tree, label="action")
    venv = shlex.quote(str(ours.binary.parents[1]))
    step = shlex.join([str(peers.interpreter()), "-I", str(peers.ROOT / "action" / "run.py")])
    script = f"{step} plan && ln -s {venv} keywatch/venv && {step} run; {step} conclude"
    steps = replace(
        scan,
        argv=("bash", "-c", script),
        cwd=FOLDER,
        env={**scan.env, **_variables(tree)},
        stdout=peers.outfile("action.steps.stdout"),
        stderr=peers.outfile("action.steps.stderr"),
    )
    return {"the steps": steps, "the scan": scan}


def _variables(tree: Path) -> dict[str, str]:
    """What a runner tells a step."""
    return {
        "EXIT_CODE": "1",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(FOLDER / "event.json"),
        "GITHUB_JOB": "sec-ci",
        "GITHUB_OUTPUT": str(FOLDER / "output"),
        "GITHUB_STEP_SUMMARY": str(FOLDER / "summary"),
        "GITHUB_WORKFLOW": "SEC-CI",
        "GITHUB_WORKSPACE": str(tree),
        "INPUTS": json.dumps({"mode": "scan", "upload-sarif": "true"}),
        "RUNNER_TEMP": str(FOLDER),
    }
