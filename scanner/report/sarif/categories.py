"""Split an outcome by category of code scanning. An upload replaces the last one of its category.

Each live store has its own category, so that auditing one store does not close the alerts of the
others. Everything else is in the category of the command.
"""

from __future__ import annotations

from collections.abc import Iterator

from scanner.model import Coverage, Finding, Outcome
from scanner.report import text
from scanner.report.order import reach_order

_ANY = "*"  # stands for the store in the id of what may lie in several


def categories(outcome: Outcome, analysis: str) -> Iterator[tuple[str, Outcome]]:
    """Each category with its part of the outcome. Only an audit has several.

    The last one contains what belongs to no single store. It has all gaps, because its findings
    depend on all stores.
    """
    names = _stores(outcome)
    for name in names:
        yield f"{analysis}/{name}", _part(outcome, name)._replace(coverage=Coverage())
    yield analysis, _part(outcome, "")._replace(gaps=outcome.gaps) if names else outcome


def _stores(outcome: Outcome) -> list[str]:
    """The stores that were read, or whose earlier results are repeated."""
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
    """`prod` of `vault://prod/-/secret/app`; "" for a file, or if it may be several stores."""
    store = name.split("/", 3)[2] if text.is_live(name) else ""
    return "" if store == _ANY else store
