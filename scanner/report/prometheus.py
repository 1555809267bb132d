"""Prometheus text, for the textfile collector or a push gateway.

Times are Unix seconds. A secret whose age is only known within bounds has a series for each bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import TypeVar

from scanner.model import Outcome
from scanner.records import Audited, Reach, Status
from scanner.report import text
from scanner.report.interface import ReportContext

Sample = tuple[str, float]  # the text between the braces, and the value
Thing = TypeVar("Thing")
_first = itemgetter(0)


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """Every metric with its samples in order. An audit has samples for each secret."""
    yield f"# complete: {str(outcome.complete).lower()}\n"
    yield from _run(outcome, context)
    if outcome.live:
        yield from _live(outcome.live, context.now)


def _run(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    kinds = Counter((finding.rule, finding.severity.label) for finding in outcome.findings)
    found = [(_labels(rule=rule, severity=level), kinds[rule, level]) for rule, level in kinds]
    yield from _family("complete", "1 where all was read that should be", [("", outcome.complete)])
    yield from _family("run_timestamp_seconds", "When it ran", [("", context.now.timestamp())])
    yield from _family("findings", "Findings by rule and severity", _each(found, _one))
    yield from _family("gaps", "What was not read", [("", len(outcome.gaps))])


def _live(live: Audited, now: datetime) -> Iterator[str]:
    """Secrets that could not be read keep what the last run that read them said, but no age."""
    earlier = {each.status.id: each.seen for each in live.earlier}
    for each in live.secrets:
        earlier.pop(each.id, None)  # the time of this run is the later one
    known = chain(live.secrets, (each.status for each in live.earlier))
    secrets = [(_of(each), each) for each in known]
    yield from _family(
        "secret_last_read_timestamp_seconds",
        "When its metadata was last read; an older time than that of the run is an outage",
        _each(secrets, lambda each: _time(earlier.get(each.id, now))),
    )
    yield from _family(
        "secret_age_seconds",
        "Age of the value in use: exact, or at least or at most so much",
        _each(secrets, _ages),
    )
    yield from _family(
        "secret_limit_seconds",
        "Age at which it is to be rotated",
        _each(secrets, lambda each: _one(each.limit)),
    )
    yield from _family(
        "secret_due_timestamp_seconds",
        "When it is to be rotated",
        _each(secrets, lambda each: _time(each.due)),
    )
    yield from _family(
        "secret_verdict",
        "1 for the verdict on its age",
        _each(secrets, lambda each: [(_labels(verdict=each.verdict), 1)] if each.verdict else ()),
    )
    yield from _family(
        "secret_condition",
        "1 for what else is wrong with it",
        _each(secrets, lambda each: ((_labels(condition=one), 1) for one in each.conditions)),
    )
    yield from _reach(live.reach)


def _of(status: Status) -> str:
    names = {"backend": status.backend, "class": status.secret_class, "owner": status.owner}
    return _labels(**names, id=status.id)


def _ages(status: Status) -> Iterator[Sample]:
    least, most = status.youngest, status.oldest
    if least is not None:
        yield _labels(bound="exact" if least == most else "least"), least
    if most is not None and most != least:
        yield _labels(bound="most"), most


def _one(number: float | None) -> Iterable[Sample]:
    return () if number is None else [("", number)]


def _time(when: datetime | None) -> Iterable[Sample]:
    return _one(when.timestamp() if when else None)


def _reach(backends: Iterable[Reach]) -> Iterator[str]:
    named = [(_labels(backend=each.backend, kind=each.kind), each) for each in backends]
    yield from _family(
        "backend_secrets_read",
        "Secrets whose metadata was read",
        _each(named, lambda each: _one(each.read)),
    )
    yield from _family(
        "backend_paths_known",
        "Paths that are known, read or not",
        _each(named, lambda each: _one(each.known)),
    )
    yield from _family(
        "backend_gaps",
        "What was not read, by reason",
        _each(named, lambda each: ((_labels(gap=kind), n) for kind, n in each.unread.items())),
    )
    yield from _family(
        "backend_last_success_timestamp_seconds",
        "When it was last read to the end",
        _each(named, lambda each: _time(each.last_success)),
    )


def _each(
    named: list[tuple[str, Thing]], samples: Callable[[Thing], Iterable[Sample]]
) -> Iterator[Sample]:
    """The samples of each thing, sorted by labels; the labels of the thing come first.

    If two samples have the same labels, the greater one is kept: both would make the file invalid.
    """
    named.sort(key=_first)
    for labels, same in groupby(named, key=_first):
        kept: dict[str, float] = {}
        for more, number in (sample for _, thing in same for sample in samples(thing)):
            kept[more] = max(number, kept.get(more, number))
        for more in sorted(kept):
            yield ",".join(filter(None, (labels, more))), kept[more]


def _family(name: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One metric of the type gauge."""
    name = f"keywatch_{name}"
    yield f"# HELP {name} {words}.\n# TYPE {name} gauge\n"
    for labels, number in samples:
        yield f"{name}{_braces(labels)} {_number(number)}\n"


def _braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{text.for_label(value)}"' for name, value in labels.items())
