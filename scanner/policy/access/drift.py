"""Policy: where the policies of a server differ from those of the repository."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from scanner.model import Finding, Location, Severity
from scanner.policy.access import rules as ids
from scanner.policy.access.acl import Acl, spoken
from scanner.policy.access.model import Policy
from scanner.policy.access.review import BUILT_IN
from scanner.policy.access.rules import finding

_SHOWN = 3


def drift(
    own: Mapping[str, Policy],
    live: Mapping[str, Policy],
    store: str,
    anchor: Location,
    unread: Collection[str],
) -> Iterator[Finding]:
    """Policies that differ, and those that only one side has. `unread` names live policies whose
    text is not known; `anchor` is where a finding about a live policy alone is placed."""
    for name, policy in own.items():
        if name in live:
            if found := _differences(policy, live[name]):
                more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
                detail = f"the policy {name} of {store}: {'; '.join(found[:_SHOWN])}{more}"
                yield finding(ids.DRIFT, policy.location, detail, f"{store} {name}")
        elif name not in unread:
            detail = f"the policy {name} does not exist in {store}"
            yield finding(ids.DRIFT, policy.location, detail, f"{store} {name}", Severity.MEDIUM)
    for name in sorted(live.keys() - own.keys() - BUILT_IN if own else ()):
        detail = f"the policy {name} of {store} is not in the repository"
        yield finding(ids.DRIFT, anchor, detail, f"{store} {name}", Severity.MEDIUM)


def _differences(own: Policy, live: Policy) -> list[str]:
    before, after = Acl(own.rules).patterns, Acl(live.rules).patterns
    templated = {rule.pattern: rule.capabilities for rule in own.rules if "{{" in rule.pattern}
    other = {rule.pattern: rule.capabilities for rule in live.rules if "{{" in rule.pattern}
    found = []
    for pattern in sorted(before.keys() | after.keys()):
        one = spoken(before[pattern]) if pattern in before else []
        two = spoken(after[pattern]) if pattern in after else []
        if one != two:
            found.append(_difference(pattern, two, one))
    return found + [
        _difference(pattern, sorted(other.get(pattern, ())), sorted(templated.get(pattern, ())))
        for pattern in sorted(templated.keys() | other.keys())
        if templated.get(pattern) != other.get(pattern)
    ]


def _difference(pattern: str, live: Collection[str], own: Collection[str]) -> str:
    return (
        f'path "{pattern}" grants {", ".join(live) or "nothing"} live, and '
        f"{', '.join(own) or 'nothing'} in the repository"
    )
