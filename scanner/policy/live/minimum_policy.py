"""Policy: what the operator demands, which a repository may tighten and not loosen.

A class that the operator names is as strict as it says. One of the repository's own making is as
strict as the loosest of the operator's: no new name gets around them. A secret that an entry of the
operator's is about is as strict as the class there, whatever the repository calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scanner.model import Finding
from scanner.policy.declarations.model import Match, SecretClass, period
from scanner.policy.rules import WEAKENED, finding_of

Classes = Mapping[str, SecretClass]
_SPANS = ("rotate_every", "grace", "overlap")


def raised(classes: Classes, floor: Classes) -> dict[str, SecretClass]:
    """The classes that hold: of each span, the shorter one."""
    held = {name: _stricter(mine, _least(name, floor)) for name, mine in classes.items()}
    return {**floor, **held}


def weakened(own: Classes, floor: Classes) -> Iterator[Finding]:
    """Where classes of the repository's own are looser than the operator's."""
    for name, mine in own.items():
        looser = _looser(mine, _least(name, floor))
        if looser:
            yield finding_of(WEAKENED, mine.where, f"{name}: {looser}", name)


def held(match: Match | None, demanded: Match | None) -> Match | None:
    """The entry of the repository with the class that holds. Without one, the operator's: it gives
    a class to what the repository leaves out."""
    least = demanded.secret_class if demanded else None
    if match is None or least is None:
        return match or demanded
    mine = match.secret_class
    return match._replace(secret_class=_stricter(mine, least) if mine else least)


def misnamed(match: Match | None, demanded: Match | None) -> Finding | None:
    """Where an entry of the repository gives a secret a class that is looser than the operator's:
    one and the same for all its secrets."""
    if not (match and match.secret_class and demanded and demanded.secret_class):
        return None
    entry, theirs = match.entry, demanded.secret_class
    looser = _looser(match.secret_class, theirs)
    if not looser:
        return None
    said = f"{entry.said} has class {entry.secret_class}, but {theirs.name} in the operator config"
    context = f"{entry.said} {theirs.name}"
    return finding_of(WEAKENED, entry.class_where, f"{said}: {looser}", context)


def _least(name: str, floor: Classes) -> SecretClass | None:
    """What a class of this name must be at least; None where the operator demands nothing."""
    if name in floor or not floor:
        return floor.get(name)
    most = {span: max(getattr(each, span) for each in floor.values()) for span in _SPANS}
    return SecretClass(name=name, where="", **most)


def _looser(mine: SecretClass, theirs: SecretClass | None) -> str:
    return longer(mine, theirs or mine, "the operator allows")


def longer(mine: SecretClass, theirs: SecretClass, who: str) -> str:
    """The spans of a class that are longer than another's, in words: `who` allows the latter."""
    spans = ((span, getattr(mine, span), getattr(theirs, span)) for span in _SPANS)
    return ", ".join(
        f"{name} {period(said)}, where {who} {period(most)}"
        for name, said, most in spans
        if said > most
    )


def _stricter(mine: SecretClass, theirs: SecretClass | None) -> SecretClass:
    if theirs is None or not _looser(mine, theirs):
        return mine
    spans = {span: min(getattr(mine, span), getattr(theirs, span)) for span in _SPANS}
    return mine._replace(where=theirs.where or mine.where, **spans)
