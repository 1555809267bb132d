"""Policy: which entry of `secrets` a live secret falls under: the most specific one.

An entry is the more specific, the more it writes out in full: parts of the canonical id, a key, and
each tag count one. Where two are equal, parts that are written in part (`db-*`) decide, then the
number of parts that are no `**`. Of those that are still equal the one with the shortest period
holds, and the secret counts as not configured: nobody decided between their classes.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.model import Match, SecretClass, SecretEntry
from scanner.policy.declarations.secret_ids import DEEP, Pattern, has_wildcard
from scanner.records import Record

_BREAK = re.compile(r"[/#]")
Word = str | tuple[str, str]
"""A part of a canonical id, or a tag."""
T = TypeVar("T")


class WordIndex(Generic[T]):
    """Things in their order, each under the rarest of the words that a secret has which it is
    about: a secret is held against few of them."""

    def __init__(self, things: Iterable[T], words: Callable[[T], Sequence[Word]]) -> None:
        self._things = list(things)
        named = list(map(words, self._things))
        common = Counter(word for some in named for word in some)
        self._ranks: dict[Word | None, list[int]] = defaultdict(list)
        for rank, some in enumerate(named):
            self._ranks[min(some, key=common.__getitem__, default=None)].append(rank)

    def of(self, words: Iterable[Word]) -> Iterator[T]:
        ranks = {rank for word in (None, *words) for rank in self._ranks.get(word, ())}
        return map(self._things.__getitem__, sorted(ranks))


class Specificity(NamedTuple):
    """How much an entry says: compared in this order."""

    whole: int
    partly: int
    parts: int


class EntryMatcher(NamedTuple):
    """An entry, ready to be asked. `words` are the parts of an id and the tags that each secret
    has which it fits."""

    match: Match
    pattern: Pattern | None
    specificity: Specificity
    words: tuple[Word, ...]

    def fits(self, record: Record, scheme: str, segments: Sequence[str]) -> bool:
        if self.pattern and not self.pattern.matches(scheme, segments, record.keys):
            return False
        return all(record.tags.get(key) == value for key, value in self.match.entry.tags)


class SecretEntries:
    """All entries, ready to be asked."""

    def __init__(self, entries: Sequence[SecretEntry], classes: Mapping[str, SecretClass]) -> None:
        rules = sorted((_rule(entry, classes) for entry in entries), key=_order)
        self._index = WordIndex(rules, lambda rule: rule.words)

    def fitting(self, record: Record) -> list[EntryMatcher]:
        """Those that the secret falls under, the one that holds first."""
        scheme, segments = secret_ids.split(record.id)
        rules = self._index.of([*segments, *record.tags.items()])
        return [rule for rule in rules if rule.fits(record, scheme, segments)]

    def match(self, record: Record) -> Match | None:
        """The entry that holds, None where no entry is about the secret."""
        found = self.fitting(record)
        if len(found) < 2:
            return found[0].match if found else None
        first = found[0]
        rivals = (rule.match.entry for rule in found if rule.specificity == first.specificity)
        named = first.match.entry.secret_class
        return first.match._replace(
            rival=next((entry for entry in rivals if entry.secret_class != named), None)
        )


def specificity(entry: SecretEntry) -> Specificity:
    path = entry.match.partition("://")[2]
    parts = [part for part in _BREAK.split(path) if part not in ("", DEEP)]
    whole = sum(not has_wildcard(part) for part in parts)
    bare = sum(not part.strip("*?") for part in parts)
    return Specificity(
        whole=whole + len(entry.tags), partly=len(parts) - whole - bare, parts=len(parts)
    )


def _rule(entry: SecretEntry, classes: Mapping[str, SecretClass]) -> EntryMatcher:
    pattern = secret_ids.pattern(entry.match) if entry.match else None
    return EntryMatcher(
        match=Match(entry=entry, secret_class=classes.get(entry.secret_class)),
        pattern=pattern,
        specificity=specificity(entry),
        words=(*(pattern.words if pattern else ()), *entry.tags),
    )


def _order(rule: EntryMatcher) -> tuple[float, ...]:
    secret_class = rule.match.secret_class
    period = secret_class.rotate_every if secret_class else math.inf
    return (*(-count for count in rule.specificity), period)
