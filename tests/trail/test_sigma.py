"""The rules of rules/trail are Sigma: real backends convert them, and they mean here what they mean
there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.backends.elasticsearch.elasticsearch_lucene import LuceneBackend
from sigma.backends.splunk.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

from scanner.errors import ConfigError
from scanner.trail.sigma import compiler, correlation, rule_files, rules
from tests.support.audit_logs import DENIED, START, VaultLog
from tests.support.trails import trail

FILES = sorted(Path(rule_files.folder()).glob("*.yml"))


def collection(path: Path) -> SigmaCollection:
    return SigmaCollection.from_yaml(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_backend_converts_each_rule(path: Path) -> None:
    assert SplunkBackend().convert(collection(path))
    if not any(isinstance(each, SigmaCorrelationRule) for each in collection(path)):
        assert LuceneBackend().convert(collection(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_rule_says_what_people_need(path: Path) -> None:
    *_, last = yaml.safe_load_all(path.read_bytes())
    assert last["name"] == f"trail-{path.stem}"
    assert last["description"]
    assert all(isinstance(each, str) for each in last["falsepositives"])
    assert last["falsepositives"]
    assert last["keywatch"]["fix"]
    assert last["keywatch"]["tuning"]


def test_ids_are_unique() -> None:
    ids = [each["id"] for path in FILES for each in yaml.safe_load_all(path.read_bytes())]
    assert len(ids) == len(set(ids))


RULE: dict[str, Any] = {
    "title": "A rule",
    "id": "11111111-2222-3333-4444-555555555555",
    "name": "trail-own",
    "level": "high",
    "logsource": {"product": "vault", "service": "audit"},
}


def fits(detection: dict[str, Any], **values: Any) -> bool:
    rule = SigmaRule.from_dict({**RULE, "detection": {"condition": "s", **detection}})
    names = sorted(compiler.fields_of(rule))
    test = compiler.compiled(rule, {name: n for n, name in enumerate(names)})
    return test([values.get(name) for name in names])


@pytest.mark.parametrize(
    ("wanted", "value", "answer"),
    [
        ({"f": "Abc"}, "aBC", True),
        ({"f": "a*c"}, "axxC", True),
        ({"f": "a?c"}, "axxc", False),
        ({"f|cased": "Abc"}, "abc", False),
        ({"f|startswith": ["x", "y"]}, "yes", True),
        ({"f|endswith": "x"}, "xy", False),
        ({"f|contains|all": ["a", "b"]}, "b a", True),
        ({"f|contains|all": ["a", "b"]}, "b", False),
        ({"f|re": "^a+$"}, "aaa", True),
        ({"f|re": "^a+$"}, "aab", False),
        ({"f|cidr": "10.0.0.0/8"}, "10.1.2.3", True),
        ({"f|cidr": "10.0.0.0/8"}, "somewhere", False),
        ({"f|gte": 400}, 403, True),
        ({"f|gte": 400}, None, False),
        ({"f": None}, None, True),
        ({"f": None}, "", True),
        ({"f|exists": True}, "", False),
        ({"f|exists": False}, None, True),
        ({"f": False}, False, True),
        ({"f": False}, None, False),
        ({"f": 5}, 5, True),
        ({"f": "root"}, ("default", "root"), True),
        ({"f": "root"}, (), False),
        ({"f": r"a\*c"}, "a*c", True),
        ({"f": r"a\*c"}, "abc", False),
    ],
)
def test_values_mean_what_sigma_says(wanted: dict[str, Any], value: Any, *, answer: bool) -> None:
    assert fits({"s": wanted}, f=value) is answer


def test_conditions_are_joined() -> None:
    parts = {"a": {"x": 1}, "b": {"y": 2}, "c": {"z": 3}}
    assert fits({**parts, "condition": "a and not (b or c)"}, x=1, y=0, z=0)
    assert not fits({**parts, "condition": "a and not (b or c)"}, x=1, y=2, z=0)
    assert fits({**parts, "condition": "1 of them"}, x=0, y=2, z=0)
    assert not fits({**parts, "condition": "all of them"}, x=1, y=2, z=0)


def windows(kind: str, condition: dict[str, Any] | None, span: str = "1m") -> Any:
    said: dict[str, Any] = {"type": kind, "rules": ["a", "b"], "group-by": ["f"], "timespan": span}
    if condition:
        said["condition"] = condition
    base: dict[str, Any] = {
        "title": "base",
        "logsource": {"product": "vault"},
        "detection": {"s": {"f": 1}, "condition": "s"},
    }
    found = SigmaCollection.from_dicts(
        [
            {**base, "name": "a"},
            {**base, "name": "b"},
            {"title": "c", "name": "c", "correlation": said},
        ]
    )
    (rule,) = (each for each in found if isinstance(each, SigmaCorrelationRule))
    return correlation.made(rule)


def test_events_are_counted_by_their_time_in_any_order() -> None:
    seen = windows("event_count", {"gte": 3})
    assert [seen.add("a", "x", time, None) for time in (100, 40, 200)] == [False] * 3
    assert seen.add("a", "x", 70, None)
    assert not seen.add("a", "y", 70, None)


def test_a_window_that_fired_begins_anew() -> None:
    seen = windows("event_count", {"gte": 2})
    assert [seen.add("a", "x", 100 + n, None) for n in range(5)] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_values_are_counted_once() -> None:
    seen = windows("value_count", {"gte": 3, "field": "f"})
    assert not any(seen.add("a", "x", 100 + n, "same") for n in range(10))
    assert not seen.add("a", "x", 111, "other")
    assert not seen.add("a", "x", 500, "late")
    assert not seen.add("a", "x", 501, "later")
    assert seen.add("a", "x", 502, "last")


@pytest.mark.parametrize(("kind", "first"), [("temporal", True), ("temporal_ordered", False)])
def test_rules_together_fire_within_their_span(kind: str, *, first: bool) -> None:
    seen = windows(kind, None)
    assert not seen.add("b", "x", 100, None)
    assert seen.add("a", "x", 110, None) is first
    assert seen.add("b", "x", 120, None) is not first
    assert not seen.add("b", "x", 500, None)


def test_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "MOST_GROUPS", 10)
    seen = windows("event_count", {"gte": 3})
    for number in range(1_000):
        seen.add("a", str(number), number, None)
    assert len([*seen.saved()]) <= 10


@pytest.mark.parametrize(
    "broken",
    [
        {"detection": {"s": {"request.pth": "x"}, "condition": "s"}},
        {"detection": {"s": ["words"], "condition": "s"}},
        {"detection": {"s": {"request.path": "x"}, "condition": "s and"}},
        {"level": "grave", "detection": {"s": {"request.path": "x"}, "condition": "s"}},
        {"name": "Own Rule", "detection": {"s": {"request.path": "x"}, "condition": "s"}},
    ],
)
def test_a_rule_that_cannot_be_used_is_an_error(broken: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(yaml.safe_dump({**RULE, **broken}))
    with pytest.raises(ConfigError):
        trail(tmp_path, [], "--rules", str(tmp_path / "own.yml"))


def test_a_rule_of_ones_own_replaces_a_shipped_one(tmp_path: Path) -> None:
    text = (Path(rule_files.folder()) / "vault-denied-burst.yml").read_text()
    (tmp_path / "own.yml").write_text(text.replace("gte: 10", "gte: 3"))
    log = VaultLog()
    lines = [part for _ in range(3) for part in log.call(START, "sys/mounts", error=DENIED)]
    assert trail(tmp_path, lines).rules == set()
    done = trail(tmp_path, lines, "--rules", str(tmp_path / "own.yml"))
    assert done.rules == {"trail-vault-denied-burst"}


def test_a_rule_on_what_each_call_has_for_itself_sees_each_call(tmp_path: Path) -> None:
    """Its answer may not be kept for calls that are otherwise alike."""
    detection = {"s": {"request.remote_address|cidr": "203.0.113.0/24"}, "condition": "s"}
    (tmp_path / "own.yml").write_text(yaml.safe_dump({**RULE, "detection": detection}))
    log = VaultLog()
    lines = log.call(START, "secret/data/a") + log.call(
        START, "secret/data/a", address="203.0.113.5"
    )
    done = trail(tmp_path, lines, "--rules", str(tmp_path / "own.yml"))
    assert "trail-own" in done.rules
    assert done.finding("trail-own")["location"]["line"] == 4


def test_no_rule_is_left_without_a_format() -> None:
    from scanner.trail.formats.table import FORMATS

    parsed = rules.parsed(rule_files.replaced(rule_files.shipped(), ()))
    products = {each.logsource.product for each in parsed if isinstance(each, SigmaRule)}
    assert products == {form.product for form in FORMATS}
