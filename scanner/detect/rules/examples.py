"""Detect: test that a rule finds its examples, and does not find its negative examples.

Examples are templates that are expanded with a seed, so no rule file holds a literal token.
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
    """Return the faults of the rules in one file, as `file:line: …`, and how many examples ran.

    All rules run on each example, as in a scan. `shipped`: the file came with keywatch. Raises
    ConfigError (file, line, field) for an invalid rule.
    """
    book = rulebook.load(() if shipped else (source,), cache_folder=cache_folder)
    _ = book.own_rules  # raises ConfigError if the file is not a rule file
    ready = Detector(book, matcher_for(book, engine, cache_folder))
    parsed = document.parse(source.data, source.path)
    faults: list[str] = []
    count = 0
    for index, rule in enumerate(parsed.data["rules"]):
        for kind in ("examples", "negative_examples"):
            if not rule.get(kind):
                faults.append(f"{parsed.at(('rules', index))}: {rule['id']}: it has no {kind}")
            for number, template in enumerate(rule.get(kind, ())):
                place = parsed.at(("rules", index, kind, number))
                count += 1
                fault = _fault(ready, rule, template, wanted=int(kind == "examples"))
                faults += [f"{place}: {rule['id']}: {fault}"] if fault else []
    return faults, count


def _fault(detector: Detector, rule: Mapping[str, Any], template: Any, *, wanted: int) -> str:
    """Return what is wrong with one example (`wanted` is 1) or negative example (0), or ""."""
    if isinstance(template, str) and "where" in rule:
        return "an example of a structure rule must have the form {file: …, text: …}"
    example = {"file": "example", "text": template} if isinstance(template, str) else template
    file, words = example["file"], rule.get("keywords", [""])
    for seed in _SEEDS:
        try:
            text = samples.expand(example["text"], seed)
        except ValueError as error:
            return f"the template is malformed: {error}"
        observation = detector.observe(file, (text.encode(),))
        found = [finding.rule for finding in observation.findings] if observation else []
        if found.count(rule["id"]) != wanted:
            others = f" (found instead: {', '.join(found)})" if found and wanted else ""
            verb = "is found" if rule["id"] in found else "is not found"
            return f"the {'example' if wanted else 'negative example'} {verb}{others}"
        if wanted and not any(keyword in text.lower() for keyword in words):
            return "the example contains none of the rule's keywords"
    return ""
