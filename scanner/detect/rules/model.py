"""Detect: rule files, and the rules that are compiled from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.detect.prefilter.matcher import OWN
from scanner.document import nearest
from scanner.errors import ConfigError
from scanner.model import Confidence, RuleInfo, Severity

SHARED = "shared"
"""The scope of the rules that share one anchor, and the ID of the row with this anchor."""


class RuleFile(NamedTuple):
    """A rule file.

    where: its name, for messages.
    part: the rules are one part of the document, as in keywatch.yaml.
    shipped: it came with keywatch, so its rules are trusted.
    """

    path: str
    data: bytes
    part: bool = False
    shipped: bool = False


class Rule(NamedTuple):
    """A rule that the engine runs on lines of text.

    pattern: the exact pattern; its group `secret`, if it has one, is the value.
    anchor: the pattern of the prefilter; "" if the names of files alone select the rule.
    anchor_in_code: the anchor for code, if it differs.
    keywords: lower-case literals; each match of the anchor contains at least one.
    edges: a character class; the value may not touch one of these characters.
    named: the pattern begins with the name of the value.
    files: a pattern of the paths that the rule applies to; "" for all.
    group: its matches are candidates for the ConfigRules of this group; "" if they are findings.
    lines: the number of lines that a match may span.
    scope: "code" or "config" if the rule is for such files only; SHARED if it shares an anchor.
    once: report only the first finding in a file.
    value: a pattern of the whole value, if `pattern` matches only its start.
    needs: a pattern that the file must contain for its candidates to count.
    beside: a pattern that must match within `lines` of the value.
    shares: for the row SHARED, the keywords of the rules that share its anchor, each with the
        numbers of these rules.
    refines: the rules whose findings become findings of this rule if their values pass `check`.
    """

    id: str
    severity: Severity
    confidence: Confidence
    pattern: str = ""
    anchor: str = ""
    keywords: tuple[str, ...] = ()
    ignore_case: bool = False
    multiline: bool = False
    edges: str = ""
    entropy: float = 0
    check: str = ""
    named: bool = False
    files: str = ""
    group: str = ""
    lines: int = 1
    scope: str = ""
    once: bool = False
    value: str = ""
    needs: str = ""
    beside: str = ""
    anchor_in_code: str = ""
    shares: tuple[tuple[str, tuple[int, ...]], ...] = ()
    refines: tuple[str, ...] = ()


class ValueSelector(NamedTuple):
    """Selects values of structured files.

    kinds: the kinds of files; empty for all.
    path: the path of the value, in the syntax of value_paths; "" for any.
    secret: only values whose name suggests a secret.
    name: a pattern of the name; "" for any.
    """

    kinds: tuple[str, ...]
    path: str
    secret: bool
    name: str


class ConfigRule(NamedTuple):
    """A rule on values of structured files, which runs if a file has a candidate of its group.

    selectors: which values; one selector must match.
    flag: the verdicts of `values.templates` to report; empty if only the pattern decides.
    pattern, check: conditions on the value.
    once: report one finding a file.
    """

    id: str
    severity: Severity
    confidence: Confidence
    group: str
    selectors: tuple[ValueSelector, ...]
    flag: tuple[str, ...]
    pattern: str
    check: str
    once: bool


def config_rule(row: dict[str, Any]) -> ConfigRule:
    """Return the structure rule of a row in the table."""
    row["severity"] = Severity(row["severity"])
    row["confidence"] = Confidence(row["confidence"])
    selectors = tuple(
        ValueSelector(**each | {"kinds": tuple(each["kinds"])}) for each in row["selectors"]
    )
    return ConfigRule(**row | {"selectors": selectors, "flag": tuple(row["flag"])})


def rule(row: dict[str, Any]) -> Rule:
    """Return the rule of a row in the table."""
    row["severity"] = Severity(row["severity"])
    row["confidence"] = Confidence(row["confidence"])
    row["keywords"] = tuple(row.get("keywords", ()))
    row["refines"] = tuple(row.get("refines", ()))
    row["shares"] = tuple((word, tuple(numbers)) for word, numbers in row.get("shares", ()))
    return Rule(**row)


class Rules:
    """The rules by number. Each is parsed when it is first needed, since a run needs few of them.

    table: one line of JSON for each shipped rule. The length is their number.
    own: the repository's own rules, whose numbers begin at OWN.
    """

    def __init__(self, table: bytes, own: Sequence[Rule] = ()) -> None:
        self._rows = table.splitlines()
        self._parsed = dict(enumerate(own, OWN))

    def __getitem__(self, number: int) -> Rule:
        parsed = self._parsed.get(number)
        if parsed is None:
            parsed = self._parsed[number] = rule(json.loads(self._rows[number]))
        return parsed

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and (number < len(self._rows) or number >= OWN)

    def __iter__(self) -> Iterator[Rule]:
        """Iterate over the shipped rules."""
        return map(self.__getitem__, range(len(self)))

    def __len__(self) -> int:
        return len(self._rows)

    def multiline(self) -> set[int]:
        """Return the numbers of the rules whose matches span any number of lines."""
        numbers = [n for n, row in enumerate(self._rows) if b'"multiline"' in row]
        return {n for n in (*numbers, *self._parsed) if self[n].multiline}


class Infos(Mapping[str, RuleInfo]):
    """The RuleInfo of each rule ID. Each is parsed when it is first needed.

    table: one line for each rule: its ID, a tab, and a JSON object.
    """

    def __init__(self, table: bytes) -> None:
        lines = (line.partition(b"\t") for line in table.split(b"\n"))
        self._rows = {name.decode(): row for name, _, row in lines}
        self._parsed: dict[str, RuleInfo] = {}

    def __getitem__(self, rule: str) -> RuleInfo:
        if rule not in self._parsed:
            self._parsed[rule] = _info(json.loads(self._rows[rule]))
        return self._parsed[rule]

    def __contains__(self, rule: object) -> bool:
        return rule in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _info(row: dict[str, Any]) -> RuleInfo:
    row["severity"] = Severity(row["severity"])
    row["confidence"] = Confidence(row["confidence"])
    return RuleInfo(**row)


def rule_error(rule: str, known: Sequence[str], where: str = "") -> ConfigError:
    """Return the error for an unknown rule ID, with the nearest ID that exists."""
    todo = nearest(rule, known) or "keywatch rules list shows all rules"
    return ConfigError(f"there is no rule {rule!r}", todo=todo, where=where)
