"""Our named tuples are those of the standard library: the same calls, the same answers."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest

from scanner import model, named

Value = TypeVar("Value")


class Ours(named.NamedTuple):
    first: str
    second: int = 2
    third: tuple[str, ...] = ()

    @property
    def both(self) -> str:
        return f"{self.first}{self.second}"


class Theirs(typing.NamedTuple):
    first: str
    second: int = 2
    third: tuple[str, ...] = ()


class Empty(named.NamedTuple):
    """No fields."""


class Boxed(named.NamedTuple, Generic[Value]):
    value: Value


CALLS: dict[str, Callable[[Any], object]] = {
    "by place": lambda made: made("a", 3, ("b",)),
    "by name": lambda made: made(third=("b",), first="a"),
    "defaults": lambda made: made("a"),
    "too few": lambda made: made(),
    "too many": lambda made: made(1, 2, 3, 4),
    "an unknown name": lambda made: made("a", fourth=4),
    "twice": lambda made: made("a", first="b"),
    "fields": lambda made: made._fields,
    "field defaults": lambda made: made._field_defaults,
    "match": lambda made: made.__match_args__,
    "parameters": lambda made: [*inspect.signature(made).parameters],
    "replace": lambda made: made("a")._replace(second=5),
    "replace what there is not": lambda made: made("a")._replace(fourth=5),
    "make": lambda made: made._make(["a", 1, ()]),
    "make of too few": lambda made: made._make(["a"]),
    "as dict": lambda made: made("a")._asdict(),
    "repr": lambda made: repr(made("a")).replace("Ours", "").replace("Theirs", ""),
    "get": lambda made: (made("a").first, made("a").second, made("a")[0], len(made("a"))),
    "unpack": lambda made: [*made("a")],
    "hash": lambda made: hash(made("a")) == hash(("a", 2, ())),
    "set": lambda made: setattr(made("a"), "first", "b"),
    "another attribute": lambda made: setattr(made("a"), "fourth", "b"),
    "through pickle": lambda made: pickle.loads(pickle.dumps(made("a", 7))),
    "copied": lambda made: copy.deepcopy(made("a", 7)),
    "order": lambda made: made("a") < made("b"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_answers_as_it_does_with_those_of_the_standard_library(
    call: Callable[[Any], object],
) -> None:
    answers: list[object] = []
    for made in (Ours, Theirs):
        try:
            answers.append((type(call(made)) in (Ours, Theirs), call(made)))
        except (TypeError, ValueError):  # which of them, changed with Python 3.13
            answers.append("refused")
        except AttributeError:
            answers.append("no such attribute")
    assert answers[0] == answers[1]


def test_its_own_properties_and_type_are_kept() -> None:
    one = Ours("a")
    assert one.both == "a2"
    assert type(one) is Ours
    assert type(Ours) is type
    assert isinstance(one, tuple)
    match one:
        case Ours(first, second):
            assert (first, second) == ("a", 2)


def test_one_may_have_no_fields_or_be_generic() -> None:
    assert Empty() == ()
    assert Boxed[int](3).value == 3


@pytest.mark.parametrize(
    "text",
    [
        "class Early(NamedTuple):\n    a: int = 1\n    b: int",
        "class Made(NamedTuple):\n    a: int\n    def __new__(cls): ...",
    ],
)
def test_what_typing_refuses_is_refused(text: str) -> None:
    for maker in (named, typing):
        with pytest.raises((TypeError, AttributeError)):
            exec(text, {"NamedTuple": maker.NamedTuple})


def test_a_copy_may_have_other_values() -> None:
    assert copy.copy(Ours("a")) == Ours("a")
    if hasattr(copy, "replace"):  # of Python 3.13
        assert copy.replace(Ours("a"), second=3) == Ours("a", 3)


def test_every_noun_of_the_model_survives_the_way_between_processes() -> None:
    finding = model.Finding(
        rule="r",
        location=model.Location(path="p"),
        severity=model.Severity.LOW,
        confidence=model.Confidence.LOW,
        detail="d",
        preview="p",
        fingerprint="f",
    )
    assert pickle.loads(pickle.dumps(finding)) == finding
