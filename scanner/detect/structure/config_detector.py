"""Detect: run the rules on values of structured files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
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
    NotParsedError,
    Path,
    Structure,
    structures,
    value_paths,
)
from scanner.detect.structure.container_variables import Containers
from scanner.detect.structure.yaml_excerpt import documents_around
from scanner.detect.values.assignments import is_translation, reads_as_words
from scanner.detect.values.config_values import Flaw, find_flaw, is_sensitive, is_vague, trimmed
from scanner.detect.values.templates import Verdict, judge
from scanner.model import Confidence

Range = tuple[int, int]
_BYTES_BEFORE = 500  # before a value; they show whether it is quoted
# Keys of a value whose name is in a sibling: `value`, `defaultValue`, `@content`.
_VALUE_KEY = re.compile(r"(?i)^@?(?:default_?value|value|default|content|string|text)$")
_NAME_KEYS = (
    "name",
    "key",
    "Name",
    "Key",
    "variable",
    "parameter",
    "@name",
    "@key",
    "@id",
    "field",
)
_FLAG = re.compile(r"--?([\w.\-]+)[= ]$")  # before a value in a command line
_EXAMPLE_KEY = re.compile(r"(?i)example")
_ASSIGNED = re.compile(r"\s*([A-Za-z_][\w.\-]*)\s*=\s*(?![=\s])")


class Setting(NamedTuple):
    """A leaf with its text and its name, which may come from a sibling: `name: X, value: Y`."""

    name: str
    leaf: Leaf
    value: str


class ConfigDetector:
    """Runs compiled rules on any number of structured files."""

    def __init__(self, rules: Sequence[ConfigRule]) -> None:
        self._rules = [_CompiledRule(rule) for rule in rules]

    def detect(
        self,
        path: str,
        kind: FileKind,
        data: bytes,
        candidates: Mapping[str, Sequence[Match]],
        anchors: Mapping[str, Sequence[Rule]] = MappingProxyType({}),
    ) -> Iterator[Match]:
        """Yield the matches of the rules whose groups have a candidate in the file.

        Rules that need only a name run on the lines around the candidates. Rules that need a path
        run on the whole file, or on the YAML documents that contain a candidate. `anchors`: for
        each group, the rules whose anchors are its candidates.

        Raises NotParsedError if the file, or a document in it, does not parse, after the matches in
        the other documents.
        """
        called = (rule for rule in self._rules if rule.config.group in candidates)
        active = [rule for rule in called if rule.may_be_in(kind)]
        if not active:
            return
        local = [rule for rule in active if rule.is_local]
        others = [rule for rule in active if not rule.is_local]
        ranges = _line_ranges(data, [m for r in local for m in candidates[r.config.group]])
        whole = _documents(kind, data, candidates, anchors, {r.config.group for r in others})
        read = _united(whole, ranges) if whole or not others else ()
        broken: NotParsedError | None = None
        try:
            documents = list(structures(kind, data, read))
        except NotParsedError as error:
            broken, documents = error, [*error.parsed]
        if ranges:
            limited = [each._replace(ranges=ranges) for each in documents]
            yield from _run_rules(path, kind, data, local, limited)
        documents = [each._replace(ranges=whole) for each in documents]
        yield from _run_rules(path, kind, data, others, documents)
        if broken:
            raise broken

    def detect_by_line(self, path: str, candidates: Sequence[Match], data: bytes) -> list[Match]:
        """Return the matches of a file that does not parse: those of its candidates' lines."""
        found = []
        translated = is_translation(path)
        for candidate in candidates:
            group = candidate.rule.group
            value = trimmed(
                candidate.value, data[max(0, candidate.start - _BYTES_BEFORE) : candidate.start]
            )
            leaf = Leaf(path=(), start=candidate.start, end=candidate.start + len(value))
            setting = Setting(
                name=candidate.name.decode("latin-1"), leaf=leaf, value=value.decode("latin-1")
            )
            if translated and reads_as_words(setting.value):
                continue
            flaw = find_flaw(setting.name, setting.value, sensitive=is_sensitive(setting.name))
            rules = [r for r in self._rules if r.config.group == group and r.needs_only_name]
            found += [m for r in rules if (m := _match("", r, setting, flaw))][:1]
        return found


class _CompiledSelector:
    """A selector of a rule. Its patterns are compiled when they are first needed."""

    def __init__(self, row: ValueSelector) -> None:
        self.kinds = frozenset(row.kinds)
        self.secret = row.secret
        steps = value_paths.parse(row.path)
        self._path = value_paths.Matcher(steps, linear) if steps else None
        self.key = value_paths.last_key(steps)  # a path without it never matches
        self._name = row.name

    def selects(self, setting: Setting, texts: value_paths.ValueOf, *, secret: bool) -> bool:
        """Does it select the setting? secret: its name, or a variable in it, means a secret."""
        if (self.secret and not secret) or (self.key and self.key not in setting.leaf.path):
            return False
        if self._name and not linear(self._name).search(setting.name.encode("latin-1", "replace")):
            return False
        return self._path is None or self._path.matches(setting.leaf.path, texts)


class _CompiledRule:
    """A rule and its selectors.

    needs_only_name: a selector selects any secret by its name.
    by_name: every selector selects only secrets.
    is_local: the rule needs neither a path nor a kind, so it can run on single lines.
    """

    def __init__(self, rule: ConfigRule) -> None:
        self.config = rule
        self.as_rule = _as_rule(rule)
        self._selectors = [_CompiledSelector(row) for row in rule.selectors]
        self.needs_only_name = any(row.secret and not row.path for row in rule.selectors)
        self.by_name = all(row.secret for row in rule.selectors)
        self.is_local = all(row.secret and not row.path and not row.kinds for row in rule.selectors)

    def may_be_in(self, kind: FileKind) -> bool:
        """Can a selector match in a file of this kind? Its content may add kinds later."""
        return any(
            not selector.kinds or selector.kinds & kind.kinds or selector.kinds - PATH_KINDS
            for selector in self._selectors
        )

    def selectors_for(self, kinds: frozenset[str]) -> list[_CompiledSelector]:
        return [each for each in self._selectors if not each.kinds or each.kinds & kinds]


def _as_rule(rule: ConfigRule) -> Rule:
    return Rule(
        id=rule.id,
        severity=rule.severity,
        confidence=rule.confidence,
        check=_check_of(rule),
        named=True,
    )


def _check_of(rule: ConfigRule) -> str:
    """Return the check that explains and rates a rule's matches.

    A literal under a sensitive name may be no secret, so the likelihood model judges it
    ("configured"). A wrong template is certain ("templated").
    """
    if not any(row.secret for row in rule.selectors):
        return rule.check
    return "configured" if Verdict.LITERAL in rule.flag else "templated"


def settings(structure: Structure, data: bytes, texts: Mapping[Path, str]) -> Iterator[Setting]:
    """Yield the settings in the document's ranges. `texts` holds the text at each path."""
    for leaf in structure.leaves:
        if not structure.is_in_range(leaf):
            continue
        value = data[leaf.start : leaf.end].decode("latin-1")
        name, at = _name(leaf.path, value, texts)
        yield Setting(name=name, leaf=leaf._replace(start=leaf.start + at), value=value[at:])


def _name(path: Path, value: str, texts: Mapping[Path, str]) -> tuple[str, int]:
    """Return the name of a value, and the offset in its text at which the value begins."""
    keys = [part for part in path if isinstance(part, str)]
    last = keys[-1] if keys else ""
    is_item = not path or (isinstance(path[-1], int) and not _EXAMPLE_KEY.search(last))
    if is_item and (assigned := _ASSIGNED.match(value)):  # `- NAME=value` of compose
        return assigned[1], assigned.end()
    return _sibling_name(path, last, texts) or last, 0


def _sibling_name(path: Path, last: str, texts: Mapping[Path, str]) -> str:
    """Return the name that a sibling or an attribute gives a value; "" if none does."""
    if own := texts.get((*path, "@name")) or texts.get((*path, "@key")):
        return own
    parent = path[:-1] if isinstance(path[-1] if path else "", str) else path[:-2]
    if _VALUE_KEY.match(last):
        for name in _NAME_KEYS:
            if found := texts.get((*parent, name)):
                return found
        if isinstance(path[-1], int):  # XML: sibling elements
            near = (texts.get((*parent, name, i)) for name in _NAME_KEYS[:4] for i in range(4))
            if found := next((text for text in near if text), ""):
                return found
        return next((part for part in reversed(parent) if isinstance(part, str)), last)
    return ""


def _line_ranges(data: bytes, candidates: Sequence[Match]) -> tuple[Range, ...]:
    """Return the sorted ranges of the candidates' lines, from their names to their values."""
    ranges: list[Range] = []
    for match in sorted(candidates, key=lambda m: m.name_start):
        start = data.rfind(b"\n", 0, min(match.name_start, match.start)) + 1
        end = match.end
        for _ in range(match.rule.lines):  # the next lines may hold more settings
            end = data.find(b"\n", end + 1)
            if end < 0:
                end = len(data)
                break
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(end, ranges[-1][1])
        else:
            ranges.append((start, end))
    return tuple(ranges)


def _united(some: Sequence[Range], others: Sequence[Range]) -> tuple[Range, ...]:
    """Return the ranges of both, sorted; those that overlap become one."""
    ranges: list[Range] = []
    for start, end in sorted((*some, *others)):
        if ranges and start <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(end, ranges[-1][1])
        else:
            ranges.append((start, end))
    return tuple(ranges)


def _documents(
    kind: FileKind,
    data: bytes,
    candidates: Mapping[str, Sequence[Match]],
    anchors: Mapping[str, Sequence[Rule]],
    groups: Collection[str],
) -> tuple[Range, ...]:
    """Return the ranges of the YAML documents with a candidate of one of these groups.

    Returns () if the whole file must be read. Manifests may have a hundred documents of which one
    contains a candidate.
    """
    if kind.reader != "yaml" or not groups:
        return ()
    places = [match.start for group in groups for match in candidates[group]]
    for rule in (rule for group in groups for rule in anchors.get(group, ())):
        if not rule.anchor:  # the name of the file is the candidate
            return ()
        flags = "(?mi)" if rule.ignore_case else "(?m)"
        places += (found.start() for found in linear(flags + rule.anchor).finditer(data))
    return documents_around(data, places) if places else ()


def _run_rules(
    path: str,
    kind: FileKind,
    data: bytes,
    rules: Sequence[_CompiledRule],
    documents: Sequence[Structure],
) -> Iterator[Match]:
    """Yield the matches of the rules in the documents' ranges."""
    once: set[str] = set()
    declares = b"{{" not in data
    for structure in documents:
        kinds = kind.kinds | structure.kinds
        active = [(rule, found) for rule in rules if (found := rule.selectors_for(kinds))]
        if not active:
            continue
        for match, rule in _matches(path, kind, structure, data, active, declares=declares):
            if match.rule.id not in once:
                yield match
            if rule.config.once:
                once.add(match.rule.id)


def _matches(  # noqa: PLR0913 - what a document needs of its file
    path: str,
    kind: FileKind,
    structure: Structure,
    data: bytes,
    rules: Sequence[tuple[_CompiledRule, Sequence[_CompiledSelector]]],
    *,
    declares: bool,
) -> Iterator[tuple[Match, _CompiledRule]]:
    """Yield the matches in a document, each with its rule. `rules` come with their selectors.

    declares: the file declares the variables of its containers, because it is no template.
    """
    texts = value_paths.values(structure.leaves, data)
    translated = is_translation(path)
    containers = Containers(texts) if declares and "kubernetes" in structure.kinds else None
    all_selectors = [selector for _, selectors in rules for selector in selectors]
    keys = {selector.key for selector in all_selectors}
    by_name = any(selector.secret for selector in all_selectors)
    others = [(rule, kept) for rule, selectors in rules if (kept := _without_secret(selectors))]
    for setting in settings(structure, data, texts):
        if "" not in keys and keys.isdisjoint(setting.leaf.path):
            continue  # no selector can select it
        sensitive = by_name and is_sensitive(setting.name)
        flaw = flaw_of(setting, kind, sensitive=sensitive) if by_name else None
        if by_name and containers and flaw is None:
            flaw = _undeclared(setting, containers, sensitive=sensitive)
        if flaw and translated and reads_as_words(setting.value):
            flaw = None
        secret = sensitive or flaw is not None
        for rule, selectors in rules if secret else others:
            if any(each.selects(setting, texts.get, secret=secret) for each in selectors):
                match = _match(path, rule, setting, flaw)
                if match:
                    yield match, rule


def _without_secret(selectors: Sequence[_CompiledSelector]) -> list[_CompiledSelector]:
    return [selector for selector in selectors if not selector.secret]


def flaw_of(setting: Setting, kind: FileKind, *, sensitive: bool) -> Flaw | None:
    """Return what is wrong with a setting by its name and text; None if nothing is."""
    leaf = setting.leaf
    if leaf.tag and not leaf.tag.startswith("tag:yaml.org"):
        return None  # the tag resolves the value: `!Ref`, `!vault`
    keys = [part for part in leaf.path if isinstance(part, str)]
    vague = not sensitive and is_vague(setting.name, keys)
    flaw = find_flaw(
        setting.name, setting.value, sensitive=sensitive, vague=vague, example=kind.example
    )
    if flaw and leaf.style == "fallback" and flaw.verdict is Verdict.LITERAL:
        return flaw._replace(verdict=Verdict.LITERAL_DEFAULT)
    return flaw


def _undeclared(setting: Setting, containers: Containers, *, sensitive: bool) -> Flaw | None:
    """Return the flaw of a secret that refers to a variable which its container lacks."""
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


def _match(path: str, compiled: _CompiledRule, setting: Setting, flaw: Flaw | None) -> Match | None:
    """Return the match of a rule in a setting; None if its value does not meet the rule."""
    rule, leaf = compiled.config, setting.leaf
    value = setting.value.encode("latin-1")
    confidence, severity = rule.confidence, None
    start, end = 0, len(value)
    if rule.flag:
        if not compiled.by_name:
            judgement = judge(setting.value)
            flaw = Flaw(
                verdict=judgement.verdict,
                start=judgement.start,
                end=judgement.end,
                confidence=rule.confidence,
            )
        if flaw is None or flaw.verdict not in rule.flag:
            return None
        start, end = flaw.start, flaw.end
        confidence, severity = min(confidence, flaw.confidence), flaw.severity
    if rule.pattern:
        pattern = linear(rule.pattern)
        found = pattern.search(value)
        if not found:
            return None
        if not rule.flag:
            start, end = found.span(secret_group(pattern))
    name = setting.name.encode("latin-1", "replace")
    if rule.check:
        candidate = Candidate(value=value[start:end], name=name, line=value, at=start, path=path)
        checked = CHECKS[rule.check](candidate)
        if checked is None:
            return None
        confidence = min(confidence, checked)
    return Match(
        start=leaf.start + start,
        end=leaf.start + end,
        rule=compiled.as_rule,
        value=value[start:end],
        confidence=Confidence(confidence),
        name=name,
        name_start=leaf.start,
        severity=severity,
    )
