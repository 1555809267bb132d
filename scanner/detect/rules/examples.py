"""Detect: the proof that a rule carries with it: its examples are found, its negatives are not.

Examples are templates, expanded with a seed, so that no file holds a token-shaped literal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scanner import document
from scanner.detect.detector import Detector, matcher_for
from scanner.detect.rules import rulebook, samples
from scanner.detect.rules.model import RuleFile

_SEEDS = (1, 2, 3)


def prove(
    source: RuleFile, cache_folder: str | None, *, shipped: bool = False, engine: str = "auto"
) -> tuple[list[str], int]:
    """What is wrong with the rules of one file, as `file:line: …`, and how many examples ran.

    They run among all rules, as they will in a scan. `shipped`: the file is one of ours already.
    ConfigError (file, line, field) for a bad rule.
    """
    book = rulebook.load(() if shipped else (source,), cache_folder=cache_folder)
    _ = book.own_rules  # a file that is no rule file is an error before its examples are read
    ready = Detector(book, matcher_for(book, engine, cache_folder))
    parsed = document.parse(source.data, source.where)
    faults: list[str] = []
    count = 0
    for index, rule in enumerate(parsed.data["rules"]):
        for kind in ("examples", "negative_examples"):
            for number, template in enumerate(rule[kind]):
                place = parsed.at(("rules", index, kind, number))
                count += 1
                fault = _fault(ready, rule, template, wanted=int(kind == "examples"))
                faults += [f"{place}: {rule['id']}: {fault}"] if fault else []
    return faults, count


def _fault(detector: Detector, rule: Mapping[str, Any], template: Any, *, wanted: int) -> str:
    """What is wrong with one example (`wanted` 1) or negative (0); "" for nothing."""
    if isinstance(template, str) and "where" in rule:
        return "an example of a rule on structure is {file: …, text: …}"
    example = {"file": "example", "text": template} if isinstance(template, str) else template
    file, words = example["file"], rule.get("keywords", [""])
    for seed in _SEEDS:
        try:
            text = samples.expand(example["text"], seed)
        except ValueError as error:
            return f"the template is malformed: {error}"
        seen = detector.observe(file, (text.encode(),))
        found = [finding.rule for finding in seen.findings] if seen else []
        if found.count(rule["id"]) != wanted:
            others = f" (found instead: {', '.join(found)})" if found and wanted else ""
            verb = "is found" if rule["id"] in found else "is not found"
            return f"the {'example' if wanted else 'negative'} {verb}{others}"
        if wanted and not any(keyword in text.lower() for keyword in words):
            return "the example holds none of the rule's keywords"
    return ""
