"""What an audit saw, for the tests of reports. Made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scanner.model import Finding, Gap, Outcome
from scanner.records import Audited, Change, Reach, Resource, Status
from tests.support.report_values import NOW, finding

DAY = 86_400


def status(name: str, days: int | None, verdict: str = "ok", **more: Any) -> Status:
    """A KV secret of a class with a limit of 90 days, its age known exactly."""
    age = None if days is None else days * DAY
    due = None if age is None else NOW - timedelta(seconds=age - 90 * DAY)
    words: dict[str, Any] = {
        "backend": "prod",
        "kind": "kv-v2",
        "secret_class": "api-key",
        "owner": "@sec-oncall",
        "youngest": age,
        "oldest": age,
        "limit": 90 * DAY,
        "grace": 7 * DAY,
        "due": due,
        "field": "versions[3].created_time",
        "strength": "exact",
    }
    return Status(id=f"vault://prod/-/secret/{name}", verdict=verdict, **words | more)


def live_finding(name: str, rule: str = "acme-token", **more: Any) -> Finding:
    """A finding about a live secret, at the line that declares it."""
    resource = Resource(
        id=f"vault://prod/-/secret/{name}", owner="@sec-oncall", runbook="docs/rotation.md"
    )
    words = {"context": resource.id, "resource": resource, "preview": "", "tag": None}
    return finding(rule, "keywatch.yaml", 3, **words | {"detect_secrets": ()} | more)


def audited() -> Audited:
    """One secret of each kind that a table can show."""
    return Audited(
        secrets=(
            status("app/fresh", 3),
            status("app/late", 104, "overdue", conditions=("rotation-failing",)),
            status("app/soon", 80, "due-soon"),
            status("app/v1", None, "undated", field="", strength=""),
            status("app/bound", 40, oldest=None, strength="bound"),
            status("app/range", 20, oldest=60 * DAY, strength="bound"),
            status("app/most", None, oldest=60 * DAY, strength="bound"),
            status("db/token", 3, secret_class="service-token", limit=DAY, verdict="overdue"),
            status(
                "stray",
                3,
                "",
                secret_class="",
                owner="",
                limit=None,
                due=None,
                conditions=("unmanaged",),
            ),
        ),
        reach=(
            Reach("prod", "vault", 412, 415, {"denied": 3}, NOW - timedelta(days=1)),
            Reach("eks", "kubernetes", 9, 9, {}, NOW),
        ),
        changes=(
            Change("vault://prod/-/secret/app/late", "worse", "grace", "overdue, rotation-failing"),
            Change("vault://prod/-/secret/stray", "new", "", "unmanaged"),
            Change("vault://prod/-/secret/app/old", "gone", "ok", ""),
            Change("vault://prod/-/secret/app/fresh", "better", "overdue", "ok"),
        ),
        since=NOW - timedelta(days=1),
    )


def audit() -> Outcome:
    """The outcome of a run with findings and gaps."""
    return Outcome(
        findings=(
            live_finding("app/late", detail="104d old, limit 90d (api-key)"),
            live_finding("stray", "dune-id"),
        ),
        gaps=(Gap(kind="denied", path="vault://prod/-/secret/closed", reason="no read"),),
        live=audited(),
    )
