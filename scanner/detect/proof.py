"""Detect: the proof that a rule carries with it: its examples are found, its negatives are not.

Examples are templates, expanded with a seed, so that no file holds a token-shaped literal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scanner import document
from scanner.detect import matcher, rulebook, samples
from scanner.detect.detector import Detector, patterns
from scanner.detect.rulebook import Source

_SEEDS = (1, 2, 3)


def prove(source: Source, *, shipped: bool = False, engine: str = "auto") -> tuple[list[str], int]:
    """What is wrong with the rules of one file, as `file:line: …`, and how many examples ran.

    They run among all rules, as they will in a scan. `shipped`: the file is one of ours already.
    """
    book = rulebook.load(() if shipped else (source,))
    ready = Detector(book, matcher.build(engine, lambda: patterns(book), book.key, None))
    parsed = document.parse(source.data, source.where)
    faults: list[str] = []
    count = 0
    for index, rule in enumerate(parsed.data["rules"]):
        for kind, wanted in (("examples", 1), ("negative_examples", 0)):
            for number, template in enumerate(rule[kind]):
                place = parsed.at(("rules", index, kind, number))
                count += 1
                faults += _faults(ready, rule["id"], rule["keywords"], template, wanted, place)
    return faults, count


def _faults(
    detector: Detector, rule: str, keywords: Sequence[str], template: str, wanted: int, place: str
) -> Iterator[str]:
    for seed in _SEEDS:
        try:
            text = samples.expand(template, seed)
        except ValueError as error:
            yield f"{place}: {rule}: the template is malformed: {error}"
            return
        seen = detector.observe("example", (text.encode(),))
        found = [finding.rule for finding in seen.findings] if seen else []
        if found.count(rule) != wanted:
            others = f" (found instead: {', '.join(found)})" if found and wanted else ""
            verb = "is found" if found.count(rule) else "is not found"
            yield f"{place}: {rule}: {'the example' if wanted else 'the negative'} {verb}{others}"
            return
        if wanted and not any(keyword in text.lower() for keyword in keywords):
            yield f"{place}: {rule}: the example holds none of the rule's keywords"
            return
