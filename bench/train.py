"""Make rules/likelihood.json: the weights by which a value is taken for a secret.

    pip install -e '.[train]' && KEYWATCH_LABELLED=FILE python bench/train.py

Learns from labelled lines (the format of bench/quality.py) and from made-up passwords and their
look-alikes (bench/passwords.py), and prints what the model reaches on repositories that it did not
see. How much a value reads like words is measured too, and left out: where the labelled values were
replaced by random letters, it tells the true ones from the others for a reason that is none.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from bench import passwords, quality
from scanner.detect.detector import Detector, matcher_for
from scanner.detect.engine.matches import Match
from scanner.detect.rules import rulebook
from scanner.detect.values import likelihood
from scanner.detect.values.features import Case, features
from scanner.detect.values.likelihood import Model
from scanner.detect.values.placeholders import is_known_placeholder

OUT = Path(__file__).resolve().parent.parent / "rules" / "likelihood.json"
HELD_LINES = 1000
HELD = Path(__file__).with_name("held_passwords.txt")
_FOLDS, _SOFTNESS, _MADE, _SEED = 10, 0.15, 3000, 1
_SHARE = 0.6  # of the true passwords, which are replaced by passwords that people choose
_MADE_WEIGHT = 0.6  # of one made-up line, beside a labelled one
_LEVELS = {"low": 0.47, "low_in_configuration": 0.42, "medium": 0.7, "high": 0.9}
_LEAST = 0.005  # a weight below this changes nothing
_PAIRS = frozenset(
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve"
    " co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns ge ec il pe".split()
)

_WEIGH = likelihood.weigh
Seen = Callable[[Case], Iterator[str]]


class Place(NamedTuple):
    """A case, and the first and last line of its value."""

    first: int
    last: int
    case: Case


class Sighting(NamedTuple):
    """What a scan made of one text: the lines of findings that are not weighed, and all cases."""

    certain: tuple[tuple[int, int], ...]
    places: tuple[Place, ...]


class Row(NamedTuple):
    """A labelled row: its repository, whether it is a secret, was found for certain, its cases."""

    group: str
    is_secret: bool
    is_certain: bool
    cases: tuple[Case, ...]


class Rows(NamedTuple):
    """The labelled rows twice: as they are, and with passwords that people choose.

    replaced: the numbers of the rows whose value differs.
    """

    original: list[Row]
    chosen: list[Row]
    replaced: list[int]

    def some(self, numbers: Iterable[int]) -> list[Row]:
        """Return some rows in both forms."""
        return [row for i in numbers for row in (self.original[i], self.chosen[i])]


class Recorder:
    """A detector that weighs nothing: it gives the cases that would be weighed."""

    def __init__(self) -> None:
        book = rulebook.load()
        book.likelihood = Model(bias=0, weights={}, **_LEVELS)  # the one to be made
        self._detector = Detector(book, matcher_for(book, "auto", None))
        self._places: list[Place] = []
        likelihood.weigh = self._record

    def sight(self, path: str, text: str) -> Sighting:
        self._places.clear()
        data = text.encode(errors="surrogateescape")
        seen = self._detector.observe(path, [data], len(data))
        found = [each.location for each in seen.findings] if seen else []
        certain = tuple((place.line, place.end_line) for place in found)
        return Sighting(certain, tuple(self._places))

    def _record(
        self,
        match: Match,
        path: str,
        data: bytes,
        book: likelihood.ValueKnowledge,  # noqa: ARG002
    ) -> Match | None:
        case = likelihood.case_of(match, path, data)
        if case is None:
            return match
        if not is_known_placeholder(case.value, password=likelihood.holds_password(match)):
            first = data.count(b"\n", 0, match.start) + 1
            self._places.append(Place(first, first + match.value.count(b"\n"), case))
        return None


def labelled(recorder: Recorder, rows: Sequence[quality.Row]) -> Iterator[Row]:
    """The rows that count, as keywatch sees them."""
    for row in rows:
        if row["label"] == "ignore":
            continue
        path = str(quality.inside(row["path"]))
        seen = recorder.sight(path, "\n".join(row["lines"]) + "\n")
        before = row["first_line"] - 1
        first, last = row["line_start"] - before, row["line_end"] - before
        yield Row(
            str(row["group"]),
            row["label"] == "T",
            any(low <= last and high >= first for low, high in seen.certain),
            tuple(p.case for p in seen.places if p.first <= last and p.last >= first),
        )


def labelled_twice(recorder: Recorder, labels: Sequence[quality.Row]) -> Rows:
    """The rows that count, as they are and with passwords that people choose."""
    changed = list(passwords.substituted(labels, _SEED, _SHARE))
    counted = [row for row in changed if row["label"] != "ignore"]
    return Rows(
        list(labelled(recorder, labels)),
        list(labelled(recorder, changed)),
        [number for number, row in enumerate(counted) if row.get("replaced")],
    )


def made_up(recorder: Recorder, lines: Iterable[passwords.Line]) -> Iterator[Row]:
    """Made-up lines with secrets and look-alikes, as keywatch sees them."""
    for line in lines:
        seen = recorder.sight(line.path, line.text + "\n")
        cases = tuple(place.case for place in seen.places)
        yield Row("made", line.is_secret, bool(seen.certain), cases)


def fit(rows: Sequence[Row], made: Sequence[Row], see: Seen = features) -> Model:
    """A logistic model of all cases; a repository with many rows counts for less by the root."""
    sizes = Counter(row.group for row in rows for _ in row.cases)
    weights = [1 / sizes[row.group] ** 0.5 for row in rows for _ in row.cases]
    scale = len(weights) / sum(weights)
    weights = [each * scale for each in weights]
    weights += [_MADE_WEIGHT for row in made for _ in row.cases]
    both = [*rows, *made]
    shapes = [dict.fromkeys(see(case), 1) for row in both for case in row.cases]
    truth = [row.is_secret for row in both for _ in row.cases]
    table = DictVectorizer()
    logistic = LogisticRegression(C=_SOFTNESS, max_iter=3000)
    logistic.fit(table.fit_transform(shapes), truth, sample_weight=weights)
    learnt = dict(zip(table.feature_names_, map(float, logistic.coef_[0]), strict=True))
    return Model(bias=float(logistic.intercept_[0]), weights=learnt, **_LEVELS)


class Guess(NamedTuple):
    """What a model that saw no row of its repository makes of a row's likeliest case: how likely it
    is a secret, and whether that is a finding."""

    probability: float
    is_found: bool


def guess(model: Model, row: Row, see: Seen) -> Guess:
    guesses = [Guess(0.0, row.is_certain)]
    for case in row.cases:
        chance = model.probability(see(case))
        guesses.append(Guess(chance, row.is_certain or chance >= model.threshold(case)))
    return max(guesses, key=lambda each: (each.is_found, each.probability))


class Guesses(NamedTuple):
    """A guess for each row of both forms, by a model that saw no row of its repository."""

    original: list[Guess]
    chosen: list[Guess]


def unseen(rows: Rows, made: Sequence[Row], see: Seen) -> Guesses:
    """A guess for each row, by a model that saw no row of its repository."""
    nothing = Guess(0.0, is_found=False)
    got = Guesses([nothing] * len(rows.original), [nothing] * len(rows.original))
    groups = [row.group for row in rows.original]
    for others, held in GroupKFold(_FOLDS).split(rows.original, groups=groups):
        model = fit(rows.some(others), made, see)
        for i in held:
            got.original[i] = guess(model, rows.original[i], see)
            got.chosen[i] = guess(model, rows.chosen[i], see)
    return got


def score(rows: Sequence[Row], guesses: Sequence[Guess]) -> quality.Score:
    total = quality.Score()
    for row, (_, met) in zip(rows, guesses, strict=True):
        total = total.plus(
            quality.Score(found=int(met), missed=int(not met))
            if row.is_secret
            else quality.Score(false=int(met))
        )
    return total


def with_words(case: Case) -> Iterator[str]:
    """The features, and how much the value reads like words."""
    yield from features(case)
    text = case.value.lower()
    pairs = [text[i : i + 2] for i in range(len(text) - 1)]
    share = sum(pair in _PAIRS for pair in pairs) / max(len(pairs), 1)
    yield f"words: {int(share * 5)}"
    if text.isalpha():
        yield f"words: {int(share * 5)} of letters alone"


def learnt_from(recorder: Recorder) -> list[Row]:
    """The made-up lines that a model learns from, beside labelled ones."""
    lines = (*passwords.lines(_SEED, _MADE), *passwords.other_lines(_SEED, _MADE))
    return list(made_up(recorder, lines))


class Reached(NamedTuple):
    """What models reach on rows of repositories, and on made-up lines, that they did not see.

    labelled, chosen: the rows as they are, and with passwords that people choose.
    people: passwords of people in made-up lines, and as many look-alikes.
    random_recall, chosen_recall: of the same places, with a random value and with a chosen one.
    """

    labelled: quality.Score
    chosen: quality.Score
    people: quality.Score
    random_recall: float
    chosen_recall: float


def reached(rows: Rows, made: Sequence[Row], fresh: Sequence[Row], see: Seen) -> Reached:
    model = fit(rows.some(range(len(rows.original))), made, see)
    people = score(fresh, [guess(model, row, see) for row in fresh])
    got = unseen(rows, made, see)
    places = max(len(rows.replaced), 1)
    return Reached(
        score(rows.original, got.original),
        score(rows.chosen, got.chosen),
        people,
        sum(got.original[i].is_found for i in rows.replaced) / places,
        sum(got.chosen[i].is_found for i in rows.replaced) / places,
    )


def measured(labels: Sequence[quality.Row]) -> Reached:
    """What a model made as the shipped one was reaches on what it did not see."""
    recorder = Recorder()
    rows = labelled_twice(recorder, labels)
    fresh = list(made_up(recorder, passwords.held_lines(_SEED, HELD, HELD_LINES)))
    return reached(rows, learnt_from(recorder), fresh, features)


def found_in_texts() -> float:
    """The share of passwords and tokens in text files that a scan reports."""
    book = rulebook.load()
    likelihood.weigh = _WEIGH
    ready = Detector(book, matcher_for(book, "auto", None))
    lines = list(passwords.text_lines(_SEED, HELD, HELD_LINES))
    seen = (ready.observe(line.path, [f"{line.text}\n".encode()]) for line in lines)
    return sum(bool(each and each.findings) for each in seen) / len(lines)


def report(rows: Rows, recorder: Recorder, made: Sequence[Row]) -> None:
    """Print what models without and with the word feature reach on what they did not see."""
    fresh = list(made_up(recorder, passwords.held_lines(_SEED, HELD, HELD_LINES)))
    for name, see in (("without words", features), ("with words", with_words)):
        for extra, told in ((made, "made-up lines, too"), ((), "labelled lines alone")):
            got = reached(rows, extra, fresh, see)
            print(
                f"{name}, {told}: F1 {got.labelled.f1:.3f} (recall {got.labelled.recall:.3f},"
                f" precision {got.labelled.precision:.3f}), with chosen passwords"
                f" {got.chosen.f1:.3f}; in the same places random values {got.random_recall:.3f},"
                f" chosen ones {got.chosen_recall:.3f}; made-up passwords found"
                f" {got.people.recall:.3f}, false alarms {got.people.false / len(fresh) * 2:.3f}"
            )


def bands(rows: Sequence[Row], guesses: Sequence[Guess]) -> None:
    """Print how many of the findings of each probability are true."""
    met = [(r, g) for r, g in zip(rows, guesses, strict=True) if g.is_found and not r.is_certain]
    levels = sorted([*_LEVELS.values(), 1.1])
    for low, high in pairwise(levels):
        of_it = [row.is_secret for row, each in met if low <= each.probability < high]
        share = sum(of_it) / max(len(of_it), 1)
        print(f"probability {low} to {high}: {share:.2f} of {len(of_it)} findings are true")


def written(model: Model) -> dict[str, Any]:
    weights = {
        name: round(weight, 3)
        for name, weight in sorted(model.weights.items())
        if abs(weight) >= _LEAST
    }
    return {**model._asdict(), "bias": round(model.bias, 3), "weights": weights}


def main() -> int:
    name = os.environ.get(quality.VARIABLE, "")
    if not name:
        print(f"{quality.VARIABLE} names no file of labelled lines")
        return 2
    recorder = Recorder()
    rows = labelled_twice(recorder, quality.read(Path(name)))
    made = learnt_from(recorder)
    report(rows, recorder, made)
    bands(rows.original, unseen(rows, made, features).original)
    learnt = fit(rows.some(range(len(rows.original))), made)
    text = json.dumps(written(learnt), indent=1, sort_keys=True)
    OUT.write_text(text + "\n", encoding="utf-8")
    print(f"{OUT}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
