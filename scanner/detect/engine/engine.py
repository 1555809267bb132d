"""Detect: one file's bytes -> Observation. Plaintext ends here.

The matcher says where to look; only there the exact pattern runs, in a linear engine, on the line
(or the window) around the hit. Then come the rule's edges, entropy and check.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from scanner.detect.checks.checks import CHECKS, SEEK_RANDOM, Candidate
from scanner.detect.engine import allow_comments as comments
from scanner.detect.engine import observations
from scanner.detect.engine.assigned_name import name_of
from scanner.detect.engine.chunks import Buffer, Cursor
from scanner.detect.engine.linear_regex import linear, name_group, secret_group
from scanner.detect.engine.matches import (
    Match,
    joined,
    with_decoded,
    without_overlaps,
    without_secret_names,
)
from scanner.detect.engine.windows import Window, line_start, window_around
from scanner.detect.explain.trace import Choice, Refusal, Trace
from scanner.detect.prefilter.matcher import Hit
from scanner.detect.prefilter.pattern_ids import numbering
from scanner.detect.rules.model import Rule
from scanner.detect.rules.rulebook import Rulebook
from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values import likelihood
from scanner.detect.values.assignments import MAY_GO_ON, WRAP, continued, shannon
from scanner.detect.values.placeholders import is_sample
from scanner.model import AllowComment, Confidence, Finding, Location, Note

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import Inner
    from scanner.detect.detect_secrets.found import Found
    from scanner.detect.structure.config_detector import Compliance

_AROUND_COMMENT = 1024
_BEFORE_SHARED = 128  # bytes: a name, an assignment, and where its value begins
_REPEATED, _MOST_BARREN = 512, 1000  # size and number of the lines that may come again
_MOST_MATCHES = 20_000  # of one rule in one piece, more than a report holds; and comments

_UNWRAPPED = bytes.maketrans(b"\r\n", WRAP * 2)  # name and value in two lines are judged as in one
_QUOTED = re.compile(rb"""[rbuf@$]{0,2}(\\?["'`]).+\1""", re.DOTALL)


class Seen(NamedTuple):
    """What one piece of a file holds, in its order. `degraded`: why its structure was not read."""

    findings: list[Finding]
    comments: list[AllowComment]
    notes: list[Note]
    degraded: str = ""


class Engine:
    """Rules, compiled when first needed, for any number of files. `trace` is told what becomes of
    each value."""

    def __init__(self, book: Rulebook, trace: Trace | None = None) -> None:
        self._book = book
        self._trace = trace
        self._rules = book.rules
        self._compiled: dict[tuple[str, int], _Exact] = {}
        self._edges: dict[str, re.Pattern[bytes]] = {}

    def examine(
        self,
        path: str,
        buffer: Buffer,
        hits: Sequence[Hit],
        place: Cursor,
        beside: tuple[Sequence[Found], Sequence[Inner]] = ((), ()),
    ) -> Seen:
        """The findings and comments of one piece of a file, which begins at `place`.

        `beside`: what the detect-secrets layer found, for a piece that is the whole file; and the
        texts that are encoded in the piece.
        """
        detect_secrets, inner = beside
        if self._trace:
            self._trace.begins(path, buffer, place)
        plain, degraded = self._matches(path, buffer, hits)
        met = with_decoded(plain, (self._decoded(each, buffer) for each in inner))
        noted = [match for match in met if match.is_placeholder]
        matches = [match for match in met if not match.is_placeholder]
        if detect_secrets:
            both = joined(matches, detect_secrets, buffer.data, self._book.detect_secrets_rules)
            matches = without_secret_names(both)
        return Seen(
            list(observations.findings(path, buffer.data, matches, place.copy())),
            list(islice(self._comments(path, buffer, hits, met, place.copy()), _MOST_MATCHES)),
            list(observations.notes(path, buffer.data, noted, place.copy())),
            degraded,
        )

    def examine_name(self, path: str, hits: Sequence[Hit]) -> tuple[str, list[Finding]]:
        """The secrets that stand in a file's name, and the name with them masked."""
        data = path.encode(errors="surrogateescape")
        matches, _ = self._matches("", Buffer(data, 0, len(data), 0), hits)
        masked, at = b"", 0
        for match in matches:
            masked += data[at : match.start] + observations.preview(match).encode()
            at = match.end
        shown = (masked + data[at:]).decode(errors="surrogateescape")
        detail = "in the file's name"
        return shown, [
            observations.finding(shown, m, Location(path=shown), detail) for m in matches
        ]

    def _matches(self, path: str, buffer: Buffer, hits: Sequence[Hit]) -> tuple[list[Match], str]:
        """The values found in a buffer, in order, of overlapping ones the likeliest; and why the
        structure of the file was not read, where it should have been.

        Those of its neighbours, too, up to here: they may overlap, or be taken for a name.
        """
        by_rule: dict[int, list[int]] = {}
        for index, to in hits:
            if index in self._rules:
                by_rule.setdefault(index, []).append(to)
        self._part(by_rule, buffer.data)
        if off := self._book.disabled:
            by_rule = {n: ends for n, ends in by_rule.items() if self._rules[n].id not in off}
        found: list[Match] = []
        candidates: dict[str, list[Match]] = {}
        for index in sorted(by_rule):
            rule = self._rules[index]
            if rule.group:
                self._seek(rule, path, buffer.data, by_rule[index], candidates)
            else:
                run = self._run(rule, path, buffer.data, sorted(by_rule[index]))
                found += islice(run, 1 if rule.once else _MOST_MATCHES)
        degraded = ""
        if candidates:
            in_structure, degraded = self._in_structure(path, buffer, candidates)
            found += in_structure
        kept = without_secret_names(without_overlaps(found))
        if self._trace:
            self._trace.chosen(Choice(path, buffer.data, by_rule, found, kept))
        here = (match for match in kept if buffer.first <= match.start < buffer.last)
        likely = (likelihood.weighed(match, path, buffer.data, self._book) for match in here)
        return [match for match in likely if match is not None], degraded

    def _part(self, by_rule: dict[int, list[int]], data: bytes) -> None:
        """Give the hits of an anchor that rules share to those whose keywords stand before them."""
        for index in [number for number in by_rule if self._rules[number].shares]:
            shares = self._rules[index].shares
            for to in by_rule.pop(index):
                before = data[line_start(data, to, _BEFORE_SHARED) : to].lower().decode("latin-1")
                for number in {n for word, numbers in shares if word in before for n in numbers}:
                    by_rule.setdefault(number, []).append(to)

    def _decoded(self, inner: Inner, buffer: Buffer) -> list[Match]:
        """What an encoded text holds, in the places of the buffer that stand for it.

        It has no name, so it is neither code nor structured: a line tells what there is to tell.
        """
        text = Buffer(inner.data, 0, len(inner.data), 0)
        if self._trace:
            self._trace.decoded(inner)
        matches = []
        for match in self._matches("", text, inner.hits)[0]:
            start, end = inner.span(match.start, match.end)
            if buffer.first <= start < buffer.last:
                placed = match._replace(start=start, end=end, name_start=start)
                matches.append(placed._replace(layers=inner.layers))
        return matches

    def _seek(
        self,
        rule: Rule,
        path: str,
        data: bytes,
        ends: Sequence[int],
        candidates: dict[str, list[Match]],
    ) -> None:
        """Note the group of a rule that only looks for candidates, where it has one."""
        if rule.group not in self._book.groups or not file_kind(path).reader:
            return
        if rule.needs and not linear(rule.needs).search(data):
            return
        met = list(islice(self._run(rule, path, data, sorted(ends)), _MOST_MATCHES))
        if met or not rule.pattern:
            candidates.setdefault(rule.group, []).extend(met)

    def _in_structure(
        self, path: str, buffer: Buffer, candidates: Mapping[str, Sequence[Match]]
    ) -> tuple[list[Match], str]:
        """What the rules on structure find; where it cannot be read, the candidates by line."""
        from scanner.detect.structure import NotParsedError

        by_line = [match for group in candidates.values() for match in group]
        if buffer.first or buffer.following < len(buffer.data):
            return self._compliance.by_line(path, by_line, buffer.data), "it is too large"
        try:
            found = self._compliance.examine(path, file_kind(path), buffer.data, candidates)
            return list(islice(found, _MOST_MATCHES)), ""
        except NotParsedError as error:
            return self._compliance.by_line(path, by_line, buffer.data), str(error)

    @functools.cached_property
    def _compliance(self) -> Compliance:
        from scanner.detect.structure.config_detector import Compliance

        return Compliance(self._book.config_rules)

    def _run(self, rule: Rule, path: str, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
        """The exact pattern of one rule, on the windows around its hits."""
        if not rule.pattern or (rule.files and not is_for(rule, path)):
            return
        if not rule.anchor:
            yield from self._run_whole(rule, path, data)
            return
        seen: set[int] = set()
        barren: set[bytes] = set()  # files repeat their lines
        is_of_lines = rule.lines == 1 and not rule.multiline  # then no window overlaps another
        covered = -1
        for to in ends:
            if to <= covered:
                continue
            window = window_around(data, to, rule)
            covered = window.covered
            if window.text in barren:
                continue
            found, covered = self._in_window(rule, path, data, window, seen)
            is_small = len(window.text) <= _REPEATED and len(barren) < _MOST_BARREN
            if not found and is_of_lines and is_small and not self._trace:
                barren.add(window.text)
            yield from found

    def _in_window(
        self, rule: Rule, path: str, data: bytes, window: Window, seen: set[int]
    ) -> tuple[list[Match], int]:
        """What stands in the window of a hit, and up to where hits need no other one.

        `seen`: where values begin that were judged before.
        """
        found: list[Match] = []
        if rule.beside and not linear(rule.beside).search(window.text):
            return found, window.covered
        exact, reached = self._exact(rule), 0
        for m in exact.search(window.text):
            if m.start() < reached:
                continue  # in the value before
            if not rule.beside and window.cuts(m):
                return found, window.low + m.start()  # its own hit comes later, with more after it
            start, reached = exact.valued(m, window.text)
            start, end = _without_quotes(window.text, start, reached)
            at = window.low + start
            if 0 <= start < end and at not in seen:
                seen.add(at)
                if self._touches(rule, data, at, window.low + end):
                    self._refuse(rule, window, (start, end), Refusal.EDGES)
                else:
                    value = _Value(start, end)
                    if rule.named and rule.check in MAY_GO_ON:
                        value = _Value(start, end, *continued(path, data, window.low + end))
                    found += self._judged(rule, path, window, exact.named(m), value)
        return found, window.covered

    def _run_whole(self, rule: Rule, path: str, data: bytes) -> Iterator[Match]:
        """A rule that its file's name alone calls for, on all that there is."""
        exact, window = self._exact(rule), Window(data, 0, len(data))
        for m in exact.search(window.text):
            start, end = _without_quotes(window.text, *exact.valued(m, window.text))
            if 0 <= start < end:
                yield from self._judged(rule, path, window, exact.named(m), _Value(start, end))

    def _judged(
        self,
        rule: Rule,
        path: str,
        window: Window,
        named: tuple[int, int],
        found: _Value,
    ) -> Iterator[Match]:
        """The match with its name and value at these places of the window, if it stands up to its
        rule's demands."""
        start, end, more, last = found
        text, span = window.text, (start, end)
        value = text[start:end] + more
        if rule.entropy and shannon(value) < rule.entropy:
            self._refuse(rule, window, span, Refusal.ENTROPY)
            return
        low, high = named
        line = text.rfind(b"\n", 0, low if rule.named else start) + 1
        if high < 0:
            low, high = name_of(rule, text, low, max(line, start - 160), start)
        name = text[low:high]
        confidence: Confidence | None = rule.confidence
        if rule.check:
            line_end = text.find(b"\n", end)
            after = text[end : line_end if line_end >= 0 else len(text)]
            whole = text[line:start].translate(_UNWRAPPED) + value + after
            confidence = CHECKS[rule.check](Candidate(value, name, whole, start - line, path))
        is_example = confidence is None and rule.check in SEEK_RANDOM and is_sample(value)
        if confidence is None and not is_example:
            self._refuse(rule, window, span, Refusal.CHECK, (low, high))
            return
        at, sure = window.low, confidence or rule.confidence
        if not rule.named:
            sure = min(sure, rule.confidence)  # a check of the form says no more than the form does
        match = Match(at + start, last or at + end, rule, value, sure, name, at + low)
        yield match._replace(is_placeholder=is_example)

    def _refuse(
        self,
        rule: Rule,
        window: Window,
        span: tuple[int, int],
        why: Refusal,
        named: tuple[int, int] = (0, 0),
    ) -> None:
        if self._trace:
            (start, end), (low, high), at = span, named, window.low
            value, name = window.text[start:end], window.text[low:high]
            match = Match(at + start, at + end, rule, value, rule.confidence, name, at + low)
            self._trace.refused(match, why)

    def _touches(self, rule: Rule, data: bytes, start: int, end: int) -> bool:
        """Does a character of the rule's class `edges` touch the value?"""
        if not rule.edges:
            return False
        regex = self._edges.get(rule.edges)
        if regex is None:
            regex = self._edges[rule.edges] = re.compile(b"[" + rule.edges.encode() + b"]")
        return bool((start and regex.match(data, start - 1)) or regex.match(data, end))

    def _exact(self, rule: Rule) -> _Exact:
        key = rule.id, rule.lines
        if key not in self._compiled:
            flags = "(?mi)" if rule.ignore_case else "(?m)"
            pattern = linear(flags + rule.pattern)
            groups = secret_group(pattern), name_group(pattern)
            value = linear(rule.value).match if rule.value else None
            self._compiled[key] = _Exact(pattern.finditer, *groups, value)
        return self._compiled[key]

    def _comments(
        self,
        path: str,
        buffer: Buffer,
        hits: Sequence[Hit],
        matches: Sequence[Match],
        place: Cursor,
    ) -> Iterator[AllowComment]:
        """The allow comments of a buffer; a secret inside one is masked before it is read."""
        data = buffer.data
        first = numbering(len(self._rules))
        ends = sorted({to for i, to in hits if first.comments <= i < first.detect_secrets})
        read = 0
        for to in ends:
            if to <= read or not buffer.first <= to < buffer.last:
                continue
            start = max(line_start(data, to, _AROUND_COMMENT), read)
            end = data.find(b"\n", to, to + _AROUND_COMMENT)
            end = end if end >= 0 else min(to + _AROUND_COMMENT, len(data))
            read = end
            place.move(data, to)
            comment = comments.parse(
                observations.masked(data, start, end, matches), path, place.line
            )
            if comment:
                yield comment


def is_for(rule: Rule, path: str) -> bool:
    """Is the file one of those that the rule is for?"""
    return bool(linear(rule.files).search(path.encode(errors="surrogateescape")))


class _Value(NamedTuple):
    """Where a value stands in a window; what the literals joined to it hold, and where the last of
    them ends in the piece, 0 where there is none."""

    start: int
    end: int
    more: bytes = b""
    last: int = 0


class _Exact(NamedTuple):
    """A rule's `finditer`, and the numbers of the groups that are the value and its name.

    `value`: matches a value at its first character. What may stand in one (quotes, templates) makes
    a pattern of many states, and tried at each place of a line it is fifty times slower.
    """

    search: Any
    secret: int
    name: int
    value: Any = None

    def valued(self, m: Any, text: bytes) -> tuple[int, int]:
        """Where the value of a match begins and ends, -1 where there is none."""
        start, end = m.span(self.secret)
        if self.value is None or start < 0:
            return start, end
        whole = self.value(text, start)
        return whole.span() if whole else (-1, -1)

    def named(self, m: Any) -> tuple[int, int]:
        """Where the name of a match begins and ends, the end -1 where only its text tells."""
        start, end = m.span(self.name)
        return (start, end) if self.name and start >= 0 else (m.start(), -1)


def _without_quotes(window: bytes, start: int, end: int) -> tuple[int, int]:
    quoted = _QUOTED.fullmatch(window, start, end)
    if not quoted:
        return start, end
    closing = end - len(quoted[1])
    if window[start - 1 : start] == window[closing - 1 : closing] == b"\\":
        closing -= 1  # `\"value\"` in a string
    return quoted.end(1), closing
