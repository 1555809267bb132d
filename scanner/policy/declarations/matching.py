"""Policy: find the entry of `secrets` that applies to a live secret: the most specific one.

Each part of the canonical id without a wildcard, a key, and each tag add one to the specificity. If
two entries are equal, parts with some fixed text (`db-*`) decide, then the number of parts other
than `**`. If they are still equal, the entry with the shortest period applies; if their classes
differ, the secret also counts as not configured.
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
    """An index from words to items, so that a secret is compared with few of them.

    `words` returns the words that a secret must have to match an item. Each item is stored under
    its rarest word.
    """

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
    """How specific an entry is. The fields are compared in this order."""

    whole: int
    partly: int
    parts: int


class EntryMatcher(NamedTuple):
    """A compiled entry. `words` are the id parts and tags that every matching secret has."""

    match: Match
    pattern: Pattern | None
    specificity: Specificity
    words: tuple[Word, ...]

    def fits(self, record: Record, scheme: str, segments: Sequence[str]) -> bool:
        if self.pattern and not self.pattern.matches(scheme, segments, record.keys):
            return False
        return all(record.tags.get(key) == value for key, value in self.match.entry.tags)


class SecretEntries:
    """All entries, compiled for matching."""

    def __init__(self, entries: Sequence[SecretEntry], classes: Mapping[str, SecretClass]) -> None:
        rules = sorted((_rule(entry, classes) for entry in entries), key=_order)
        self._index = WordIndex(rules, lambda rule: rule.words)

    def fitting(self, record: Record) -> list[EntryMatcher]:
        """The matching entries, the most specific first."""
        scheme, segments = secret_ids.split(record.id)
        rules = self._index.of([*segments, *record.tags.items()])
        return [rule for rule in rules if rule.fits(record, scheme, segments)]

    def match(self, record: Record) -> Match | None:
        """The entry that applies. None if no entry matches the secret."""
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
