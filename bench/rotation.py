"""Benchmark section: rotations that crash at random moments, and the time of a plan."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.results import Demand, Section, Table, number
from scanner.policy.live.rotation_age import Verdict
from scanner.records import Status
from scanner.rotate import config
from scanner.rotate.model import Policy, State
from scanner.rotate.plan import plan
from tests.support.rotation_places import Rotated, places
from tests.support.rotations import Rotator

CRASHES = 1_000
SECRETS = 10_000
ROUNDS = 5
RATIO = 3.0
_SEED = 24


def section(crashes: int = CRASHES) -> Section:
    load = machine.load()
    with tempfile.TemporaryDirectory() as folder, places(Path(folder)) as (rotator, found):
        tried, wrong = crashed(rotator, found, crashes)
    return Section(
        name="rotation",
        title="Rotations that crash",
        intro=_INTRO,
        demands=(
            Demand(
                text=f"{sum(tried.values()):,} crashes that end in another state",
                value=float(len(wrong)) if sum(tried.values()) == crashes else None,
                limit=0,
            ),
            Demand(
                text=f"planning {SECRETS:,} secrets, over json.loads of their records",
                value=planning(),
                limit=RATIO,
            ),
        ),
        tables=(
            Table(
                title="Crashes by executor",
                head=("Executor", "Crashes", "Wrong"),
                rows=tuple(
                    (name, number(count), number(sum(each[0] == name for each in wrong)))
                    for name, count in tried.items()
                ),
            ),
        ),
        facts=machine.facts((), load),
        raw={"wrong": [list(each) for each in wrong]},
    )


def crashed(
    rotator: Rotator, found: list[Rotated], crashes: int
) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """How many crashes each executor had, and (executor, moment, problem) for each wrong end."""
    chance = random.Random(_SEED)  # noqa: S311 - the same crashes each time
    moments = {each.name: rotator.crashed(each.secret(), "none") for each in found}
    tried: Counter[str] = Counter()
    wrong = []
    for count in range(crashes):
        each = found[count % len(found)]
        at = chance.randrange(1, len(moments[each.name]) + 1)
        again = chance.choice((0, 0, chance.randrange(1, 8)))
        before = each.snapshot()
        try:
            rotator.crashed(each.secret(), at, again)
            problem = each.wrong(before) or _unsaid(rotator, each)
        except AssertionError as error:
            problem = str(error)
        tried[each.name] += 1
        if problem:
            wrong.append((each.name, moments[each.name][at - 1], problem))
        if count % 100 == 99:
            print(f"  {count + 1:,} crashes, {len(wrong)} wrong", flush=True)
            _forget(rotator)
    return tried, wrong


def _unsaid(rotator: Rotator, each: Rotated) -> str:
    """What the record does not say: its end, or that something may have been done twice."""
    record = rotator.records[-1]
    if record["result"] != State.FINISHED:
        return f"the record says {record['result']}"
    repeated = any(step["how"] == "repeated" for step in record["steps"])
    lost = record["attempts"] > 1
    return "" if not (repeated or lost) or record["notes"] else f"{each.name}: nothing is said"


def _forget(rotator: Rotator) -> None:
    """Begin a new journal: every rotation in the old one has ended."""
    for name in ("journal.jsonl", "records.jsonl"):
        (rotator.folder / name).unlink(missing_ok=True)


def planning() -> float:
    """The time of a plan of many due secrets, as a multiple of reading their records as JSON."""
    statuses = [_status(count) for count in range(SECRETS)]
    texts = [json.dumps(each._asdict(), default=str) for each in statuses]
    section = {
        "journal": "j",
        "records": "r",
        "lock": "vault://prod/-/keywatch/lock",
        "identities": {"prod": {}},
        "issuers": {"ours": {"generate": {}}},
        "secrets": [{"match": "vault://prod/-/app/**", "issuer": "ours", "field": "key"}],
    }
    typed = config.typed(section)
    policy = Policy("api-key", 1, 1)
    loads = min(_timed(lambda: [json.loads(text) for text in texts]) for _ in range(ROUNDS))
    plans = min(_timed(lambda: plan(statuses, typed, lambda _s: policy)) for _ in range(ROUNDS))
    return plans / loads


def _timed(run: object) -> float:
    began = time.perf_counter()
    run()  # type: ignore[operator]
    return time.perf_counter() - began


def _status(count: int) -> Status:
    return Status(
        id=f"vault://prod/-/app/team-{count % 100}/service-{count}",
        backend="prod",
        kind="kv-v2",
        secret_class="api-key",  # noqa: S106 - the name of a class
        owner="@sec-oncall",
        verdict=str(Verdict.OVERDUE),
        youngest=8_640_000 + count,
        oldest=8_640_000 + count,
        limit=7_776_000,
        due=datetime(2026, 1, 1, tzinfo=UTC),
        field="versions[3].created_time",
        strength="weak",
    )


_INTRO = """Each rotation is ended at a random moment between two of its actions, and a third of the
resumptions, too. After the last resumption there must be exactly one current credential, no
credential that nobody stored, and a record that says what was done twice. The stores: OpenBao,
PostgreSQL, moto, and the fakes of Azure and Kubernetes."""
