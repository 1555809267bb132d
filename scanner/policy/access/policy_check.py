"""Policy: what is wrong with a single Vault policy, whoever uses it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from scanner.model import Finding, Severity
from scanner.policy.access import rules as ids
from scanner.policy.access import templates
from scanner.policy.access.acl import Acl, Grant
from scanner.policy.access.model import Policy, Rule
from scanner.policy.access.patterns import Paths, overlap
from scanner.policy.access.rules import finding
from scanner.policy.access.secrets import KV_2_FOLDERS

_CHANGES = frozenset(("create", "update", "patch"))
_ANYTHING = frozenset((*_CHANGES, "read", "delete", "sudo"))
ESCALATIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("sys/policies/acl/*", _CHANGES),
    ("sys/policy/*", _CHANGES),
    ("auth/token/create*", _CHANGES),
    ("auth/+/role/*", _CHANGES),
    ("auth/+/users/*", _CHANGES),
    ("identity/entity*", _CHANGES),
    ("identity/group*", _CHANGES),
    ("sys/audit*", _CHANGES | {"delete"}),
    ("sys/auth*", _CHANGES | {"delete"}),
    ("sys/mounts*", _CHANGES | {"delete"}),
    ("sys/raw*", _ANYTHING),
    ("transit/export/*", frozenset({"read"})),
    ("transit/keys/+/config", _CHANGES),
    ("database/config/*", _CHANGES),
)
"""Paths by which a holder gets more rights, and the capabilities that it takes."""
_FIRST = frozenset(pattern.partition("/")[0] for pattern, _ in ESCALATIONS)
_SHOWN = 3
MAX_PAIRS = 1_000_000
"""Pairs of a deny and a grant, or a known path, that are compared in one set of policies."""


def check(policy: Policy, paths: Paths, mounts: Collection[str], now: float) -> Iterator[Finding]:
    """Findings of one policy. `paths` are those of the declared secrets, `mounts` the key-value
    engines of version 2 among them."""
    acl = Acl(policy.rules, now=now)
    for rule in policy.rules:
        if why := _dead(rule, acl, mounts, now):
            yield _finding(ids.DEAD, rule, why)
            continue
        if rule.is_deny:
            continue
        if rule.limits and (mount := _kv_2(rule.pattern, mounts)):
            limits = [one for one in rule.limits if one.endswith("_parameters")]
            if limits:
                text = f"{', '.join(limits)}: {mount} is a key-value engine of version 2"
                yield _finding(ids.IDLE_LIMIT, rule, text)
        yield from _too_wide(rule, acl, mounts)
    yield from idle_denies(acl, paths, policy.rules)


def _finding(name: str, rule: Rule, text: str, severity: Severity | None = None) -> Finding:
    detail = f'path "{rule.pattern}" of the policy {rule.policy}: {text}'
    return finding(name, rule.location, detail, f"{rule.policy} {rule.pattern}", severity)


def _dead(rule: Rule, acl: Acl, mounts: Collection[str], now: float) -> str:
    """Why no request can ever match the rule, "" if one can."""
    pattern = rule.pattern
    if rule.expires is not None and rule.expires < now:
        return "it has expired"
    if "{{" in pattern:
        return "" if templates.is_known(pattern) else "its template never has a value"
    if "*" in pattern[:-1]:
        return "a `*` that is not at the end is an ordinary character"
    if pattern.startswith("/"):
        return "a request's path never begins with a slash"
    grant = acl.patterns.get(pattern)
    if grant and not rule.is_deny and "deny" in grant.capabilities:
        return f"a deny of the same path, at {grant.rules[0].location}, takes its place"
    return _without_prefix(pattern, mounts)


def _without_prefix(pattern: str, mounts: Collection[str]) -> str:
    """Why a path of a key-value engine of version 2 is dead, "" if it is not one."""
    for mount in mounts:
        below = pattern.removeprefix(f"{mount}/")
        if below == pattern or below in ("", "*"):
            continue
        first, slash, _ = below.partition("/")
        is_start = first.endswith("*") and any(one.startswith(first[:-1]) for one in KV_2_FOLDERS)
        if first not in KV_2_FOLDERS and first != "+" and (slash or not is_start):
            return (
                f"{mount} is a key-value engine of version 2, whose values are at "
                f"{mount}/data/{below}"
            )
    return ""


def _kv_2(pattern: str, mounts: Collection[str]) -> str:
    return next((one for one in mounts if pattern.startswith(f"{one}/data/")), "")


def _too_wide(rule: Rule, acl: Acl, mounts: Collection[str]) -> Iterator[Finding]:
    if reached := list(_escalations(rule, acl)):
        more = f" and {len(reached) - _SHOWN} more" if len(reached) > _SHOWN else ""
        text = f"it reaches {', '.join(reached[:_SHOWN])}{more}"
        yield _finding(ids.ESCALATION, rule, text)
    if not rule.pattern.endswith("*") or not rule.capabilities & _ANYTHING:
        return
    head = rule.pattern[:-1]
    last = head.rpartition("/")[2]
    if last and last[-1].isalnum() and last != "data":
        text = f'it also matches {head}-prod/…; write "{head}/*" for what is below {last}'
        yield _finding(ids.SIBLING, rule, text)
    first = head.strip("/")
    if (
        first in ("", "+")
        or first in mounts
        or first.removesuffix("/data") in mounts
        or "/" not in first
    ):
        what = "everything" if not first else f"all of {first.partition('/')[0]}"
        yield _finding(ids.WILDCARD, rule, f"it grants {what}", Severity.MEDIUM)


def _escalations(rule: Rule, acl: Acl) -> Iterator[str]:
    if "sudo" in rule.capabilities:
        yield "operations that need sudo"
    first, slash, _ = rule.pattern.partition("/")
    if slash and first not in _FIRST and "*" not in first and first != "+":
        return
    for pattern, needed in ESCALATIONS:
        if rule.capabilities & needed:
            witness = overlap(rule.pattern, pattern)
            if witness and rule in acl.lookup(witness).rules:
                yield pattern


def idle_denies(acl: Acl, paths: Paths, rules: Iterable[Rule]) -> Iterator[Finding]:
    """Denies that another rule overrides: for a declared secret, or wherever they overlap."""
    grants = [one for one in acl.patterns.values() if not one.rules[0].is_deny and one.capabilities]
    denies = [rule for rule in rules if rule.is_deny and rule.pattern in acl.patterns]
    left = MAX_PAIRS
    for number, rule in enumerate(denies):
        known = paths.matching(rule.pattern)
        left -= len(grants) + len(known)
        if left < 0:
            text = f"this deny and {len(denies) - number - 1} after it were not compared: too many"
            yield _finding(ids.IDLE_DENY, rule, text)
            return
        if text := _overridden(rule, acl, known, grants):
            yield _finding(ids.IDLE_DENY, rule, text)


def _overridden(
    rule: Rule, acl: Acl, known: Sequence[tuple[str, object]], grants: Sequence[Grant]
) -> str:
    """What overrides the deny, "" if it has an effect. `known` are the paths that it matches."""
    for path, _ in known:
        winner = acl.lookup(path)
        by = winner.rules[0] if winner.rules else None
        is_exception = by is not None and by.pattern == path
        if by and not by.is_deny and not is_exception and winner.capabilities & _ANYTHING:
            return f'{path} is allowed by path "{by.pattern}" at {by.location}, which has priority'
    lost: Rule | None = None
    for grant in grants:
        witness = overlap(rule.pattern, grant.pattern)
        if witness is None:
            continue
        winner = acl.lookup(witness)
        if rule in winner.rules:
            return ""
        if winner.rules and not winner.rules[0].is_deny:
            lost = winner.rules[0]
    if lost is None:
        return ""
    return f'path "{lost.pattern}" at {lost.location} has priority wherever both match'
