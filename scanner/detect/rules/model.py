"""Detect: the nouns of a rulebook: rule files, and the rules that are made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.detect.prefilter.matcher import OWN
from scanner.document import nearest
from scanner.errors import ConfigError
from scanner.model import Confidence, RuleInfo, Severity

SHARED = "shared"
"""The scope of rules that have their anchor together, and the id of the rule that has it."""


class RuleFile(NamedTuple):
    """A rule file: its name for messages and its bytes. `part`: the document holds more than
    rules, as keywatch.yaml does. `shipped`: it came with keywatch, so its rules are trusted."""

    where: str
    data: bytes
    part: bool = False
    shipped: bool = False


class Rule(NamedTuple):
    """What the engine needs of one rule. `pattern` may hold the group `secret`.

    `files`: a pattern of the paths that it is for, "" for all. `group`: what it finds are
    candidates for the ConfigRules of this group, "" where they are findings. `lines`: over how many
    a match may go. `once`: the first finding in a file is enough. `scope`: code or config, where
    it is for such files alone. `value`: what a value is, from its first character on, of which the
    pattern gives no more. `needs`: what else must stand in a file for its candidates to count.
    `beside`: what must stand within `lines` of a value.
    `anchor_in_code`: what is looked for in code, where that is less. `shares`: the keywords of the
    rules of scope SHARED, whose anchor this is, and for each the numbers of those that have it.
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


class ValueSelector(NamedTuple):
    """Values of files of one of these kinds (empty for all), under a path as where.py reads it (""
    for any), whose name holds a secret (`secret`) or matches a pattern ("" for any)."""

    kinds: tuple[str, ...]
    path: str
    secret: bool
    name: str


class ConfigRule(NamedTuple):
    """A rule on values of structured files, which runs if a file has a candidate of its group.

    selectors: which values; one selector must match.
    flag: verdicts of templates.py; empty if the pattern alone decides.
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
    row["severity"] = Severity(row["severity"])
    row["confidence"] = Confidence(row["confidence"])
    selectors = tuple(
        ValueSelector(**each | {"kinds": tuple(each["kinds"])}) for each in row["selectors"]
    )
    return ConfigRule(**row | {"selectors": selectors, "flag": tuple(row["flag"])})


def rule(row: dict[str, Any]) -> Rule:
    row["severity"] = Severity(row["severity"])
    row["confidence"] = Confidence(row["confidence"])
    row["keywords"] = tuple(row.get("keywords", ()))
    row["shares"] = tuple((word, tuple(numbers)) for word, numbers in row.get("shares", ()))
    return Rule(**row)


class Rules:
    """The rules by their numbers, each made when asked for: of hundreds a run meets some dozens.

    `table`: a line of JSON for each that is shipped: its length is their count. `own`: the others,
    which begin at OWN.
    """

    def __init__(self, table: bytes, own: Sequence[Rule] = ()) -> None:
        self._rows = table.splitlines()
        self._made = dict(enumerate(own, OWN))

    def __getitem__(self, number: int) -> Rule:
        made = self._made.get(number)
        if made is None:
            made = self._made[number] = rule(json.loads(self._rows[number]))
        return made

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and (number < len(self._rows) or number >= OWN)

    def __iter__(self) -> Iterator[Rule]:
        """Those that are shipped."""
        return map(self.__getitem__, range(len(self)))

    def __len__(self) -> int:
        return len(self._rows)


class Infos(Mapping[str, RuleInfo]):
    """RuleInfo by rule id, each made when asked for: a run needs those of its findings alone.

    `table`: for each rule a line of its id, a tab, and a JSON object.
    """

    def __init__(self, table: bytes) -> None:
        parted = (line.partition(b"\t") for line in table.split(b"\n"))
        self._rows = {name.decode(): row for name, _, row in parted}
        self._made: dict[str, RuleInfo] = {}

    def __getitem__(self, rule: str) -> RuleInfo:
        if rule not in self._made:
            self._made[rule] = _info(json.loads(self._rows[rule]))
        return self._made[rule]

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
    """The error for a rule id that does not exist, with the nearest one that does."""
    todo = nearest(rule, known) or "keywatch rules list shows all"
    return ConfigError(f"there is no rule {rule!r}", todo=todo, where=where)
