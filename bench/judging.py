"""Benchmark section: what the policy costs for each live secret, beside reading it as JSON."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench import machine, peers
from bench.results import Demand, Section, Table
from scanner.configuration import repository
from scanner.policy.declarations.matching import SecretEntries
from scanner.policy.live import rotation_age
from scanner.records import Dated, Record, Rotation

RECORDS = 100_000
ROUNDS = 5
LIMIT = 3.0
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_NAMES = {
    "api-keys": "api-key",
    "db-credentials": "db-credential",
    "jwt-signing": "jwt-signing-key",
}
_WIDE = 'match: "vault://*/*/secret/**", class: api-key'
_POLICIES = {
    "3 entries, one for each name": [
        f'match: "vault://*/*/secret/*/{name}", class: {kind}' for name, kind in _NAMES.items()
    ],
    "300 entries, one for each secret": [
        f'match: "vault://*/*/secret/app-{app}/{name}", class: {kind}, owner: "@app-{app}"'
        for app in range(100)
        for name, kind in _NAMES.items()
    ],
    "100 entries by tag, over a wide one": [
        _WIDE,
        *(f'tags: {{app: "{app}"}}, class: service-token' for app in range(100)),
    ],
}


def section() -> Section:
    load = machine.load()
    records = [_record(number, random.Random(number)) for number in range(RECORDS)]  # noqa: S311
    text = json.dumps([record._asdict() for record in records], default=str)
    parsed = _cpu(lambda: json.loads(text))
    judged = {name: _cpu(_judging(policy, records)) for name, policy in _POLICIES.items()}
    slowest = max(judged.values()) / parsed
    rows = (("json.loads", parsed), *judged.items())
    return Section(
        name="judging",
        title="Judging live secrets",
        intro=_intro(len(text)),
        demands=(
            Demand(text="judging, beside json.loads of the same", value=slowest, limit=LIMIT),
        ),
        tables=(
            Table(
                title=f"{RECORDS:,} secrets",
                head=("What", "CPU seconds", "µs for each", "times json.loads"),
                rows=tuple(_row(name, spent, parsed) for name, spent in rows),
            ),
        ),
        facts=machine.facts((peers.keywatch(),), load),
    )


def _intro(size: int) -> str:
    return (
        f"{RECORDS:,} records such as a backend gives, {size / RECORDS:.0f} bytes each as JSON: to "
        "find the most specific\nentry of keywatch.yaml for each and to judge it takes so much "
        f"CPU, beside reading the records\nas JSON. Medians of {ROUNDS} rounds in one process."
    )


def _row(name: str, spent: float, parsed: float) -> tuple[str, ...]:
    each = 1e6 * spent / RECORDS
    return (name, f"{spent:.2f}", f"{each:.1f}", f"{spent / parsed:.2f}")


def _cpu(work: Callable[[], object]) -> float:
    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return statistics.median(once() for _ in range(ROUNDS))


def _judging(policy: list[str], records: list[Record]) -> Callable[[], None]:
    text = "version: 1\nsecrets:\n" + "".join(f"- {{{line}}}\n" for line in policy)
    settings = repository.load(text.encode(), "keywatch.yaml", None)

    def work() -> None:
        entries = SecretEntries(settings.secrets, settings.classes)
        for record in records:
            rotation_age.judge(record, entries.match(record), NOW)

    return work


def _record(number: int, rng: random.Random) -> Record:
    app, name = rng.randrange(100), rng.choice(list(_NAMES))
    moment = NOW - timedelta(seconds=rng.randrange(120 * 86_400))
    return Record(
        id=f"vault://prod/-/secret/app-{app}/{name}",
        kind="kv-v2",
        dated=Dated(moment, moment, f"versions.{rng.randrange(9)}.created_time"),
        tags={"app": str(app), "owner": "@team", "tier": rng.choice(["gold", "silver"])},
        keys=("username", "password"),
        rotation=Rotation(period=86_400) if number % 10 == 0 else None,
    )
