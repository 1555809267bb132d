"""Detect: values found in one piece of a file, and which of several in one place stands."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from scanner.detect.rules.model import Rule
from scanner.detect.values.config_values import is_random
from scanner.model import Confidence, DetectSecretsMatch, Severity

if TYPE_CHECKING:
    from scanner.detect.detect_secrets.found import Found


_BY_PLACE = {
    "assigned-value": 0,
    "vague-key": 0,
    "configured": 1,
    "templated": 1,
    "command-argument": 2,
    "command-setting": 2,
    "manifest-value": 2,
}


class Match(NamedTuple):
    """A value that a rule found: offsets into the piece, the name before it and its offset. It
    holds plaintext.

    `detect_secrets`: the findings of detect-secrets that this one stands for, too. `severity`:
    where it is
    not the rule's. `is_placeholder`: it only stands where a secret goes, which is worth a note.
    `layers`: what the value is encoded in, the innermost first.
    """

    start: int
    end: int
    rule: Rule
    value: bytes
    confidence: Confidence
    name: bytes
    name_start: int
    detect_secrets: tuple[DetectSecretsMatch, ...] = ()
    severity: Severity | None = None
    is_placeholder: bool = False
    layers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Match({self.rule.id} {self.start}-{self.end})"


def without_overlaps(found: Sequence[Match]) -> list[Match]:
    """Of matches that share bytes, the one of the highest confidence, then of the most damage."""
    kept: list[Match] = []
    for match in sorted(found, key=lambda m: (m.start, -m.end, m.rule.id)):
        if not kept or kept[-1].end <= match.start:
            kept.append(match)
        elif _weight(match) > _weight(kept[-1]):
            kept[-1] = match
    return kept


def with_decoded(plain: Sequence[Match], decoded: Iterable[Sequence[Match]]) -> list[Match]:
    """The matches of a text as it stands, in order and apart from each other, and those of each
    text that is encoded in it.

    Where they share bytes the text as it stands goes first, unless only what is encoded is of a
    format of its own. The matches of one encoded text stand beside each other, in whatever place:
    of gzip they all have the same.
    """
    kept = list(plain)
    for found in filter(None, decoded):
        low, high = min(m.start for m in found), max(m.end for m in found)
        first = bisect_right(kept, low, key=lambda m: m.end)
        last = bisect_left(kept, high, key=lambda m: m.start)
        near = kept[first:last]
        new = [m for m in found if all(_says(m) > _says(k) for k in near if _share(m, k))]
        old = [k for k in near if not any(_share(m, k) for m in new)]
        kept[first:last] = sorted((*old, *new), key=lambda m: (m.start, m.end))
    return kept


def without_secret_names(matches: Sequence[Match]) -> list[Match]:
    """The matches, in order, without the names that are, or are part of, another value.

    In a list of tokens each stands where the name of the next one would, in `-u KEY:SECRET` a key.
    """
    named, reach = [], 0
    for match in matches:
        within = match.name_start < reach and not match.layers
        hidden = match.name and (within or is_random(match.name.decode("latin-1")))
        named.append(match._replace(name=b"") if hidden else match)
        reach = max(reach, match.end)
    return named


def joined(
    matches: Sequence[Match], found: Sequence[Found], data: bytes, rules: Mapping[str, Rule]
) -> list[Match]:
    """Our matches and those of detect-secrets, one for each value in one place.

    `rules` gives the rule of each kind of theirs. Where both found a value ours stands, since it
    says more; where only they did, the gravest of their kinds.
    """
    own = list(matches)
    starts = [match.start for match in own]
    lines = _line_starts(data) if any(each.start < 0 for each in found) else ()
    theirs: dict[tuple[int, int, bytes], list[Found]] = {}
    for each in found:
        value = each.secret.encode(errors="replace")
        at = _overlapping(own, starts, each.start, each.end)
        if at is None:
            start, end = _span(lines, each)
            theirs.setdefault((start, end, value), []).append(each)
        else:
            mine = own[at]
            shared = min(each.end, mine.end) - max(each.start, mine.start)
            known = _known(each)._replace(identifies=2 * shared > len(mine.value))
            own[at] = mine._replace(detect_secrets=(*mine.detect_secrets, known))
    for (start, end, value), alike in theirs.items():
        rule = max((rules[each.kind] for each in alike), key=lambda r: (r.severity, r.confidence))
        detect_secrets = tuple(map(_known, alike))
        own.append(Match(start, end, rule, value, rule.confidence, b"", start, detect_secrets))
    return sorted(own, key=lambda m: (m.start, m.end, m.rule.id, m.value))


def _weight(match: Match) -> tuple[int, int, int, bool]:
    """A rule with a format of its own says more about a value than the place or the id that it
    stands beside, and those more than its name; of two alike the one whose vendor is named."""
    return _says(match), match.confidence, match.rule.severity, match.rule.named


def _says(match: Match) -> int:
    return 2 if match.rule.beside else _BY_PLACE.get(match.rule.check, 3)


def _share(one: Match, other: Match) -> bool:
    return one.start < other.end and other.start < one.end


def _overlapping(own: Sequence[Match], starts: Sequence[int], start: int, end: int) -> int | None:
    """The first of our matches, in order and apart from each other, that shares these bytes."""
    at = max(bisect_right(starts, start) - 1, 0)
    places = (
        i for i in range(at, min(at + 2, len(own))) if own[i].start < end and start < own[i].end
    )
    return next(places, None) if start >= 0 else None


def _line_starts(data: bytes) -> Sequence[int]:
    return list(accumulate((len(line) + 1 for line in data.split(b"\n")), initial=0))


def _span(lines: Sequence[int], found: Found) -> tuple[int, int]:
    """Where the value stands; where it does not stand there as such, the beginning of its line."""
    if found.start >= 0:
        return found.start, found.end
    at = lines[min(found.line, len(lines) - 1) - 1]
    return at, at


def _known(found: Found) -> DetectSecretsMatch:
    return DetectSecretsMatch(kind=found.kind, hashed_secret=found.hashed_secret, line=found.line)
