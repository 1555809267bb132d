"""Policy: what a run could not check, by the Gaps of its stores.

A Gap covers every ID below its path. Vault writes the slashes of a namespace or mount as `%2F`, so
a Gap of the namespace `team` also covers `team%2Fpayments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scanner.policy.live.rotation_age import Condition, Verdict
from scanner.policy.live.rules import KEY_ABSENT, OF, STALE_CONSUMER, SYNC_FAILING

Place = tuple[str | None, ...]
"""The scheme and the parts of an ID. None is a part that is unknown."""

_AGE = frozenset(OF[each].id for each in Verdict if each in OF)
_CONSUMERS = frozenset({STALE_CONSUMER})
_CONTROLLERS = frozenset(
    {
        SYNC_FAILING,
        KEY_ABSENT,
        OF[Condition.ROTATION_FAILING].id,
        OF[Condition.NOT_CONFIGURED].id,
        *_AGE,
    }
)
_READ_FOR: Mapping[tuple[str, str], frozenset[str]] = {
    ("vault", "sys"): frozenset({OF[Condition.ROTATION_FAILING].id}),
    **dict.fromkeys(
        [
            ("k8s", resource)
            for resource in (
                *("pods", "deployments", "statefulsets", "daemonsets"),
                *("secretproviderclasses", "secretproviderclasspodstatuses"),
            )
        ],
        _CONSUMERS,
    ),
}
"""By scheme and by what else is read beside secrets: the rules that depend on it.

What is not listed for `k8s` is an object of a controller.
"""


def place(name: str) -> Place:
    """The place of a canonical ID or of the path of a Gap."""
    scheme, _, path = name.partition("://")
    return placed(scheme, path.strip("/").split("/"))


def placed(scheme: str, segments: Sequence[str | None]) -> Place:
    """The place of an ID that is already split."""
    if scheme != "vault":
        return (scheme, *segments)
    parts: list[str | None] = [scheme]
    for segment in segments:
        parts += [None] if segment is None else segment.replace("%2F", "/").split("/")
    return tuple(parts)


def covers(gap: Place, secret: Place) -> bool:
    """Does the secret lie at or below the path of the Gap?"""
    pairs = zip(gap, secret, strict=False)
    return len(gap) <= len(secret) and all(own in (None, part) for part, own in pairs)


class Unread:
    """The Gaps of one store, for questions about many secrets."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._places = frozenset(map(place, paths))

    def hides(self, name: str) -> bool:
        """Could the secret exist although it was not read?"""
        where = place(name)
        return any(where[:length] in self._places for length in range(2, len(where) + 1))

    def leaves_open(self, name: str, rule: str, verdict: str) -> bool:
        """Could a finding of this rule still be true for a secret that was read?

        `verdict` is that of this run. A finding about the age is settled by any verdict that a date
        proves. Other findings depend on objects beside the secret.
        """
        if rule in _AGE and verdict != Verdict.UNDATED:
            return False
        where = place(name)[:3]
        return any(
            len(each) > 3
            and each[:2] == where[:2]
            and each[2] in {*where[2:3], "*"}
            and rule in _rules_of(str(each[0]), str(each[3]))
            for each in self._places
        )


def _rules_of(scheme: str, resource: str) -> frozenset[str]:
    standard = _CONTROLLERS if scheme == "k8s" and resource != "secret" else frozenset[str]()
    return _READ_FOR.get((scheme, resource), standard)
