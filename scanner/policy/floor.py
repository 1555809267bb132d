"""Policy: the operator's classes, which a repository may tighten and not loosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scanner.model import Finding
from scanner.policy.live_rules import BY_ID, WEAKENED
from scanner.policy.rules import finding_of
from scanner.policy.terms import SecretClass, period

Classes = Mapping[str, SecretClass]


def raised(classes: Classes, floor: Classes) -> dict[str, SecretClass]:
    """The classes that hold: of two with one name, the shorter of each span."""
    held = {name: _stricter(classes.get(name, each), each) for name, each in floor.items()}
    return {**classes, **held}


def weakened(own: Classes, floor: Classes) -> Iterator[Finding]:
    """Where classes of the repository's own are looser than the operator's."""
    for name, mine in own.items():
        looser = _looser(mine, floor[name]) if name in floor else ""
        if looser:
            yield finding_of(BY_ID[WEAKENED], mine.where, f"{name}: {looser}", name)


def _looser(mine: SecretClass, theirs: SecretClass) -> str:
    spans = (
        ("rotate_every", mine.rotate_every, theirs.rotate_every),
        ("grace", mine.grace, theirs.grace),
        ("overlap", mine.overlap, theirs.overlap),
    )
    return ", ".join(
        f"{name} {period(said)}, where the operator allows {period(most)}"
        for name, said, most in spans
        if said > most
    )


def _stricter(mine: SecretClass, theirs: SecretClass) -> SecretClass:
    return SecretClass(
        name=mine.name,
        rotate_every=min(mine.rotate_every, theirs.rotate_every),
        grace=min(mine.grace, theirs.grace),
        overlap=min(mine.overlap, theirs.overlap),
        where=theirs.where if _looser(mine, theirs) else mine.where,
    )
