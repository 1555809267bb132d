"""Policy: what is not as an earlier run left it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scanner.policy.live.rotation_age import SEVERITIES, Verdict
from scanner.policy.live.rules import BY_ID
from scanner.records import Change

Words = tuple[str, ...]
"""The verdict on a secret, where it has one, and what else is wrong with it."""


def words(verdict: str, conditions: Iterable[str]) -> Words:
    return tuple(filter(None, (verdict, *conditions)))


def changes(before: Mapping[str, Words], after: Mapping[str, Words]) -> tuple[Change, ...]:
    """By canonical id. `before` holds the secrets that must be in `after` unless they are gone."""
    both = sorted({*before, *after})
    found = (_change(name, before.get(name), after.get(name)) for name in both)
    return tuple(change for change in found if change)


def _change(name: str, before: Words | None, after: Words | None) -> Change | None:
    if before == after:
        return None
    return Change(
        id=name,
        how=_how(before, after),
        before=", ".join(before or ()),
        after=", ".join(after or ()),
    )


def _how(before: Words | None, after: Words | None) -> str:
    if before is None or after is None:
        return "new" if before is None else "gone"
    was, now = _gravity(before), _gravity(after)
    if was != now:
        return "worse" if now > was else "better"
    return "worse" if set(after) - {*before, Verdict.OK} else "better"


def _gravity(said: Words) -> int:
    """That of the gravest word; 0 for what is no finding."""
    return max((_SEVERITIES.get(word, 0) for word in said), default=0)


_SEVERITIES: Mapping[str, int] = {
    **{name: rule.severity for name, rule in BY_ID.items()},
    **{name.value: severity for name, severity in SEVERITIES.items()},
}
