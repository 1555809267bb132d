"""Detect: one file's bytes -> Observation. Plaintext ends here.

The matcher says where to look; only there the exact pattern runs, in a linear engine, on the line
(or the window) around the hit. Then come the rule's edges, entropy and check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scanner import cache
from scanner.detect import comments, mask
from scanner.detect.assignments import shannon
from scanner.detect.matcher import Hit
from scanner.detect.matches import Match, joined, without_overlaps
from scanner.detect.pieces import Buffer, Place
from scanner.detect.rulebook import Rule
from scanner.detect.verify import CHECKS, Candidate
from scanner.model import AllowComment, Confidence, Finding, Location

if TYPE_CHECKING:
    from scanner.detect.classic import Found

_BEFORE = 1024
_AFTER = 8192
_AFTER_MULTILINE = 65536
_LONGEST_MULTILINE = 16384

_NAME = re.compile(
    rb"""([A-Za-z_][\w.\-]{0,63})["'`\])\\]{0,3}[ \t]{0,8}"""
    rb"""(?:(?::[ \t]{0,2}[\w<>\[\]?.*]{1,30}[ \t]{0,4})?={1,3}"""
    rb"""|=>|:=|->|\|\|=|\?\?=|!={1,2}|:|,|\(|>)[ \t]{0,8}[rbuf@$]{0,2}\\?["'`]{0,3}$"""
)
_IDENTIFIER = re.compile(rb"[\w.\-]*")
_IDENTIFIER_BYTE = [bool(re.match(rb"[\w.\-]", bytes([i]))) for i in range(256)]
_QUOTED = re.compile(rb"""[rbuf@]{0,2}(["'`]).+\1""", re.DOTALL)


class Seen(NamedTuple):
    """What one piece of a file holds, in its order."""

    findings: list[Finding]
    comments: list[AllowComment]


class Engine:
    """Rules, compiled when first needed, for any number of files."""

    def __init__(self, rules: Sequence[Rule], classic_rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._classic_rules = classic_rules
        self._compiled: dict[int, tuple[Any, int]] = {}
        self._edges: dict[str, re.Pattern[bytes]] = {}

    def examine(
        self,
        path: str,
        buffer: Buffer,
        hits: Sequence[Hit],
        place: Place,
        classic: Sequence[Found] = (),
    ) -> Seen:
        """The findings and comments of one piece of a file, which begins at `place`.

        `classic`: what the detect-secrets layer found; then the piece is the whole file.
        """
        matches = self._matches(path, buffer, hits)
        if classic:
            matches = joined(matches, classic, buffer.data, self._classic_rules)
        return Seen(
            list(_findings(path, buffer.data, matches, place.copy())),
            list(self._comments(path, buffer, hits, matches, place.copy())),
        )

    def examine_name(self, path: str, hits: Sequence[Hit]) -> tuple[str, list[Finding]]:
        """The secrets that stand in a file's name, and the name with them masked."""
        data = path.encode(errors="surrogateescape")
        matches = self._matches("", Buffer(data, 0, len(data), 0), hits)
        masked, at = b"", 0
        for match in matches:
            masked += data[at : match.start] + _preview(match).encode()
            at = match.end
        shown = (masked + data[at:]).decode(errors="surrogateescape")
        detail = "in the file's name"
        return shown, [_finding(shown, m, Location(path=shown), detail) for m in matches]

    def _matches(self, path: str, buffer: Buffer, hits: Sequence[Hit]) -> list[Match]:
        """The values found in a buffer, in order, of overlapping ones the likeliest."""
        by_rule: dict[int, list[int]] = {}
        for index, to in hits:
            if index < len(self._rules):
                by_rule.setdefault(index, []).append(to)
        found = [
            match
            for index in sorted(by_rule)
            for match in self._run(index, path, buffer.data, sorted(by_rule[index]))
            if buffer.first <= match.start < buffer.last
        ]
        return without_overlaps(found)

    def _run(self, index: int, path: str, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
        """The exact pattern of one rule, on the windows around its hits."""
        rule = self._rules[index]
        search, group = self._exact(index)
        seen: set[int] = set()
        covered = -1
        for to in ends:
            if to <= covered:
                continue
            low, high, covered = _window(data, to, rule)
            window = data[low:high]
            for m in search(window):
                start, end = _without_quotes(window, *m.span(group))
                if low + start not in seen:
                    seen.add(low + start)
                    match = self._judge(rule, path, window, m, (start, end))
                    if match:
                        yield Match(low + start, low + end, rule, window[start:end], *match)

    def _judge(
        self, rule: Rule, path: str, window: bytes, m: Any, span: tuple[int, int]
    ) -> tuple[Confidence, bytes] | None:
        """The confidence and the name of a match that stands up to its rule's demands."""
        start, end = span
        if rule.edges and self._edge(rule.edges, window, start, end):
            return None
        value = window[start:end]
        if rule.entropy and shannon(value) < rule.entropy:
            return None
        line_start = window.rfind(b"\n", 0, start) + 1
        name = _name(rule, window, m.start(), max(line_start, start - 160), start)
        confidence: Confidence | None = rule.confidence
        if rule.check:
            line_end = window.find(b"\n", end)
            line = window[line_start : line_end if line_end >= 0 else len(window)]
            confidence = CHECKS[rule.check](Candidate(value, m.group(0), name, line, path))
        return None if confidence is None else (confidence, name)

    def _edge(self, edges: str, window: bytes, start: int, end: int) -> bool:
        """Does a character of the class `edges` touch the value?"""
        regex = self._edges.get(edges)
        if regex is None:
            regex = self._edges[edges] = re.compile(b"[" + edges.encode() + b"]")
        return bool((start and regex.match(window, start - 1)) or regex.match(window, end))

    def _exact(self, index: int) -> tuple[Any, int]:
        """The rule's `finditer`, and the number of the group that is the value."""
        if index not in self._compiled:
            rule = self._rules[index]
            flags = "(?mi)" if rule.ignore_case else "(?m)"
            pattern = linear((flags + rule.pattern).encode())
            names = pattern.groupindex  # text in `re`, bytes in RE2
            group = names.get("secret") or names.get(b"secret") or 0
            self._compiled[index] = pattern.finditer, group
        return self._compiled[index]

    def _comments(
        self,
        path: str,
        buffer: Buffer,
        hits: Sequence[Hit],
        matches: Sequence[Match],
        place: Place,
    ) -> Iterator[AllowComment]:
        """The allow comments of a buffer; a secret inside one is masked before it is read."""
        data = buffer.data
        first = len(self._rules)
        last = first + len(comments.ANCHORS)
        ends = sorted({to for i, to in hits if first <= i < last})
        previous = -1
        for to in ends:
            start = data.rfind(b"\n", max(0, to - _BEFORE), to) + 1
            if start == previous or not buffer.first <= to < buffer.last:
                continue
            previous = start
            end = data.find(b"\n", to, to + _BEFORE)
            end = end if end >= 0 else min(to + _BEFORE, len(data))
            place.move(data, to)
            comment = comments.parse(_masked(data, start, end, matches), path, place.line)
            if comment:
                yield comment


def linear(pattern: bytes) -> Any:
    """A compiled pattern of the linear engine; of `re` where google-re2 has no wheel."""
    try:
        import re2
    except ImportError:
        return re.compile(pattern)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    return re2.compile(pattern, options)


def _window(data: bytes, to: int, rule: Rule) -> tuple[int, int, int]:
    """Where to run the exact pattern for a hit that ends at `to`, and up to where that is all."""
    if rule.multiline:
        low = max(0, to - _BEFORE)
        high = min(len(data), to + _AFTER_MULTILINE)
        return low, high, high if high == len(data) else high - _LONGEST_MULTILINE
    low = data.rfind(b"\n", max(0, to - _BEFORE), to) + 1 or max(0, to - _BEFORE)
    end = data.find(b"\n", to, to + _AFTER)
    if end >= 0:
        return low, end, end
    high = min(len(data), to + _AFTER)
    return low, high, high if high == len(data) else high - _BEFORE


def _name(rule: Rule, window: bytes, match: int, low: int, start: int) -> bytes:
    """The identifier that the value at `start` is given to, b"" for none.

    A rule with a name matched inside it; for any other it is looked for, not before `low`.
    """
    if not rule.named:
        found = _NAME.search(window, low, start)
        return found.group(1) if found else b""
    whole = _IDENTIFIER.match(window, match)
    while match > low and _IDENTIFIER_BYTE[window[match - 1]]:
        match -= 1
    return window[match : whole.end() if whole else start][:64]


def _without_quotes(window: bytes, start: int, end: int) -> tuple[int, int]:
    quoted = _QUOTED.fullmatch(window, start, end)
    return (quoted.end(1), end - 1) if quoted else (start, end)


def _findings(path: str, data: bytes, matches: Sequence[Match], place: Place) -> Iterator[Finding]:
    for match in matches:
        line, column = place.move(data, match.start)
        end_line, end_column = place.ahead(data, match.end)
        location = Location(
            path=path, line=line, column=column, end_line=end_line, end_column=end_column
        )
        yield _finding(path, match, location)


def _finding(path: str, match: Match, location: Location, detail: str = "") -> Finding:
    return Finding(
        rule=match.rule.id,
        location=location,
        severity=match.rule.severity,
        confidence=match.confidence,
        preview=_preview(match),
        context=mask.text(match.name),
        detail=detail,
        tag=_tag(path, match.value),
        classic=match.classic,
    )


def _preview(match: Match) -> str:
    return mask.preview(match.value, () if match.rule.named else match.rule.keywords)


def _tag(path: str, value: bytes) -> int:
    """16 bits: enough to notice a new value, too little to confirm a guess (design law 10)."""
    salt = b"keywatch-tag-1\0" + path.encode(errors="surrogateescape") + b"\0"
    return int.from_bytes(cache.digest(salt + value)[:2], "big")


def _masked(data: bytes, start: int, end: int, matches: Sequence[Match]) -> str:
    out, at = "", start
    for match in matches:
        if match.end > at and match.start < end:
            out += mask.text(data[at : max(match.start, at)]) + "…"
            at = min(match.end, end)
    return out + mask.text(data[at:end])
