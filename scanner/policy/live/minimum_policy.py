"""Policy: apply the operator's minimum policy. A repository may tighten it, but not loosen it.

A class that the operator config defines is at least as strict as there. Any other class of the
repository is at least as strict as the loosest class of the operator, so that a new name does not
evade the minimum. A secret that an entry of the operator config matches is at least as strict as
the class in that entry, whatever class the repository gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scanner.model import NOWHERE, Finding
from scanner.policy.declarations.model import Match, SecretClass, period
from scanner.policy.rules import WEAKENED, finding_of

Classes = Mapping[str, SecretClass]
_SPANS = ("rotate_every", "grace", "overlap")


def raised(classes: Classes, minimum: Classes) -> dict[str, SecretClass]:
    """The classes with the minimum applied: the shorter duration of each limit."""
    held = {name: _stricter(mine, _least(name, minimum)) for name, mine in classes.items()}
    return {**minimum, **held}


def weakened(own: Classes, minimum: Classes) -> Iterator[Finding]:
    """Findings about classes of the repository that are looser than the minimum."""
    for name, mine in own.items():
        looser = _looser(mine, _least(name, minimum))
        if looser:
            yield finding_of(WEAKENED, mine.location, f"{name}: {looser}", name)


def held(match: Match | None, demanded: Match | None) -> Match | None:
    """The entry of the repository, with the stricter class. Without one, the operator's entry."""
    least = demanded.secret_class if demanded else None
    if match is None or least is None:
        return match or demanded
    mine = match.secret_class
    return match._replace(secret_class=_stricter(mine, least) if mine else least)


def misnamed(match: Match | None, demanded: Match | None) -> Finding | None:
    """A finding if a repository's entry gives a secret a looser class than the operator's entry.

    The finding is the same for all secrets that the entry matches.
    """
    if not (match and match.secret_class and demanded and demanded.secret_class):
        return None
    entry, theirs = match.entry, demanded.secret_class
    looser = _looser(match.secret_class, theirs)
    if not looser:
        return None
    detail = (
        f"{entry.description} has class {entry.secret_class}, but {theirs.name} in the operator "
        "config"
    )
    context = f"{entry.description} {theirs.name}"
    return finding_of(WEAKENED, entry.class_location, f"{detail}: {looser}", context)


def _least(name: str, minimum: Classes) -> SecretClass | None:
    """The minimum for a class of this name. None if the operator config has no classes."""
    if name in minimum or not minimum:
        return minimum.get(name)
    most = {span: max(getattr(each, span) for each in minimum.values()) for span in _SPANS}
    return SecretClass(name=name, location=NOWHERE, **most)


def _looser(mine: SecretClass, theirs: SecretClass | None) -> str:
    return longer(mine, theirs or mine, "the operator allows")


def longer(mine: SecretClass, theirs: SecretClass, who: str) -> str:
    """Text that lists the durations of a class that are longer than those of `theirs`.

    `who` is the start of the comparison, such as "the operator allows".
    """
    spans = ((span, getattr(mine, span), getattr(theirs, span)) for span in _SPANS)
    return ", ".join(
        f"{name} {period(span)}, where {who} {period(most)}"
        for name, span, most in spans
        if span > most
    )


def _stricter(mine: SecretClass, theirs: SecretClass | None) -> SecretClass:
    if theirs is None or not _looser(mine, theirs):
        return mine
    spans = {span: min(getattr(mine, span), getattr(theirs, span)) for span in _SPANS}
    return mine._replace(
        location=theirs.location if theirs.location.path else mine.location, **spans
    )
