"""Benchmark: findings that somebody read in their places, and what they were: true or false.

The verdicts lie in CSV files beside this one: path, line, rule, verdict. A finding that is in none
of them makes what is counted from it unknown.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench import corpora, measure, peers
from bench.results import Table

TRUE, FALSE, UNREAD = "true", "false", "not judged"
_SEVERITIES = ("critical", "high", "medium", "low")
_CONFIDENCES = ("high", "medium", "low")


class Judged(NamedTuple):
    """One finding and its verdict."""

    verdict: str
    rule: str
    severity: str
    confidence: str
    path: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    def rank(self) -> tuple[int, int, str]:
        """The position in the report: by severity, then by confidence."""
        return (
            _SEVERITIES.index(self.severity),
            _CONFIDENCES.index(self.confidence),
            self.rule,
        )


def scanned(tree: Path, label: str, verdicts: Path, under: str = "") -> list[Judged]:
    """Return what keywatch finds in a tree by default, ordered by path, with the verdicts of a CSV
    file. `under` stands before each path there."""
    if not (tree / ".git").exists():  # the project's own policy and baseline must not apply to it
        corpora.run_git(tree, *corpora.INIT)
    run = measure.run(peers.keywatch().on(tree, label=label, limit=600.0))
    if not run.good:
        raise peers.BenchError(f"keywatch did not scan {tree}: exit {run.code}.")
    report = json.loads(peers.outfile(f"{label}.keywatch.json").read_text(encoding="utf-8"))
    return judged(report["findings"], verdicts, under)


def judged(findings: Iterable[dict[str, Any]], verdicts: Path, under: str = "") -> list[Judged]:
    """The findings of a JSON report with the verdicts of a CSV file.

    under: stands before each path in the CSV file. With it, a line that was judged under another
    rule keeps its verdict.
    """
    known: dict[tuple[str, str, str], str] = {}
    lines: dict[tuple[str, str], set[str]] = defaultdict(set)
    with verdicts.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known[row["path"], row["line"], row["rule"]] = row["verdict"]
            lines[row["path"], row["line"]].add(row["verdict"])
    found = []
    for each in findings:
        path, line = under + each["location"]["path"], each["location"]["line"]
        alike = lines.get((path, str(line)), set())
        verdict = known.get((path, str(line), each["rule"]), UNREAD)
        if under and verdict == UNREAD and len(alike) == 1:
            verdict = next(iter(alike))
        found.append(
            Judged(verdict, each["rule"], each["severity"], each["confidence"], path, line)
        )
    return found


def unread(found: Sequence[Judged]) -> int:
    return sum(each.verdict == UNREAD for each in found)


def false_in(found: Sequence[Judged], lines: int, per: int) -> float | None:
    """Return false findings per number of lines; None if a finding has no verdict yet."""
    false = sum(each.verdict == FALSE for each in found)
    return None if unread(found) else per * false / lines


def by_rule(found: Iterable[Judged]) -> Table:
    counts = Counter((each.rule, each.verdict) for each in found)
    verdicts = (TRUE, FALSE, UNREAD)
    rows = tuple(
        (rule, *(str(counts[rule, verdict]) for verdict in verdicts))
        for rule in sorted({rule for rule, _ in counts})
    )
    return Table(title="By rule", head=("Rule", *map(str.capitalize, verdicts)), rows=rows)
