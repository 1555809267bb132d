"""Draw docs/html-report.png: the HTML report of an audit, as Chromium shows it.

python -m docs.html_picture

The store is made up, but the real policy judges it and the real report shows it. The findings are
left out of the picture, so that the overview and the rotation board fit in it. The fonts are those
of the machine, so no test compares the picture.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import sync_playwright

from scanner.fingerprints import identify
from scanner.model import NOWHERE, Location, Outcome
from scanner.policy.declarations.model import Match, SecretClass, SecretEntry
from scanner.policy.live import findings, rotation_age
from scanner.policy.live.rules import BY_ID
from scanner.records import Audited, Dated, Reach, Record, Rotation, Strength
from scanner.report import formats
from scanner.report.interface import ReportContext

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
PICTURE = Path(__file__).with_name("html-report.png")
SIZE = {"width": 1280, "height": 1150}
DAY = 86_400
CLASSES = {
    name: SecretClass(name, days * DAY, grace * DAY, overlap=DAY, location=NOWHERE)
    for name, days, grace in (("payment-key", 90, 14), ("database", 60, 7), ("token", 30, 7))
}


class Made(NamedTuple):
    """A made-up secret; its age in days, None if the store has no date."""

    name: str
    kind: str
    secret_class: str
    owner: str
    days: int | None
    field: str
    strength: Strength = Strength.EXACT


STORE = (
    Made("billing/stripe", "kv-v2", "payment-key", "@payments", 214, "created_time"),
    Made("billing/webhook", "kv-v2", "payment-key", "@payments", 97, "created_time"),
    Made("billing/adyen", "kv-v2", "payment-key", "@payments", 12, "created_time"),
    Made("orders/writer", "database-static-role", "database", "@data", 64, "last_vault_rotation"),
    Made("orders/reader", "database-static-role", "database", "@data", 52, "last_vault_rotation"),
    Made("ci/deploy", "kv-v2", "token", "@platform", None, ""),
    Made("ci/registry", "kv-v2", "token", "@platform", 9, "created_time", Strength.BOUND),
)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text("".join(_report()), encoding="utf-8")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            view = chromium.new_context(viewport=SIZE, bypass_csp=True)
            shown = view.new_page()
            shown.goto(page.as_uri())
            shown.add_style_tag(
                content="#findings, .run { display: none } html { scrollbar-width: none }"
            )
            shown.screenshot(path=PICTURE)
            chromium.close()
    return 0


def _report() -> Iterator[str]:
    judged = [_judged(each) for each in STORE]
    found = identify(
        finding
        for line, each in enumerate(judged, 3)
        for finding in findings.findings(each, Location("keywatch.yaml", line))
    )
    live = Audited(
        secrets=tuple(findings.status(each, "prod") for each in judged),
        reach=(Reach("prod", "vault", len(STORE), len(STORE), {}, NOW),),
    )
    context = ReportContext(rules=BY_ID, now=NOW, version="0.1.0", root="shop", analysis="audit")
    return iter(formats.reporter("html")(Outcome(found, live=live), context))


def _judged(made: Made) -> rotation_age.JudgedSecret:
    since = None if made.days is None else NOW - timedelta(days=made.days)
    earliest = None if made.strength is Strength.BOUND else since
    rotates = made.kind.startswith("database")
    record = Record(
        id=f"vault://prod/-/secret/{made.name}",
        kind=made.kind,
        dated=since and Dated(earliest, since, made.field, made.strength),
        undated="" if since else "the store keeps no date for it",
        rotation=Rotation(period=60 * DAY) if rotates else None,
    )
    secret_class = CLASSES[made.secret_class]
    entry = SecretEntry(
        match="",
        tags=(),
        secret_class=made.secret_class,
        owner=made.owner,
        runbook="",
        location=Location.at("keywatch.yaml", 3),
        class_location=NOWHERE,
        runbook_location=NOWHERE,
    )
    return rotation_age.judge(record, Match(entry, secret_class), NOW)


if __name__ == "__main__":
    raise SystemExit(main())
