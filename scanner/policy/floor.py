"""Policy: the operator's classes, which a repository may tighten and not loosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scanner.model import Finding
from scanner.policy.rules import WEAKENED, finding_of
from scanner.policy.terms import SecretClass, period

Classes = Mapping[str, SecretClass]


def raised(classes: Classes, floor: Classes) -> dict[str, SecretClass]:
    """The classes that hold: of two with one name, the shorter of each span."""
    held = {name: _stricter(classes.get(name, each), each) for name, each in floor.items()}
    return {**classes, **held}


def weakened(own: Classes, floor: Classes) -> Iterator[Finding]:
    """Where classes of the repository's own are looser than the operator's."""
    for name, mine in own.items():
        looser = longer(mine, floor[name], "the operator allows") if name in floor else ""
        if looser:
            yield finding_of(WEAKENED, mine.where, f"{name}: {looser}", name)


def longer(mine: SecretClass, theirs: SecretClass, who: str) -> str:
    """The spans of a class that are longer than another's, in words: `who` allows the latter."""
    spans = (
        ("rotate_every", mine.rotate_every, theirs.rotate_every),
        ("grace", mine.grace, theirs.grace),
        ("overlap", mine.overlap, theirs.overlap),
    )
    return ", ".join(
        f"{name} {period(said)}, where {who} {period(most)}"
        for name, said, most in spans
        if said > most
    )


def _stricter(mine: SecretClass, theirs: SecretClass) -> SecretClass:
    return SecretClass(
        name=mine.name,
        rotate_every=min(mine.rotate_every, theirs.rotate_every),
        grace=min(mine.grace, theirs.grace),
        overlap=min(mine.overlap, theirs.overlap),
        where=theirs.where if longer(mine, theirs, "") else mine.where,
    )
