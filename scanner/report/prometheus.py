"""Report: Prometheus text, for the textfile collector or a push gateway.

Times are Unix seconds. A secret whose age is known within bounds alone has a series for each bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from scanner.model import Outcome
from scanner.records import Audited, Reach, Status
from scanner.report import text
from scanner.report.interface import ReportContext

Sample = tuple[str, float]  # its labels as they stand between the braces, and its value


def report(outcome: Outcome, context: ReportContext) -> str:
    """Every family with its samples in order; of what an audit saw, one sample for each secret."""
    families = [*_run(outcome, context), *(_live(outcome.live) if outcome.live else ())]
    whole = f"# complete: {str(outcome.complete).lower()}\n"
    return whole + "".join(families)


def _run(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    kinds = Counter((finding.rule, finding.severity.label) for finding in outcome.findings)
    found = ((_labels(rule=rule, severity=level), kinds[rule, level]) for rule, level in kinds)
    yield _family("complete", "1 where all was read that should be", [("", outcome.complete)])
    yield _family("run_timestamp_seconds", "When it ran", [("", context.now.timestamp())])
    yield _family("findings", "Findings by rule and severity", found)
    yield _family("gaps", "What was not read", [("", len(outcome.gaps))])


def _live(live: Audited) -> Iterator[str]:
    secrets = [(_of(each), each) for each in live.secrets]
    yield _family(
        "secret_age_seconds",
        "Age of the value in use: exact, or at least or at most so much",
        (age for labels, each in secrets for age in _ages(labels, each)),
    )
    yield _family(
        "secret_limit_seconds",
        "Age at which it is to be rotated",
        ((labels, each.limit) for labels, each in secrets if each.limit is not None),
    )
    yield _family(
        "secret_due_timestamp_seconds",
        "When it is to be rotated",
        ((labels, each.due.timestamp()) for labels, each in secrets if each.due),
    )
    yield _family(
        "secret_verdict",
        "1 for the verdict on its age",
        ((_and(labels, verdict=each.verdict), 1) for labels, each in secrets if each.verdict),
    )
    yield _family(
        "secret_condition",
        "1 for what else is wrong with it",
        ((_and(labels, condition=one), 1) for labels, each in secrets for one in each.conditions),
    )
    yield from _reach(live.reach)


def _of(status: Status) -> str:
    names = {"backend": status.backend, "class": status.secret_class, "owner": status.owner}
    return _labels(**names, id=status.id)


def _ages(labels: str, status: Status) -> Iterator[Sample]:
    least, most = status.youngest, status.oldest
    if least is not None:
        yield _and(labels, bound="exact" if least == most else "least"), least
    if most is not None and most != least:
        yield _and(labels, bound="most"), most


def _reach(backends: Iterable[Reach]) -> Iterator[str]:
    named = [(_labels(backend=each.backend, kind=each.kind), each) for each in backends]
    yield _family(
        "backend_secrets_read",
        "Secrets whose metadata was read",
        ((labels, each.read) for labels, each in named),
    )
    yield _family(
        "backend_paths_known",
        "Paths that are known, read or not",
        ((labels, each.known) for labels, each in named),
    )
    yield _family(
        "backend_gaps",
        "What was not read, by reason",
        (
            (_and(labels, gap=kind), number)
            for labels, each in named
            for kind, number in each.unread.items()
        ),
    )
    yield _family(
        "backend_last_success_timestamp_seconds",
        "When it was last read to the end",
        ((labels, each.last_success.timestamp()) for labels, each in named if each.last_success),
    )


def _family(name: str, words: str, samples: Iterable[Sample]) -> str:
    """A gauge. Two samples of the same labels would void the whole file: the greater stands."""
    name = f"keywatch_{name}"
    kept: dict[str, float] = {}
    for labels, number in samples:
        kept[labels] = max(number, kept.get(labels, number))
    lines = [f"{name}{_braces(labels)} {_number(kept[labels])}\n" for labels in sorted(kept)]
    return f"# HELP {name} {words}.\n# TYPE {name} gauge\n" + "".join(lines)


def _braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{text.for_label(value)}"' for name, value in labels.items())


def _and(labels: str, **more: str) -> str:
    return f"{labels},{_labels(**more)}"
