"""Policy: where a change makes a Vault policy or the needs of a service wider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.model import Finding
from scanner.policy.access.acl import Acl, Grant
from scanner.policy.access.model import Policy, Rule
from scanner.policy.access.patterns import Paths, overlap
from scanner.policy.access.rules import WEAKER, finding
from scanner.policy.declarations.model import Service

_MAX_WILD = 1_000


def of_policy(old: Policy, new: Policy, paths: Iterable[str], now: float) -> Iterator[Finding]:
    """Each rule of `new` that grants what `old` did not, on known paths or on any other."""
    before, after = Acl(old.rules, now=now), Acl(new.rules, now=now)
    known = Paths((path, None) for path in paths)
    granted: dict[Rule, dict[str, str]] = {}
    patterns = dict.fromkeys((*after.patterns, *before.patterns))
    wild = [one for one in patterns if one.endswith("*") or "+" in one]
    if len(wild) > _MAX_WILD:
        detail = f"the policy {new.name} has over {_MAX_WILD:,} wildcards: too many to compare"
        yield finding(WEAKER, new.location, detail, new.name)
        return
    is_wild = {*wild}
    witnesses = dict.fromkeys(one for one in patterns if one not in is_wild)
    witnesses |= dict.fromkeys(
        witness for pattern in wild for witness in _witnesses(pattern, wild, known)
    )
    for path in witnesses:
        for look in (Acl.lookup, Acl.answer):
            grant = look(after, path)
            gained = _allowed(grant) - _allowed(look(before, path))
            if gained and grant.rules:
                granted.setdefault(grant.rules[0], {})[path] = ", ".join(sorted(gained))
    for rule, gains in granted.items():
        path, words = next(iter(gains.items()))
        detail = (
            f'path "{rule.pattern}" of the policy {rule.policy} now grants {words}, '
            f"for example on {path}"
        )
        yield finding(WEAKER, rule.location, detail, f"{rule.policy} {rule.pattern}")


def _witnesses(pattern: str, others: Iterable[str], known: Paths) -> Iterator[str]:
    """Paths on which two versions of a policy may differ: where the pattern meets itself, each
    other pattern, and known paths."""
    for other in others:
        if (path := overlap(pattern, other)) is not None:
            yield path
    yield from (path for path, _ in known.matching(pattern))


def _allowed(grant: Grant) -> frozenset[str]:
    return frozenset() if "deny" in grant.capabilities else grant.capabilities


def of_service(old: Service | None, new: Service) -> Iterator[Finding]:
    """Each need that the service did not have before."""
    held = set(old.needs) if old else set()
    if "*" in held:
        return
    for need, location in zip(new.needs, new.needs_locations, strict=True):
        if need not in held:
            detail = f"the service {new.name} now needs {'all classes' if need == '*' else need}"
            yield finding(WEAKER, location, detail, f"{new.name} {need}")
