"""The numbers of a run for Prometheus: the textfile collector or a push gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.fleet.results.overview import LEVELS, Overview
from scanner.report.text import for_label


def metrics(overview: Overview) -> Iterator[str]:
    """Every metric, of the type gauge."""
    yield from _family("complete", "1 if every repository was scanned", [("", overview.complete)])
    yield from _family(
        "run_timestamp_seconds", "When the run began", [("", overview.now.timestamp())]
    )
    yield from _family(
        "repositories", "Repositories of the run", [("", len(overview.repositories))]
    )
    incomplete = sum(bool(each.gaps) for each in overview.repositories)
    yield from _family(
        "repositories_incomplete",
        "Repositories that were not scanned as a whole",
        [("", incomplete)],
    )
    yield from _family(
        "values",
        "Different values that were found, by severity",
        [(_labels(severity=level), overview.levels[level]) for level in LEVELS],
    )
    yield from _family("places", "Places with a value", [("", overview.places)])
    yield from _family(
        "team_values",
        "Different values that were found, by team and severity",
        [
            (_labels(team=team, severity=level), count[level])
            for team, count in sorted(overview.teams.items())
            for level in LEVELS
        ],
    )
    yield from _family(
        "class_values",
        "Different values that were found, by class and severity",
        [
            (_labels(**{"class": name}, severity=level), count[level])
            for name, count in sorted(overview.classes.items())
            for level in LEVELS
        ],
    )


def _family(name: str, words: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    name = f"keywatch_fleet_{name}"
    yield f"# HELP {name} {words}.\n# TYPE {name} gauge\n"
    for labels, number in samples:
        yield f"{name}{labels} {float(number):.15g}\n"


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{for_label(value)}"' for name, value in labels.items()) + "}"
