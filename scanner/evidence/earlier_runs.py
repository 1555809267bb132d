"""What a ledger says about earlier runs and about controls, for the HTML report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from scanner.errors import ConfigError
from scanner.evidence import controls
from scanner.evidence.controls import Assessed, Period
from scanner.evidence.ledger import Ledger
from scanner.evidence.verify import verify
from scanner.model import Severity
from scanner.report.html.overview import ControlRow, EarlierRuns, RunNumbers

PERIOD = timedelta(days=90)
"""How far back controls are judged."""
_SHOWN = {controls.WORKED: True, controls.FAILED: False, controls.NOT_TESTED: None}


def earlier_runs(ledger: Ledger, analysis: str, subject: str, now: datetime) -> EarlierRuns:
    """The runs of this kind on this subject, and the controls of the last 90 days.

    Audits of only some classes are left out: their numbers cannot be compared. A ledger that was
    changed proves nothing, so only its problem is returned.
    """
    try:
        verified = verify(ledger)
        if verified.problems:
            return EarlierRuns(problem=_problem("was changed"))
        runs = [
            _numbers(entry)
            for entry in ledger.entries()
            if entry["kind"] == analysis
            and entry["data"].get("subject") == subject
            and not entry["data"].get("classes")
        ]
        period = Period(now - PERIOD, now + timedelta(seconds=1))
        assessed = controls.assess(controls.load(), ledger.entries(), period)
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError):
        return EarlierRuns(problem=_problem("cannot be read"))
    if not verified.head.number:
        return EarlierRuns(problem="The ledger is empty: this is the first run that it records.")
    return EarlierRuns(
        runs=tuple(sorted(runs, key=lambda run: run.at)),
        controls=tuple(map(_row, assessed)),
        start=period.start,
        end=period.end,
        head=verified.head.hash,
    )


def _problem(what: str) -> str:
    return f"The ledger {what}, so no trend and no controls are shown: keywatch evidence verify"


def _numbers(entry: Mapping[str, Any]) -> RunNumbers:
    data = entry["data"]
    counts = data["summary"]["findings"]
    return RunNumbers(
        at=datetime.fromisoformat(data.get("ran_at") or entry["at"]),
        is_complete=data["complete"] is True,
        findings={level: int(counts[level.label]) for level in Severity},
        verdicts=Counter(_verdicts(data)),
    )


def _verdicts(data: Mapping[str, Any]) -> Iterator[str]:
    return (str(each["verdict"]) for each in data.get("secrets", ()))


def _row(assessed: Assessed) -> ControlRow:
    control = assessed.control
    return ControlRow(
        framework=control.framework,
        control=control.control,
        title=control.title,
        shows=control.shows,
        is_shown=_SHOWN[assessed.result],
        why=assessed.why,
        entries=assessed.failures or assessed.entries,
    )
