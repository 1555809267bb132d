"""Benchmark section: precision and recall on lines that people labelled, beside the peers.

KEYWATCH_LABELLED names a file of JSON Lines (or the same in gzip): `path`, `label` (T a credential,
F none, X a placeholder, ignore), `category`, `lines`, `first_line`, `line_start`, `line_end`. The
lines of each row are written to a file of its path, and each tool scans the folder as it comes. A
finding that overlaps a T is found, one that overlaps an F or an X is false.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from bench import corpora, machine, measure, passwords, peers, places
from bench.places import Place
from bench.results import Demand, Section, Table

VARIABLE = "KEYWATCH_LABELLED"
FOLDER = peers.BUILD / "quality"
LEAST_F1, LEAST_RECALL, MOST_ALARMS = 0.80, 0.90, 0.05
MOST_LOST = 0.05  # of the recall, where people choose the value
# Of these a tool misses few, or it is of no use for them.
CERTAIN = ("PEM Private Key", "JSON Web Token", "URL Credentials", "AWS Client ID", "JWK")
_TITLE = "Detection quality"
_SHOWN = 16  # categories in the table

Row = Mapping[str, Any]


class Score(NamedTuple):
    """Of some rows: true ones found and missed, and false ones that were reported."""

    found: int = 0
    missed: int = 0
    false: int = 0

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed) if self.found + self.missed else 0.0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else 0.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def plus(self, other: Score) -> Score:
        return Score(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def section() -> Section:
    load = machine.load()
    name = os.environ.get(VARIABLE, "")
    if not name:
        intro = f"Not measured: {VARIABLE} names no file of labelled lines."
        return Section(name="quality", title=_TITLE, intro=intro)
    rows = read(Path(name))
    write(rows, FOLDER)
    corpora.run_git(FOLDER, *corpora.INIT)  # the project's own policy must not apply to it
    tools = (peers.keywatch(), *peers.fast_peers(), peers.detect_secrets())
    by_tool = {}
    for tool in tools:
        measure.run(tool.on(FOLDER, label="quality", limit=900.0))
        by_tool[tool.name] = scored(rows, places.reported(tool.name, "quality"))
    ours = by_tool["keywatch"]
    from bench import train  # it needs scikit-learn, which no other section does

    reached = train.measured(rows)
    unseen, people = reached.labelled, reached.people
    in_texts = train.found_in_texts()
    false_alarms = people.false / train.HELD_LINES
    intro = (
        f"{len(rows):,} labelled places ({sum(r['label'] == 'T' for r in rows):,} of them true), "
        "the lines of each in a file of its own\npath; every tool with its defaults. The weights "
        "of keywatch were learnt from these lines, so the tables flatter\nit; F1 above them is of "
        f"models that saw no line of the repository in question (recall {unseen.recall:.3f},\n"
        f"precision {unseen.precision:.3f}). The passwords of people and their look-alikes "
        "(bench/held_passwords.txt) are of\nsomeone who did not know the code: "
        f"{train.HELD_LINES:,} lines of each, over {len(passwords.SITES)} languages and formats."
    )
    whole = (
        Demand(
            text="F1 on unseen repositories",
            value=unseen.f1,
            limit=LEAST_F1,
            at_least=True,
            aim=0.85,
        ),
        Demand(
            text="recall of passwords that people choose",
            value=people.recall,
            limit=LEAST_RECALL,
            at_least=True,
        ),
        Demand(text="false alarms on their look-alikes", value=false_alarms, limit=MOST_ALARMS),
        Demand(
            text="F1 on unseen repositories, with passwords that people choose",
            value=reached.chosen.f1,
            limit=LEAST_F1,
            at_least=True,
            aim=0.85,
        ),
        Demand(
            text="recall of random values over that of chosen ones in the same places",
            value=reached.random_recall - reached.chosen_recall,
            limit=MOST_LOST,
        ),
        Demand(
            text="recall of secrets in text files",
            value=in_texts,
            limit=LEAST_RECALL,
            at_least=True,
        ),
    )
    certain = [
        Demand(text=f"recall of {each}", value=ours[each].recall, limit=LEAST_RECALL, at_least=True)
        for each in CERTAIN
    ]
    return Section(
        name="quality",
        title=_TITLE,
        intro=intro,
        demands=(*whole, *certain),
        tables=(_of_tools(by_tool), _of_categories(by_tool)),
        facts=machine.facts(tools, load),
    )


def read(file: Path) -> list[Row]:
    """The rows of a file of labelled lines."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write(rows: Sequence[Row], folder: Path) -> None:
    """The lines of each row, below a folder of its number."""
    shutil.rmtree(folder, ignore_errors=True)
    for number, row in enumerate(rows):
        file = folder / str(number) / inside(row["path"])
        file.parent.mkdir(parents=True)
        text = "\n".join(row["lines"]) + "\n"
        file.write_text(text, encoding="utf-8", errors="surrogateescape")


def inside(path: str) -> PurePosixPath:
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
    return PurePosixPath(*parts)


def scored(rows: Sequence[Row], found: Iterable[Place]) -> dict[str, Score]:
    """The scores by category, of findings in files as `write` makes them."""
    by_row: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for path, first, last in found:
        folder = PurePosixPath(path).parts[0]
        if folder.isdigit():
            by_row[int(folder)].append((first, last))
    scores: dict[str, Score] = defaultdict(Score)
    for number, row in enumerate(rows):
        before = row["first_line"] - 1
        met = any(
            first + before <= row["line_end"] and last + before >= row["line_start"]
            for first, last in by_row[number]
        )
        category = row["category"].split(":")[0]
        if row["label"] == "T":
            scores[category] = scores[category].plus(Score(found=int(met), missed=int(not met)))
        elif row["label"] != "ignore":
            scores[category] = scores[category].plus(Score(false=int(met)))
    return scores


def _total(scores: Mapping[str, Score]) -> Score:
    total = Score()
    for each in scores.values():
        total = total.plus(each)
    return total


def _of_tools(by_tool: Mapping[str, Mapping[str, Score]]) -> Table:
    rows = []
    for tool, scores in by_tool.items():
        total = _total(scores)
        numbers = (f"{value:.3f}" for value in (total.recall, total.precision, total.f1))
        rows.append((tool, *map(str, total), *numbers))
    head = ("Tool", "Found", "Missed", "False", "Recall", "Precision", "F1")
    return Table(title="All categories", head=head, rows=tuple(rows))


def _of_categories(by_tool: Mapping[str, Mapping[str, Score]]) -> Table:
    ours = by_tool["keywatch"]
    largest = sorted(ours, key=lambda name: -(ours[name].found + ours[name].missed))[:_SHOWN]
    rows = [
        (
            name,
            str(ours[name].found + ours[name].missed),
            *(f"{scores.get(name, Score()).f1:.2f}" for scores in by_tool.values()),
        )
        for name in largest
    ]
    return Table(title="F1 by category", head=("Category", "True", *by_tool), rows=tuple(rows))
