"""Policy: compare the status of live secrets with an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scanner.policy.live.rotation_age import SEVERITIES, Verdict
from scanner.policy.live.rules import BY_ID
from scanner.records import Change

Words = tuple[str, ...]
"""The verdict on a secret, if it has one, and its conditions."""


def words(verdict: str, conditions: Iterable[str]) -> Words:
    return tuple(filter(None, (verdict, *conditions)))


def changes(before: Mapping[str, Words], after: Mapping[str, Words]) -> tuple[Change, ...]:
    """The changes between two runs, by canonical id.

    `before` must contain only secrets that this run would have read if they still exist.
    """
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
    was, now = _severity(before), _severity(after)
    if was != now:
        return "worse" if now > was else "better"
    return "worse" if set(after) - {*before, Verdict.OK} else "better"


def _severity(words: Words) -> int:
    """The highest severity of a status; 0 if nothing in it is a finding."""
    return max((_SEVERITIES.get(word, 0) for word in words), default=0)


_SEVERITIES: Mapping[str, int] = {
    **{name: rule.severity for name, rule in BY_ID.items()},
    **{name.value: severity for name, severity in SEVERITIES.items()},
}
