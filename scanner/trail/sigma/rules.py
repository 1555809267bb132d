"""All Sigma rules of one format, ready to be asked for each event.

Which rules match depends only on the fields that they name, and most calls of a log repeat the same
values. So the answer is kept by these values, at most MOST_ANSWERS of them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from scanner.document import nearest
from scanner.errors import ConfigError
from scanner.trail.formats.interface import Format
from scanner.trail.sigma import compiler, correlation
from scanner.trail.sigma.compiler import Test
from scanner.trail.sigma.correlation import BETWEEN, Correlation, Group

MOST_ANSWERS = 50_000
Get = Callable[[Any], Any]


class Count(NamedTuple):
    """What a base rule adds to a correlation: how to get group and value from an entry."""

    rule: str
    base: str
    windows: Correlation
    group: Callable[[Any], Group]
    value: Get
    varies: bool
    """Group or value differ between events of one Call."""


class Matched(NamedTuple):
    """What an event means for the rules: those that it breaks, and those that count it."""

    rules: tuple[str, ...]
    counts: tuple[Count, ...]


NOTHING = Matched((), ())


class Rules:
    """The rules for one format."""

    def __init__(self, form: Format, parsed: SigmaCollection) -> None:
        single = [
            each for each in parsed.rules if isinstance(each, SigmaRule) and _is_about(each, form)
        ]
        names = sorted({field for each in single for field in compiler.fields_of(each)})
        self.windows: dict[str, Correlation] = {}
        counted = {name: list(counts) for name, counts in _counts(form, parsed, self.windows)}
        places = {name: number for number, name in enumerate(names)}
        self._tests: list[tuple[Test, Matched]] = [
            (compiler.compiled(each, places), _meaning(each, counted)) for each in single
        ]
        self.varies = not form.varying.isdisjoint(names)
        """A rule looks at a field that differs between events of one Call."""
        self._values = _getter([_attribute(form, name) for name in names])
        self._answers: dict[Any, Matched] = {}

    def matched(self, entry: Any) -> Matched:
        values = self._values(entry)
        found = self._answers.get(values)
        return self._answer(values) if found is None else found

    def _answer(self, values: Any) -> Matched:
        if len(self._answers) >= MOST_ANSWERS:
            self._answers.clear()
        fitting = [meaning for test, meaning in self._tests if test(values)]
        found = NOTHING
        if fitting:
            found = Matched(
                tuple(rule for each in fitting for rule in each.rules),
                tuple(count for each in fitting for count in each.counts),
            )
        self._answers[values] = found
        return found


def parsed(documents: Iterable[Mapping[str, Any]]) -> SigmaCollection:
    """The rules as pySigma reads them. ConfigError says what is wrong with one."""
    try:
        rules = SigmaCollection.from_dicts([_plain(each) for each in documents])
        rules.resolve_rule_references()
        for rule in rules.rules:
            if isinstance(rule, SigmaRule):
                for condition in rule.detection.parsed_condition:
                    _ = condition.parsed  # conditions are parsed when they are asked for
    except SigmaError as error:
        raise ConfigError(
            "a rule of the audit logs is not valid Sigma", why=str(error)[:300]
        ) from None
    return rules


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "keywatch"}


def _is_about(rule: Any, form: Format) -> bool:
    return isinstance(rule, SigmaRule) and rule.logsource.product == form.product


def _meaning(rule: SigmaRule, counted: Mapping[str, list[Count]]) -> Matched:
    counts = tuple(counted.get(str(rule.name), ()))
    return Matched(() if counts else (str(rule.name),), counts)


def _counts(
    form: Format, rules: SigmaCollection, windows: dict[str, Correlation]
) -> Iterator[tuple[str, list[Count]]]:
    """By the name of each base rule, the correlations that count it."""
    found: dict[str, list[Count]] = {}
    for rule in rules.rules:
        if not isinstance(rule, SigmaCorrelationRule):
            continue
        if not all(_is_about(each.rule, form) for each in rule.rules or ()):
            continue
        name = str(rule.name)
        windows[name] = correlation.made(rule)
        for base in rule.rules or ():
            count = _count(form, rule, base, windows[name])
            found.setdefault(base.reference, []).append(count)
    yield from found.items()


def _count(form: Format, rule: SigmaCorrelationRule, base: Any, windows: Correlation) -> Count:
    aliases = rule.aliases.aliases if rule.aliases else {}
    fields = [
        aliases[name].mapping[base] if name in aliases else name for name in rule.group_by or ()
    ]
    condition = rule.condition
    field = condition.fieldref if isinstance(condition, SigmaCorrelationCondition) else None
    value = operator.attrgetter(_attribute(form, str(field))) if field else _nothing
    return Count(
        rule=str(rule.name),
        base=base.reference,
        windows=windows,
        group=_joined(_getter([_attribute(form, name) for name in fields])),
        value=value,
        varies=not form.varying.isdisjoint([*fields, str(field)]),
    )


def _nothing(_entry: Any) -> None:
    return None


def _joined(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], Group]:
    def group(entry: Any) -> Group:
        return BETWEEN.join("" if each is None else str(each) for each in values(entry))

    return group


def _getter(attributes: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of some attributes, as a tuple even if it is one."""
    if not attributes:
        return lambda _entry: ()
    get = operator.attrgetter(*attributes)
    return get if len(attributes) > 1 else lambda entry: (get(entry),)


def _attribute(form: Format, field: str) -> str:
    if field not in form.fields:
        raise ConfigError(
            f"a rule of {form.name} logs names the unknown field {field[:80]!r}",
            todo=nearest(field, form.fields) or f"known fields: {', '.join(form.fields)}",
        )
    return form.fields[field]
