"""The live secrets of an audit by class, as words and bars for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from scanner.records import Audited, Change, Reach, Status
from scanner.report import text
from scanner.report.order import reach_order, status_order

UNCLASSED = "no class"
_KINDS = {"vault": "Vault", "kubernetes": "Kubernetes", "aws": "AWS", "azure": "Azure"}
_LIMIT, _BEYOND = 10, 3
"""Cells of a bar up to the limit, and after it."""
# The worst first. An unknown verdict comes before those that are fine.
_VERDICTS = ("expired", "never-rotated", "overdue", "undated", "grace", "due-soon")
_FINE = ("ok", "")


def by_class(live: Audited) -> list[tuple[str, list[Status]]]:
    """(class, its secrets with the worst first), by name; secrets without a class come last."""
    ordered = sorted(live.secrets, key=lambda each: (not each.secret_class, each.secret_class))
    groups = groupby(ordered, key=lambda each: each.secret_class)
    return [(name or UNCLASSED, sorted(group, key=_worst)) for name, group in groups]


def _worst(status: Status) -> tuple[object, ...]:
    verdict = status.verdict
    rank = len(_VERDICTS) if verdict in _FINE else _rank(verdict)
    used = -(status.youngest or 0) / (status.limit or 1)
    return (rank, not status.conditions, used, *status_order(status))


def _rank(verdict: str) -> int:
    return _VERDICTS.index(verdict) if verdict in _VERDICTS else -1


def verdicts(secrets: Iterable[Status]) -> str:
    """`1 overdue, 2 ok`, the worst first."""
    counts = Counter(each.verdict for each in secrets)
    ordered = sorted(counts, key=lambda verdict: (verdict in _FINE, _rank(verdict), verdict))
    return ", ".join(f"{counts[verdict]:,} {spaced(verdict)}" for verdict in ordered)


def spaced(verdict: str) -> str:
    return text.visible(verdict.replace("-", " ")) or "without a verdict"


def state(status: Status) -> str:
    """`ok`, `overdue +1`: the verdict or the first condition, and the number of other problems."""
    wrong = [*([] if status.verdict in _FINE else [status.verdict]), *status.conditions]
    if not wrong:
        return spaced(status.verdict)
    return spaced(wrong[0]) + (f" +{len(wrong) - 1}" if wrong[1:] else "")


def is_fine(status: Status) -> bool:
    return status.verdict in _FINE and not status.conditions


def age(status: Status) -> str:
    """`31d`, `≥ 31d`, `≤ 31d`, `12d to 31d`, or `?` if the age is unknown."""
    least, most = (
        None if bound is None else text.duration(bound)
        for bound in (status.youngest, status.oldest)
    )
    if least == most:
        return least or "?"
    if least and most:
        return f"{least} to {most}"
    return f"≥ {least}" if least else f"≤ {most}"


def bar(status: Status) -> str:
    """A bar of the age with a line at the limit: solid up to the minimum, shaded to the maximum."""
    if not status.limit:
        return ""
    least = _cells(status.youngest or 0, status.limit)
    most = _LIMIT + _BEYOND if status.oldest is None else _cells(status.oldest, status.limit)
    cells = ("█" * least + "░" * (most - least)).ljust(_LIMIT + _BEYOND, "·")
    return f"{cells[:_LIMIT]}│{cells[_LIMIT:].replace('·', ' ')}"


def _cells(seconds: int, limit: int) -> int:
    """Seconds as cells, rounded down, but over the limit to at least one cell after the line."""
    whole = seconds * _LIMIT // limit
    return min(whole + (seconds > limit and whole == _LIMIT), _LIMIT + _BEYOND)


def unaudited(live: Audited) -> Iterator[tuple[str, str]]:
    """(`Vault "prod" was not audited: why`, what to do first) of each store with a problem."""
    for each in sorted(live.reach, key=reach_order):
        if each.problem:
            name = text.visible(each.backend)
            how = "was not audited completely" if each.read else "was not audited"
            kind = _KINDS.get(each.kind, text.visible(each.kind))
            words = f'{kind} "{name}" {how}: {text.visible(each.problem)}'
            yield words, text.visible(each.remedy)


def reached(reach: Iterable[Reach]) -> list[str]:
    """`prod: 412 of 415 paths; 3 denied` for each backend."""
    return [_reached(each) for each in sorted(reach, key=reach_order)]


def _reached(reach: Reach) -> str:
    name = text.visible(reach.backend)
    if not reach.unread:
        return f"{name}: {text.count(reach.read, 'secret')}"
    reasons = ", ".join(f"{count:,} {text.visible(kind)}" for kind, count in reach.unread.items())
    if not reach.read:
        return f"{name}: nothing read; {reasons}"
    return f"{name}: {reach.read:,} of {reach.known:,} paths; {reasons}"


def changes(changed: Sequence[Change]) -> list[tuple[str, str, str]]:
    """(kind of change, id, before → after) of each change, the worst first."""
    order = ("worse", "new", "gone", "better")
    ordered = sorted(changed, key=lambda change: (order.index(change.how), change))
    return [
        (each.how, each.id, text.visible(" → ".join(filter(None, (each.before, each.after)))))
        for each in ordered
    ]
