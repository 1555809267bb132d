"""One of everything that the HTML report can show. Made up; every value is masked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scanner.evidence import controls
from scanner.model import Outcome, Severity
from scanner.records import AccessChange, AccessMatrix, AccessRow, Proposal
from scanner.report.html.overview import ControlRow, EarlierRuns, RepositoryRow, RunNumbers
from scanner.report.interface import ReportContext
from tests.support import live_values
from tests.support.report_values import NOW, context, eventful

_STRIPE, _ETL = "vault://prod/-/secret/stripe", "vault://prod/-/secret/etl"


def outcome() -> Outcome:
    """A scan, an audit and an access review in one, which no single command gives."""
    audit = live_values.audit()
    hidden = eventful()
    return hidden._replace(
        findings=(*hidden.findings, *audit.findings),
        gaps=(*hidden.gaps, *audit.gaps),
        live=audit.live,
        access=matrix(),
    )


def matrix() -> AccessMatrix:
    return AccessMatrix(
        rows=(
            _pair("api", _STRIPE, "ok"),
            _pair("worker", _STRIPE, "excess", needed=False),
            _pair("worker", _ETL, "unused", used="never"),
            _pair("reports", _ETL, "missing", granted=()),
        ),
        proposals=(Proposal("worker", 'path "secret/data/etl" {\n  capabilities = ["read"]\n}'),),
        changes=(AccessChange("new", "worker", _STRIPE, "", "read"),),
        since="2026-12.md",
    )


def _pair(service: str, secret: str, verdict: str, **more: Any) -> AccessRow:
    row = AccessRow(
        service=service,
        role=f"role-{service}",
        secret=secret,
        secret_class="api-key",
        needed=True,
        granted=("read",),
        rule=f"{service}: secret/data/*",
        where=f"policies/{service}.hcl:3",
        verdict=verdict,
    )
    return row._replace(**more)


def given() -> ReportContext:
    """The context, with earlier runs, controls and other repositories."""
    shown = {0: True, 1: False, 2: None}
    runs = tuple(
        RunNumbers(
            at=NOW - timedelta(days=14 - number),
            is_complete=number != 5,
            findings={Severity.CRITICAL: number % 3, Severity.HIGH: 2, Severity.LOW: number},
            verdicts={"overdue": number % 4, "undated": 1, "grace": number % 2, "ok": 9},
        )
        for number in range(14)
    )
    judged = tuple(
        ControlRow(
            framework=each.framework,
            control=each.control,
            title=each.title,
            shows=each.shows,
            is_shown=shown[number % 3],
            why="14 entries without findings",
            entries=tuple(range(number)),
        )
        for number, each in enumerate(controls.load())
    )
    repositories = (
        RepositoryRow("payments", "shop/checkout", {Severity.CRITICAL: 2}, {"api-key": 2}, 86_400),
        RepositoryRow("data", "etl/warehouse", problem="the clone took longer than 10m"),
    )
    earlier = EarlierRuns(runs, judged, NOW - timedelta(days=90), NOW, "9f2c41d07be655aa")
    return context(root="shop", analysis="audit", earlier=earlier, repositories=repositories)
