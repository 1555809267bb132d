"""Benchmark section: how fast is a ledger verified, is every tampering found, and how fast are the
alerts of many findings made?

The ledger has the entries of 400 audits of 500 secrets. A tampering changes, removes, repeats or
moves one entry of a smaller ledger at random; half of the changed ones get a new hash that fits.
The anchored head is known each time. The alerts are those of a JSON report with 10,000 findings of
10,000 secrets; its time is compared with that of decoding the report.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import machine, peers
from bench.results import Demand, Section, Table
from scanner.alert import alerts, messages, plan, routes
from scanner.evidence import entries
from scanner.evidence.ledger import Head, Ledger, sealed
from scanner.evidence.verify import verify
from scanner.model import Confidence, Finding, Location, Outcome, Severity
from scanner.records import Audited, Reach, Resource, Status
from scanner.report import formats, saved
from scanner.report.interface import ReportContext

FOLDER = peers.BUILD / "evidence"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
AUDITS, SECRETS = 400, 500
TAMPERINGS = 10_000
FINDINGS = 10_000
_RUNS = 5
_SHORT = 12  # entries of the ledger that is tampered with


def section() -> Section:
    load = machine.load()
    shutil.rmtree(FOLDER, ignore_errors=True)
    ledger, head = filled(FOLDER / "long", AUDITS, SECRETS)
    verifying = best(lambda: verify(ledger, [head]))
    reading = best(lambda: floor(ledger))
    found = sum(tampered(FOLDER / "short"))
    decoding, alerting, digests = alert_times()
    return Section(
        name="evidence",
        title="Evidence and alerts",
        intro=(__doc__ or "").partition("\n\n")[2].strip(),
        demands=(
            Demand(
                text="`evidence verify`, against sha256 and json.loads of the same lines",
                value=verifying / reading,
                limit=3.0,
                unit=" times",
            ),
            Demand(
                text=f"tamperings found, of {TAMPERINGS:,}",
                value=found,
                limit=TAMPERINGS,
                at_least=True,
            ),
            Demand(
                text=f"alerts of {FINDINGS:,} findings, against decoding their report",
                value=alerting / decoding,
                limit=2.0,
                unit=" times",
            ),
            Demand(text=f"messages a route for {FINDINGS:,} findings", value=digests, limit=1),
        ),
        tables=(
            Table(
                title="Times",
                head=("What", "Seconds"),
                rows=(
                    (f"sha256 and json.loads, {size(ledger):,} bytes", f"{reading:.3f}"),
                    ("evidence verify", f"{verifying:.3f}"),
                    (f"decode {FINDINGS:,} findings", f"{decoding:.3f}"),
                    ("plan and write their alerts", f"{alerting:.3f}"),
                ),
            ),
        ),
        facts=machine.facts((peers.keywatch(),), load),
    )


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def filled(folder: Path, audits: int, secrets: int) -> tuple[Ledger, Head]:
    """A ledger with one audit every hour."""
    ledger = Ledger(str(folder))
    items = []
    for number in range(audits):
        context = ReportContext(rules={}, now=NOW, version="0", root="app", analysis="audit")
        items.append(entries.of_run(outcome(secrets, number), context, {}, {}))
    head = Head()
    for number, (kind, data) in enumerate(items):
        head = ledger.append(kind, data, NOW + timedelta(hours=number))
    return ledger, head


def outcome(secrets: int, late: int) -> Outcome:
    """An audit; its first `late` secrets are overdue."""
    names = [
        f"vault://prod/-/secret/team-{number % 40}/service-{number}" for number in range(secrets)
    ]
    statuses = tuple(
        Status(
            id=name,
            backend="prod",
            kind="kv-v2",
            secret_class="api-key",  # noqa: S106 - the name of a class
            owner="@sec-oncall",
            verdict="overdue" if number < late else "ok",
            youngest=number,
            oldest=number,
            limit=7_776_000,
            due=NOW,
            field="versions[1].created_time",
        )
        for number, name in enumerate(names)
    )
    findings = tuple(
        Finding(
            rule="rotation-overdue",
            location=Location("keywatch.yaml"),
            severity=Severity.HIGH,
            confidence=Confidence.HIGH,
            context=name,
            fingerprint=hashlib.sha256(name.encode()).hexdigest()[:32],
            detail="100d old, limit 90d (api-key)",
            resource=Resource(id=name, owner="@sec-oncall", runbook="docs/rotation.md"),
        )
        for name in names[:late]
    )
    reach = (Reach(backend="prod", kind="vault", read=secrets, known=secrets),)
    return Outcome(findings=findings, live=Audited(secrets=statuses, reach=reach))


def floor(ledger: Ledger) -> None:
    """What nobody can do without: the hash of the bytes, and the parsed lines."""
    for path in ledger.files():
        with open(path, "rb") as file:
            data = file.read()
        hashlib.sha256(data).hexdigest()
        for line in data.splitlines():
            json.loads(line)


def size(ledger: Ledger) -> int:
    return sum(Path(path).stat().st_size for path in ledger.files())


def tampered(folder: Path) -> list[bool]:
    """For each tampering, whether it was found."""
    ledger, head = filled(folder, _SHORT, 3)
    (name,) = ledger.files()
    path = Path(name)
    lines = path.read_bytes().splitlines(keepends=True)
    chance = random.Random(20261201)  # noqa: S311 - the same tamperings each time
    found = []
    for _ in range(TAMPERINGS):
        changed = tampering(lines, chance)
        path.write_bytes(b"".join(changed))
        found.append(bool(verify(ledger, [head]).problems))
    return found


def tampering(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """A copy in which one entry is different."""
    place = chance.randrange(len(lines))
    out = [*lines]
    match chance.randrange(5):
        case 0:  # another byte
            line = bytearray(out[place])
            at = chance.randrange(len(line))
            line[at] ^= chance.randrange(1, 256)
            out[place] = bytes(line)
        case 1:  # another content, with a hash that fits
            out[place] = rewritten(out[place], chance)
        case 2:
            del out[place]
        case 3:
            out.insert(chance.randrange(len(out) + 1), out[place])
        case _:
            other = chance.choice([one for one in range(len(out)) if one != place])
            out[place], out[other] = out[other], out[place]
    return out


def rewritten(line: bytes, chance: random.Random) -> bytes:
    entry: dict[str, Any] = json.loads(line)
    del entry["hash"]
    secret = chance.choice(entry["data"]["secrets"])
    secret["oldest"] += chance.randrange(1, 1000)
    return sealed(json.dumps(entry, separators=(",", ":"))[1:].encode())[0]


def alert_times() -> tuple[float, float, int]:
    """Seconds to decode a report, seconds to make its alerts, and the messages for one route."""
    context = ReportContext(rules={}, now=NOW, version="0", analysis="audit")
    report = formats.render("json", outcome(FINDINGS, FINDINGS), context).encode()
    config = routes.parse(
        {
            "channels": {"one": {"apprise": "json://127.0.0.1"}},
            "routes": [{"name": "all", "send": ["one"]}],
        }
    )
    decoded, read_context = saved.read(report, "report")

    def make() -> list[messages.Message]:
        seen = alerts.seen(decoded, read_context)
        planned = plan.plan(seen, {}, config, NOW)
        return [told for each in planned.deliveries for told in messages.messages(each, NOW)]

    return best(lambda: saved.read(report, "report")), best(make), len(make())
