"""Paths to values in rules: `spec.containers[*].env[?name=~/PASS/].value`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.structure import Path, value_paths
from scanner.detect.structure.value_paths import Matcher

ENV: Path = ("spec", "containers", 0, "env", 1, "value")
BESIDE: Mapping[Path, str] = {
    ("kind",): "Pod",
    ("spec", "containers", 0, "env", 1, "name"): "DB_PASSWORD",
    ("spec", "containers", 0, "name"): "app",
}


def holds(path: str, value: Path, beside: Mapping[Path, str] = BESIDE) -> bool:
    ready = Matcher(value_paths.parse(path), lambda pattern: re.compile(pattern.encode()))
    return ready.matches(value, beside.get)


@pytest.mark.parametrize(
    "path",
    [
        "spec.containers[*].env[*].value",
        "spec.containers[0].env[1].value",
        "spec.containers.env.value",
        "spec.containers[*].env[?name=DB_PASSWORD].value",
        "spec.containers[*].env[?name=~/PASS/].value",
        "spec.containers[*].env[?name=~/pass/i].value",
        "spec.containers[*].env[?name].value",
        "spec.containers[?name=app].env[*].value",
        "[?kind=Pod].**.value",
        "**[?name=DB_PASSWORD].value",
        "**",
        "spec.**.env.**",
        "*.*.env.val*",
        "spec.*.*.*",
        '"spec"."containers".env.value',
        "[!apiVersion].**",
        "[!kind=Job].**.value",
        "spec.containers[*].env[!valueFrom.secretKeyRef].value",
    ],
)
def test_a_path_that_describes_the_value_holds(path: str) -> None:
    assert holds(path, ENV)


@pytest.mark.parametrize(
    "path",
    [
        "spec.containers[1].env[*].value",
        "spec.containers[*].env[*]",
        "containers[*].env[*].value",
        "spec.containers[*].env[?name=OTHER].value",
        "spec.containers[*].env[?name=~/^PASS/].value",
        "spec.containers[*].env[?value2].value",
        "[?kind=Job].**",
        "[!kind].**",
        "[!kind=~/P/].**",
        "spec.*.value",
        "**.name",
        "spec",
        "spec.containers[*].env[*].value.more",
    ],
)
def test_a_path_that_describes_another_value_does_not_hold(path: str) -> None:
    assert not holds(path, ENV)


def test_a_path_may_end_before_the_indexes_of_a_list_of_values() -> None:
    assert holds("args", ("args", 3))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("spec..value", "from character 5 on"),
        ("spec[", "from character 5 on"),
        ("spec[?].a", "from character 5 on"),
        ("spec[-1]", "from character 5 on"),
        ("spec]", "from character 5 on"),
        ("a[?b=~/c].d", "from character 2 on"),
        ("a.**.b.**.c.**", "more than 2"),
    ],
)
def test_a_path_that_cannot_be_read_says_where(path: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        value_paths.parse(path)


def test_the_last_key_that_a_path_names_is_in_every_file_that_it_matches() -> None:
    assert (
        value_paths.last_key(value_paths.parse("spec.containers[*].env[?name=A].value")) == "value"
    )
    assert value_paths.last_key(value_paths.parse("**.data.*")) == "data"
    assert value_paths.last_key(value_paths.parse("**")) == ""


@given(st.text(alphabet='a*.[]?!=~/\\"i0 ', max_size=60))
def test_any_text_is_a_path_or_an_error(path: str) -> None:
    with suppress(ValueError):
        steps = value_paths.parse(path)
        assert all(step.key or step.item or step.field for step in steps) or '""' in path


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "path", ["**" + "[*]" * 120 + ".**.a", "**" + ".*" * 120 + ".**.b", "[*]" * 160]
)
def test_a_hostile_path_takes_little_time(path: str) -> None:
    start = time.process_time()
    steps = value_paths.parse(path)
    ready = Matcher(steps, re.compile)
    for deep in (tuple(range(100)), ("a",) * 100, ("a", 0) * 50):
        for _ in range(20):
            ready.matches(deep, BESIDE.get)
    assert time.process_time() - start < 2
