"""Compile the condition of a Sigma rule to a Python function over the values of fields.

pySigma parses. What is evaluated: values with wildcards, `contains`, `startswith`, `endswith`,
`all`, `re`, `cidr`, `exists`, comparisons, null, numbers and booleans, in conditions
with and, or, not and `1 of`. Text is compared without regard to case, as Sigma says, except by
`re` and `cased`. A list fits if one of its items does.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from scanner.errors import ConfigError

Values = Sequence[Any]
"""The values of an entry, in the order of the fields."""
Test = Callable[[Values], bool]
Fits = Callable[[Any], bool]
_COMPARE = {"LT": operator.lt, "LTE": operator.le, "GT": operator.gt, "GTE": operator.ge}


def fields_of(rule: SigmaRule) -> set[str]:
    """The names of the fields that the conditions of a rule look at."""
    found: set[str] = set()
    stack = [each.parsed for each in rule.detection.parsed_condition]
    while stack:
        part = stack.pop()
        if isinstance(part, ConditionFieldEqualsValueExpression):
            found.add(part.field)
        stack += getattr(part, "args", ())
    return found


def compiled(rule: SigmaRule, places: Mapping[str, int]) -> Test:
    """The rule as a function. `places` gives each field's position among the values.

    ConfigError for a kind of value or condition that is not evaluated here.
    """
    tests = [_test(each.parsed, places, str(rule.name)) for each in rule.detection.parsed_condition]
    return tests[0] if len(tests) == 1 else _any(tests)


def _test(part: Any, places: Mapping[str, int], rule: str) -> Test:
    match part:
        case ConditionAND():
            return _all([_test(each, places, rule) for each in part.args])
        case ConditionOR():
            return _any([_test(each, places, rule) for each in part.args])
        case ConditionNOT():
            inner = _test(part.args[0], places, rule)
            return lambda values: not inner(values)
        case ConditionFieldEqualsValueExpression():
            return _field(places[part.field], _fits(part.value, rule))
        case _:
            raise _unsupported(rule, "a search for words in no field")


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda values: first(values) and second(values)
    return lambda values: all(test(values) for test in tests)


def _any(tests: Sequence[Test]) -> Test:
    return lambda values: any(test(values) for test in tests)


def _field(place: int, fits: Fits) -> Test:
    def test(values: Values) -> bool:
        value = values[place]
        if isinstance(value, (tuple, list)):
            return any(map(fits, value)) if value else fits(None)
        return fits(value)

    return test


def _fits(value: Any, rule: str) -> Fits:  # noqa: PLR0911 - one for each kind of value
    match value:
        case SigmaNull():
            return lambda given: given is None or given == ""
        case SigmaExists():
            return _exists if value.exists else lambda given: not _exists(given)
        case SigmaBool():
            return _equal(value.boolean)
        case SigmaNumber():
            return _equal(value.number)
        case SigmaRegularExpression():
            return _matching(re.compile(str(value.regexp)).search)
        case SigmaCIDRExpression():
            return _inside(value.network)
        case SigmaCompareExpression():
            return _compared(_COMPARE[value.op.name], value.number.number)
        case SigmaCasedString():
            return _text(value, cased=True)
        case SigmaString():
            return _text(value, cased=False)
        case _:
            raise _unsupported(rule, f"a value of the kind {type(value).__name__}")


def _exists(given: Any) -> bool:
    return given is not None and given != ""


def _equal(wanted: Any) -> Fits:
    return lambda given: type(given) is type(wanted) and given == wanted


def _compared(compare: Callable[[Any, Any], bool], wanted: float) -> Fits:
    return lambda given: isinstance(given, (int, float)) and compare(given, wanted)


def _matching(search: Callable[[str], object]) -> Fits:
    return lambda given: isinstance(given, str) and search(given) is not None


def _inside(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Fits:
    def fits(given: Any) -> bool:
        try:
            return ipaddress.ip_address(given) in network
        except ValueError:
            return False

    return fits


def _text(value: SigmaString, *, cased: bool) -> Fits:
    """Plain text is compared; text with wildcards becomes an anchored expression."""
    if not value.contains_special():
        wanted = "".join(map(str, value.s))  # str() would keep the escapes
        if cased:
            return lambda given: given == wanted
        folded = wanted.lower()
        return lambda given: isinstance(given, str) and given.lower() == folded
    pieces = [_piece(part) for part in value.s]
    flags = re.DOTALL if cased else re.DOTALL | re.IGNORECASE
    return _matching(re.compile("".join(pieces), flags).fullmatch)


def _piece(part: Any) -> str:
    if part is SpecialChars.WILDCARD_MULTI:
        return ".*"
    return "." if part is SpecialChars.WILDCARD_SINGLE else re.escape(str(part))


def _unsupported(rule: str, what: str) -> ConfigError:
    return ConfigError(
        f"the rule {rule} uses {what}, which keywatch does not evaluate",
        todo="write it with field names, values and their modifiers",
    )
