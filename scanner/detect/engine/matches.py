"""Detect: the values found in one piece of a file, and which one wins if several overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from scanner.detect.rules.model import Rule
from scanner.detect.values.assignments import is_random
from scanner.model import Confidence, DetectSecretsMatch, Severity

if TYPE_CHECKING:
    from scanner.detect.detect_secrets.found import FoundSecret

# How much these checks know about a value. Every other rule knows more: it has a format of its own.
_RANK_BY_CHECK = {
    "assigned-value": 0,
    "vague-key": 0,
    "service-key": 0,
    "configured": 1,
    "templated": 1,
    "command-argument": 2,
    "command-setting": 2,
    "manifest-value": 2,
}


class Match(NamedTuple):
    """A value that a rule found, with offsets into its piece of the file. It holds plaintext.

    name, name_start: the name that the value is assigned to, and its offset.
    detect_secrets: detect-secrets' findings of the same value.
    severity: replaces the severity of the rule, if given.
    is_placeholder: the value is a placeholder, so it becomes a note and not a finding.
    layers: the encodings around the value, the innermost first.
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
    """Keep one of the matches that share bytes: see `_weight`."""
    kept: list[Match] = []
    for match in sorted(found, key=lambda m: (m.start, -m.end, m.rule.id)):
        if not kept or kept[-1].end <= match.start:
            kept.append(match)
        elif _weight(match) > _weight(kept[-1]):
            kept[-1] = match
    return kept


def with_decoded(plain: Sequence[Match], decoded: Iterable[Sequence[Match]]) -> list[Match]:
    """Merge the matches of the plain text with those of each text that is encoded in it.

    `plain` is sorted and without overlaps. If matches share bytes, the plain text wins, unless only
    the decoded value has a format of its own. Matches from one encoded text do not compete with
    each other: all values in a gzip stream have the same span.
    """
    kept = list(plain)
    for found in filter(None, decoded):
        low, high = min(m.start for m in found), max(m.end for m in found)
        first = bisect_right(kept, low, key=lambda m: m.end)
        last = bisect_left(kept, high, key=lambda m: m.start)
        near = kept[first:last]
        new = [m for m in found if all(_rank(m) > _rank(k) for k in near if _share(m, k))]
        old = [k for k in near if not any(_share(m, k) for m in new)]
        kept[first:last] = sorted((*old, *new), key=lambda m: (m.start, m.end))
    return kept


def without_secret_names(matches: Sequence[Match]) -> list[Match]:
    """Remove names that are part of another secret value, so that no report shows them.

    In a list of tokens, each token stands where the name of the next one would be. In
    `-u KEY:SECRET` the key does.
    """
    named, reach = [], 0
    for match in matches:
        within = match.name_start < reach and not match.layers
        hidden = match.name and (within or is_random(match.name.decode("latin-1")))
        named.append(match._replace(name=b"") if hidden else match)
        reach = max(reach, match.end)
    return named


def merge_detect_secrets(
    matches: Sequence[Match], found: Sequence[FoundSecret], data: bytes, rules: Mapping[str, Rule]
) -> list[Match]:
    """Merge our matches with those of detect-secrets: one match for each value.

    `rules` maps each detect-secrets type to its rule. If both tools found a value, our match stays,
    because it says more. If only detect-secrets found it, its most severe type is used.
    """
    own = list(matches)
    starts = [match.start for match in own]
    lines = _line_starts(data) if any(each.start < 0 for each in found) else ()
    theirs: dict[tuple[int, int, bytes], list[FoundSecret]] = {}
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
        own.append(
            Match(
                start=start,
                end=end,
                rule=rule,
                value=value,
                confidence=rule.confidence,
                name=b"",
                name_start=start,
                detect_secrets=detect_secrets,
            )
        )
    return sorted(own, key=lambda m: (m.start, m.end, m.rule.id, m.value))


def _weight(match: Match) -> tuple[int, int, int, bool]:
    """Rank overlapping matches: by what the rule knows, then confidence, severity and vendor name.

    A rule with a format of its own knows more about a value than its location or the ID near it
    does, and these know more than the name before the value.
    """
    return _rank(match), match.confidence, match.rule.severity, match.rule.named


def _rank(match: Match) -> int:
    return 2 if match.rule.beside else _RANK_BY_CHECK.get(match.rule.check, 3)


def _share(one: Match, other: Match) -> bool:
    return one.start < other.end and other.start < one.end


def _overlapping(own: Sequence[Match], starts: Sequence[int], start: int, end: int) -> int | None:
    """Return the index of our first match that shares these bytes. `own` has no overlaps."""
    at = max(bisect_right(starts, start) - 1, 0)
    places = (
        i for i in range(at, min(at + 2, len(own))) if own[i].start < end and start < own[i].end
    )
    return next(places, None) if start >= 0 else None


def _line_starts(data: bytes) -> Sequence[int]:
    return list(accumulate((len(line) + 1 for line in data.split(b"\n")), initial=0))


def _span(lines: Sequence[int], found: FoundSecret) -> tuple[int, int]:
    """Return the span of the value; if it is not in the text as such, the start of its line."""
    if found.start >= 0:
        return found.start, found.end
    at = lines[min(found.line, len(lines) - 1) - 1]
    return at, at


def _known(found: FoundSecret) -> DetectSecretsMatch:
    return DetectSecretsMatch(kind=found.kind, hashed_secret=found.hashed_secret, line=found.line)
