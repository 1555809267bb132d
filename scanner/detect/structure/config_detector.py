"""Detect: rules on the values of structured files, in a file that has a candidate for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.detect.checks.checks import CHECKS
from scanner.detect.engine.candidate import Candidate
from scanner.detect.engine.linear_regex import linear, secret_group
from scanner.detect.engine.matches import Match
from scanner.detect.rules.model import ConfigRule, Rule, ValueSelector
from scanner.detect.structure import (
    PATH_KINDS,
    FileKind,
    Leaf,
    Path,
    Structure,
    structures,
    value_paths,
)
from scanner.detect.structure.container_variables import Containers
from scanner.detect.values.assignments import is_translation, reads_as_words
from scanner.detect.values.config_values import Flaw, flaw, is_sensitive, is_vague, trimmed
from scanner.detect.values.templates import Verdict, judge
from scanner.model import Confidence

Zone = tuple[int, int]
_BEFORE = 500  # bytes before a value that say how it is written
_VALUE = re.compile(r"(?i)^@?(?:default_?value|value|default|content|string|text)$")
_NAMES = ("name", "key", "Name", "Key", "variable", "parameter", "@name", "@key", "@id", "field")
_FLAG = re.compile(r"--?([\w.\-]+)[= ]$")  # before a value in a command line
_EXAMPLES = re.compile(r"(?i)example")
_ASSIGNED = re.compile(r"\s*([A-Za-z_][\w.\-]*)\s*=\s*(?![=\s])")


class Setting(NamedTuple):
    """A leaf under the name that people know it by, and its text."""

    name: str
    leaf: Leaf
    value: str


class Compliance:
    """The rules on structure, ready for any number of files."""

    def __init__(self, rules: Sequence[ConfigRule]) -> None:
        self._rules = [_Ready(rule) for rule in rules]

    def examine(
        self, path: str, kind: FileKind, data: bytes, candidates: Mapping[str, Sequence[Match]]
    ) -> Iterator[Match]:
        """What the rules of the candidates' groups find in a file: by name alone around the
        candidates, by place in all of it. NotParsedError where it does not parse."""
        called = (ready for ready in self._rules if ready.rule.group in candidates)
        active = [ready for ready in called if ready.may_be_in(kind)]
        if not active:
            return
        near = [ready for ready in active if ready.is_local]
        others = [ready for ready in active if not ready.is_local]
        zones = _zones(data, [m for r in near for m in candidates[r.rule.group]])
        documents = list(structures(kind, data, () if others else zones))
        if zones:
            around = [each._replace(zones=zones) for each in documents]
            yield from _of_rules(path, kind, data, near, around)
        yield from _of_rules(path, kind, data, others, documents)

    def by_line(self, path: str, candidates: Sequence[Match], data: bytes) -> list[Match]:
        """The candidates of lines alone, each under the rule that its value breaks."""
        found = []
        translated = is_translation(path)
        for candidate in candidates:
            group = candidate.rule.group
            value = trimmed(
                candidate.value, data[max(0, candidate.start - _BEFORE) : candidate.start]
            )
            leaf = Leaf(path=(), start=candidate.start, end=candidate.start + len(value))
            setting = Setting(
                name=candidate.name.decode("latin-1"), leaf=leaf, value=value.decode("latin-1")
            )
            if translated and reads_as_words(setting.value):
                continue
            fault = flaw(setting.name, setting.value, sensitive=is_sensitive(setting.name))
            alike = [r for r in self._rules if r.rule.group == group and r.by_name_alone]
            found += [m for r in alike if (m := _match("", r, setting, fault))][:1]
        return found


class _Place:
    """Where a rule looks, compiled when first needed."""

    def __init__(self, row: ValueSelector) -> None:
        self.kinds = frozenset(row.kinds)
        self.secret = row.secret
        steps = value_paths.parse(row.path)
        self._path = value_paths.Matcher(steps, linear) if steps else None
        self.key = value_paths.last_key(steps)  # a path without it is no such place
        self._name = row.name

    def holds(self, setting: Setting, texts: value_paths.ValueOf, *, secret: bool) -> bool:
        """Is the setting in this place? `secret`: does its name, or a variable's in it, say so?"""
        if (self.secret and not secret) or (self.key and self.key not in setting.leaf.path):
            return False
        if self._name and not linear(self._name).search(setting.name.encode("latin-1", "replace")):
            return False
        return self._path is None or self._path.matches(setting.leaf.path, texts)


class _Ready:
    """A rule and its places."""

    def __init__(self, rule: ConfigRule) -> None:
        self.rule = rule
        self.as_rule = _as_rule(rule)
        self._places = [_Place(row) for row in rule.selectors]
        self.by_name_alone = any(row.secret and not row.path for row in rule.selectors)
        self.by_name = all(row.secret for row in rule.selectors)
        self.is_local = all(row.secret and not row.path and not row.kinds for row in rule.selectors)

    def may_be_in(self, kind: FileKind) -> bool:
        """Can a file of this kind, or what its content makes of it, have one of the places?"""
        return any(
            not place.kinds or place.kinds & kind.kinds or place.kinds - PATH_KINDS
            for place in self._places
        )

    def places_in(self, kinds: frozenset[str]) -> list[_Place]:
        return [place for place in self._places if not place.kinds or place.kinds & kinds]


def _as_rule(rule: ConfigRule) -> Rule:
    return Rule(
        id=rule.id,
        severity=rule.severity,
        confidence=rule.confidence,
        check=_check_of(rule),
        named=True,
    )


def _check_of(rule: ConfigRule) -> str:
    """By what the values of a rule are known: a literal under a name that holds a secret may still
    be none; what is wrong with a template shows in the template itself."""
    if not any(row.secret for row in rule.selectors):
        return rule.check
    return "configured" if Verdict.LITERAL in rule.flag else "templated"


def settings(structure: Structure, data: bytes, texts: Mapping[Path, str]) -> Iterator[Setting]:
    """The values of a document that are looked at, under their names: of `name: X, value: Y` X.

    `texts`: the text at each path, the last where a file gives one twice.
    """
    for leaf in structure.leaves:
        if not structure.is_looked_at(leaf):
            continue
        value = data[leaf.start : leaf.end].decode("latin-1")
        name, at = _name(leaf.path, value, texts)
        yield Setting(name=name, leaf=leaf._replace(start=leaf.start + at), value=value[at:])


def _name(path: Path, value: str, texts: Mapping[Path, str]) -> tuple[str, int]:
    """The name of a value, and where in its text the value begins."""
    keys = [part for part in path if isinstance(part, str)]
    last = keys[-1] if keys else ""
    is_item = not path or (isinstance(path[-1], int) and not _EXAMPLES.search(last))
    if is_item and (assigned := _ASSIGNED.match(value)):  # `- NAME=value` of compose
        return assigned[1], assigned.end()
    if beside := _beside(path, last, texts):
        return beside, 0
    return last, 0


def _beside(path: Path, last: str, texts: Mapping[Path, str]) -> str:
    if own := texts.get((*path, "@name")) or texts.get((*path, "@key")):
        return own
    parent = path[:-1] if isinstance(path[-1] if path else "", str) else path[:-2]
    if _VALUE.match(last):
        for name in _NAMES:
            if found := texts.get((*parent, name)):
                return found
        if isinstance(path[-1], int):  # XML: elements beside
            near = (texts.get((*parent, name, i)) for name in _NAMES[:4] for i in range(4))
            if found := next((text for text in near if text), ""):
                return found
        return next((part for part in reversed(parent) if isinstance(part, str)), last)
    return ""


def _zones(data: bytes, candidates: Sequence[Match]) -> tuple[Zone, ...]:
    """The lines of the candidates, from the name's to the value's, as offsets, in order."""
    zones: list[Zone] = []
    for match in sorted(candidates, key=lambda m: m.name_start):
        start = data.rfind(b"\n", 0, min(match.name_start, match.start)) + 1
        end = match.end
        for _ in range(match.rule.lines):  # what stands beside it may be another one
            end = data.find(b"\n", end + 1)
            if end < 0:
                end = len(data)
                break
        if zones and start <= zones[-1][1]:
            zones[-1] = zones[-1][0], max(end, zones[-1][1])
        else:
            zones.append((start, end))
    return tuple(zones)


def _of_rules(
    path: str,
    kind: FileKind,
    data: bytes,
    rules: Sequence[_Ready],
    documents: Sequence[Structure],
) -> Iterator[Match]:
    """What these rules find in what is looked at of a file's documents."""
    once: set[str] = set()
    for structure in documents:
        kinds = kind.kinds | structure.kinds
        wanted = [(ready, places) for ready in rules if (places := ready.places_in(kinds))]
        for match, ready in _found(path, kind, structure, data, wanted) if wanted else ():
            if match.rule.id not in once:
                yield match
            if ready.rule.once:
                once.add(match.rule.id)


def _found(
    path: str,
    kind: FileKind,
    structure: Structure,
    data: bytes,
    rules: Sequence[tuple[_Ready, Sequence[_Place]]],
) -> Iterator[tuple[Match, _Ready]]:
    texts = value_paths.values(structure.leaves, data)
    translated = is_translation(path)
    containers = None if b"{{" in data or "kubernetes" not in structure.kinds else Containers(texts)
    asked = [place for _, places in rules for place in places]
    keys = {place.key for place in asked}
    by_name = any(place.secret for place in asked)
    others = [(ready, kept) for ready, places in rules if (kept := _without_secret(places))]
    for setting in settings(structure, data, texts):
        if "" not in keys and keys.isdisjoint(setting.leaf.path):
            continue  # in none of the places
        sensitive = by_name and is_sensitive(setting.name)
        fault = fault_of(setting, kind, sensitive=sensitive) if by_name else None
        if by_name and containers and fault is None:
            fault = _undeclared(setting, containers, sensitive=sensitive)
        if fault and translated and reads_as_words(setting.value):
            fault = None
        secret = sensitive or fault is not None
        for ready, places in rules if secret else others:
            if any(place.holds(setting, texts.get, secret=secret) for place in places):
                match = _match(path, ready, setting, fault)
                if match:
                    yield match, ready


def _without_secret(places: Sequence[_Place]) -> list[_Place]:
    return [place for place in places if not place.secret]


def fault_of(setting: Setting, kind: FileKind, *, sensitive: bool) -> Flaw | None:
    """What is wrong with a setting by its name and its text; None for nothing."""
    leaf = setting.leaf
    if leaf.tag and not leaf.tag.startswith("tag:yaml.org"):
        return None  # `!Ref`, `!vault`: what the tag names gives the value
    keys = [part for part in leaf.path if isinstance(part, str)]
    vague = not sensitive and is_vague(setting.name, keys)
    fault = flaw(
        setting.name, setting.value, sensitive=sensitive, vague=vague, example=kind.example
    )
    if fault and leaf.style == "fallback" and fault.verdict is Verdict.LITERAL:
        return fault._replace(verdict=Verdict.LITERAL_DEFAULT)
    return fault


def _undeclared(setting: Setting, containers: Containers, *, sensitive: bool) -> Flaw | None:
    """A secret that is the text `$(NAME)` itself, since no such variable is declared."""
    for found in containers.undeclared(setting.leaf.path, setting.value):
        before = setting.value[max(0, found.start() - 80) : found.start()]
        flag = _FLAG.search(before)
        if sensitive or is_sensitive(found[1]) or (flag and is_sensitive(flag[1])):
            return Flaw(
                verdict=Verdict.UNDECLARED,
                start=found.start(),
                end=found.end(),
                confidence=Confidence.MEDIUM,
            )
    return None


def _match(path: str, ready: _Ready, setting: Setting, fault: Flaw | None) -> Match | None:
    rule, leaf = ready.rule, setting.leaf
    value = setting.value.encode("latin-1")
    confidence, severity = rule.confidence, None
    start, end = 0, len(value)
    if rule.flag:
        if not ready.by_name:
            judged = judge(setting.value)
            fault = Flaw(
                verdict=judged.verdict,
                start=judged.start,
                end=judged.end,
                confidence=rule.confidence,
            )
        if fault is None or fault.verdict not in rule.flag:
            return None
        start, end = fault.start, fault.end
        confidence, severity = min(confidence, fault.confidence), fault.severity
    if rule.pattern:
        pattern = linear(rule.pattern)
        found = pattern.search(value)
        if not found:
            return None
        if not rule.flag:
            start, end = found.span(secret_group(pattern))
    name = setting.name.encode("latin-1", "replace")
    if rule.check:
        line = Candidate(value=value[start:end], name=name, line=value, at=start, path=path)
        judged_as = CHECKS[rule.check](line)
        if judged_as is None:
            return None
        confidence = min(confidence, judged_as)
    return Match(
        start=leaf.start + start,
        end=leaf.start + end,
        rule=ready.as_rule,
        value=value[start:end],
        confidence=Confidence(confidence),
        name=name,
        name_start=leaf.start,
        severity=severity,
    )
