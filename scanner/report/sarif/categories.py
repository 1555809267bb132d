"""Report: an outcome by category of code scanning, where an upload replaces the one before.

Each live store has a category of its own, so that one more of them, or an audit of one alone,
closes no alert on the others. What is of no single store has the verb's.
"""

from __future__ import annotations

from collections.abc import Iterator

from scanner.model import Coverage, Finding, Outcome
from scanner.report import text
from scanner.report.order import reach_order

_ANY = "*"  # stands for the store in the id of what may lie in several


def categories(outcome: Outcome, verb: str) -> Iterator[tuple[str, Outcome]]:
    """Each category with its part of the outcome. Only an audit's has more than one; the last of
    its, with what is of no single store, has the gaps of all: its findings depend on all."""
    names = _stores(outcome)
    for name in names:
        yield f"{verb}/{name}", _part(outcome, name)._replace(coverage=Coverage())
    yield verb, _part(outcome, "")._replace(gaps=outcome.gaps) if names else outcome


def _stores(outcome: Outcome) -> list[str]:
    """Those that were read, and those of which an earlier run's results are carried forward."""
    if outcome.live is None:
        return []
    read = [each.backend for each in sorted(outcome.live.reach, key=reach_order)]
    return [*dict.fromkeys((*read, *sorted(filter(None, map(_of, outcome.findings)))))]


def _part(outcome: Outcome, store: str) -> Outcome:
    return outcome._replace(
        findings=tuple(each for each in outcome.findings if _of(each) == store),
        suppressed=tuple(each for each in outcome.suppressed if _of(each.finding) == store),
        gaps=tuple(each for each in outcome.gaps if _store(each.path) == store),
        notes=tuple(each for each in outcome.notes if _store(each.path) == store),
    )


def _of(finding: Finding) -> str:
    return _store(finding.resource.id) if finding.resource else ""


def _store(name: str) -> str:
    """`prod` of `vault://prod/-/secret/app`; "" for a file, and where it may be several."""
    store = name.split("/", 3)[2] if text.is_live(name) else ""
    return "" if store == _ANY else store
