"""Which rule applies: the table of docs/access.md, and properties of the index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.policy.access import hcl
from scanner.policy.access.acl import Acl, spoken
from scanner.policy.access.model import Alias, Group, Identity
from scanner.policy.access.patterns import matches, overlap

READ = 'path "secret/data/agentaskit/*" { capabilities = ["read"] }'
POSTGRES = "secret/data/agentaskit/db/postgres"
STRIPE = "secret/data/agentaskit/api-keys/stripe"


def deny(path: str) -> str:
    return f'path "{path}" {{ capabilities = ["deny"] }}'


def acl(*texts: str, identity: Identity | None = None) -> Acl:
    rules = [rule for text in texts for rule in hcl.parse(text.encode(), "p", "p.hcl").rules]
    return Acl(rules, identity=identity, now=0.0)


@pytest.mark.parametrize(
    ("texts", "path", "allowed"),
    [
        ((READ,), POSTGRES, True),
        ((READ, deny("secret/data/agentaskit/db/*")), POSTGRES, False),
        ((READ, deny("secret/data/+/db/*")), POSTGRES, True),
        ((READ, deny("secret/data/agentaskit/+/postgres")), POSTGRES, False),
        ((READ, deny("secret/data/agentaskit/+/postgres*")), POSTGRES, True),
        ((deny("secret/data/agentaskit/*"), READ.replace("*", "api-keys/stripe")), STRIPE, True),
        ((READ.replace("/data", ""),), "secret/data/agentaskit/x", False),
        ((READ.replace("/*", "*"),), "secret/data/agentaskit-prod/x", True),
        ((READ.replace("agentaskit/*", "agent*kit/x"),), "secret/data/agentaskit/x", False),
    ],
)
def test_a_read_is_allowed_as_the_server_does(
    texts: tuple[str, ...], path: str, allowed: bool
) -> None:
    assert acl(*texts).lookup(path).allows("read") is allowed


def test_a_pattern_of_higher_priority_is_used_alone() -> None:
    found = acl(
        'path "secret/data/*" { capabilities = ["read", "update"] }',
        READ,
    )
    assert not found.lookup("secret/data/agentaskit/x").allows("update")


def test_identical_patterns_of_several_policies_are_united_and_a_deny_among_them_wins() -> None:
    update = READ.replace("read", "update")
    assert spoken(acl(READ, update).lookup(POSTGRES)) == ["read", "update"]
    assert spoken(acl(READ, update, deny("secret/data/agentaskit/*")).lookup(POSTGRES)) == ["deny"]


def test_a_list_looks_up_the_path_without_its_slash_first() -> None:
    found = acl(
        deny("secret/metadata/*"),
        'path "secret/metadata/agentaskit/*" { capabilities = ["list"] }',
    )
    assert not found.listing("secret/metadata/agentaskit/").allows("list")
    assert found.answer("secret/metadata/agentaskit/").allows("list")  # OpenBao 2.7


def test_the_root_policy_grants_everything() -> None:
    assert spoken(Acl((), root=True).lookup("anything")) == ["root"]


def test_a_template_is_filled_in_once_and_dropped_where_it_has_no_value() -> None:
    text = (
        'path "secret/data/{{identity.entity.aliases.acc.metadata.app}}/'
        '{{identity.groups.names.ops.id}}" { capabilities = ["read"] }'
    )
    identity = Identity(
        name="n",
        aliases={"acc": Alias(metadata={"app": "{{identity.entity.name}}"})},
        groups=(Group("g1", "ops"),),
    )
    found = acl(text, identity=identity)
    assert found.lookup("secret/data/{{identity.entity.name}}/g1").allows("read")
    assert acl(text).dropped
    assert acl(text, identity=Identity(name="n")).dropped


def test_an_expired_rule_is_dropped() -> None:
    text = 'path "a" { expiration = "1960-01-01T00:00:00Z" capabilities = ["read"] }'
    assert acl(text).dropped


_SEGMENT = st.sampled_from(("a", "b", "ab", "+", "a+"))
_PATTERN = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(_SEGMENT, min_size=1, max_size=4),
    st.sampled_from(("", "", "/*", "/b*")),
)
_PATH = st.lists(st.sampled_from(("a", "b", "ab", "a+")), min_size=1, max_size=5).map("/".join)


@given(st.lists(_PATTERN, min_size=1, max_size=8), _PATH)
def test_the_index_finds_the_matching_pattern_of_the_highest_priority(
    patterns: list[str], path: str
) -> None:
    found = acl(*(f'path "{one}" {{ capabilities = ["read"] }}' for one in patterns))
    fitting = [one for one in found.patterns if matches(one, path)]
    best = max(fitting, key=found.priorities.__getitem__, default="")
    assert found.lookup(path).pattern == best
    assert [one.pattern for one in found.matching(path)][:1] == ([best] if best else [])


@given(_PATTERN, _PATTERN)
def test_an_overlap_is_a_path_that_both_patterns_match(one: str, other: str) -> None:
    path = overlap(one, other)
    if path is not None:
        assert matches(one, path)
        assert matches(other, path)


@given(_PATTERN, _PATTERN, _PATH)
def test_patterns_that_match_one_path_overlap(one: str, other: str, path: str) -> None:
    if matches(one, path) and matches(other, path):
        assert overlap(one, other) is not None
