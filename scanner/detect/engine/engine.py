"""Detect: run the rules on one piece of a file, only around the hits of the prefilter.

A rule's exact pattern runs in the linear engine, on the line or window around each hit. The value
must then pass the rule's edges, minimum entropy and check. The results hold no plaintext.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scanner.detect.checks.checks import CHECKS, CHECKSUMS, REQUIRE_RANDOM, Candidate
from scanner.detect.engine import allow_comments, observations
from scanner.detect.engine.assigned_name import name_of
from scanner.detect.engine.chunks import Buffer, Cursor, PieceHits
from scanner.detect.engine.linear_regex import linear, name_group, secret_group
from scanner.detect.engine.matches import (
    Match,
    merge_detect_secrets,
    with_decoded,
    without_overlaps,
    without_secret_names,
)
from scanner.detect.engine.windows import Window, line_start, window_around
from scanner.detect.explain.trace import MatchSelection, Requirement, Trace
from scanner.detect.prefilter.matcher import Hit
from scanner.detect.prefilter.pattern_ids import numbering
from scanner.detect.rules.model import Rule
from scanner.detect.rules.rulebook import Rulebook
from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values import likelihood
from scanner.detect.values.assignments import JOINABLE_CHECKS, WRAP, joined_literals, shannon
from scanner.detect.values.placeholders import is_sample
from scanner.lazy_pattern import lazy
from scanner.model import AllowComment, Confidence, Finding, Location, Note

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import DecodedText
    from scanner.detect.structure.config_detector import ConfigDetector

_AROUND_COMMENT = 1024  # bytes
_BEFORE_SHARED = 128  # bytes: room for a name, an operator and the first bytes of the value
_BEFORE_VALUE = 160  # bytes in which the name of a value is searched
# Files repeat their lines, so windows without a match are remembered: up to this size and number.
_MAX_REMEMBERED_SIZE, _MAX_REMEMBERED = 512, 1000
_MAX_MATCHES = 20_000  # of one rule in one piece, and comments: more than a report holds

# The work on one piece: the bytes that exact patterns read, and for each candidate as many as take
# the time of the rest. It is about a second for each megabyte of a file made to take long.
_MAX_WORK, _MAX_WORK_PER_BYTE, _WORK_OF_CANDIDATE = 576 << 20, 128, 12_000
_WORK_OF_MATCH = 30_000

# Joins a name and a value on two lines, so that they are judged as if on one line.
_UNWRAPPED = bytes.maketrans(b"\r\n", WRAP * 2)
# `"value"`, `b'value'`, `\"value\"`
_QUOTED = lazy(rb"""[rbuf@$]{0,2}(\\?["'`]).+\1""", re.DOTALL)
# An escape sequence just before a value. Its last character is not part of the value: `\n`, `\x22`,
# `\u0022`, `\u{22}`, `\033`, `%20`, `=3D`, `&quot;` and colours, as bytes or as `\e[1;31m`.
_ESCAPE = lazy(
    rb"(?:\\(?:[abefnrtv]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}"
    rb"|[0-7]{1,3})|%[0-9A-Fa-f]{2}|=3D|&\#?\w{1,8};"
    rb"|(?:\x1b|\\(?:x1[bB]|033|e|u001[bB]))\[[0-9;]{0,15}[A-Za-z])\Z"
)
_LONGEST_ESCAPE = 24  # bytes

_Item = TypeVar("_Item")


class PieceResult(NamedTuple):
    """What was found in one piece of a file, sorted by position.

    degraded: why the structure of the file was not parsed; "" if it was, or has none.
    cut: were there more candidates or comments than are judged?
    """

    findings: list[Finding]
    comments: list[AllowComment]
    notes: list[Note]
    degraded: str = ""
    cut: bool = False


class Engine:
    """Runs rules on any number of files. A rule is compiled when it is first needed.

    `trace` is told why each value is reported or ignored. Without `edges`, a value is also found
    inside a longer word: for masking, where too much is better than too little. With a `mac_key`,
    the tag of a finding is a MAC of its value.
    """

    def __init__(
        self,
        book: Rulebook,
        trace: Trace | None = None,
        *,
        edges: bool = True,
        mac_key: bytes | None = None,
    ) -> None:
        self._book = book
        self._trace = trace
        self._has_edges = edges
        self._tag = observations.keyed_tag(mac_key) if mac_key else None
        self._cut = False
        self._work = 0
        self._rules = book.rules
        self._compiled: dict[tuple[str, int], _ExactPattern] = {}
        self._edges: dict[str, re.Pattern[bytes]] = {}

    def examine(
        self,
        path: str,
        buffer: Buffer,
        hits: PieceHits,
        cursor: Cursor,
    ) -> PieceResult:
        """Return the findings, comments and notes of one piece, which begins at `cursor`."""
        self._cut = False
        self._work = _MAX_WORK + _MAX_WORK_PER_BYTE * len(buffer.data)
        if self._trace:
            self._trace.piece_started(path, buffer, cursor)
        plain, degraded = self._matches(path, buffer, hits.rules)
        found = with_decoded(plain, (self._decoded_matches(each, buffer) for each in hits.decoded))
        placeholders = [match for match in found if match.is_placeholder]
        matches = [match for match in found if not match.is_placeholder]
        if hits.detect_secrets:
            rules = self._book.detect_secrets_rules
            merged = merge_detect_secrets(matches, hits.detect_secrets, buffer.data, rules)
            matches = without_secret_names(merged)
        comments = self._comments(path, buffer, hits.rules, found, cursor.copy())
        return PieceResult(
            findings=list(
                observations.findings(path, buffer.data, matches, cursor.copy(), self._tag)
            ),
            comments=self._limited(comments),
            notes=list(observations.notes(path, buffer.data, placeholders, cursor.copy())),
            degraded=degraded,
            cut=self._cut,
        )

    def _limited(self, found: Iterable[_Item]) -> list[_Item]:
        """Return at most _MAX_MATCHES items, and remember if there were more."""
        items = list(islice(found, _MAX_MATCHES + 1))
        self._cut = self._cut or len(items) > _MAX_MATCHES
        return items[:_MAX_MATCHES]

    def examine_name(self, path: str, hits: Sequence[Hit]) -> tuple[str, list[Finding]]:
        """Return the file's name with its secrets masked, and the findings of these secrets."""
        data = path.encode(errors="surrogateescape")
        self._work = _MAX_WORK
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
        """Return the sorted matches of a buffer, and why its structure was not parsed, or "".

        Matches outside [first, last) take part until the end: they may overlap others, or be the
        name before another value.
        """
        by_rule: dict[int, list[int]] = {}
        for index, to in hits:
            if index in self._rules:
                by_rule.setdefault(index, []).append(to)
        self._assign_shared_hits(by_rule, buffer.data)
        if off := self._book.disabled:
            by_rule = {n: ends for n, ends in by_rule.items() if self._rules[n].id not in off}
        found: list[Match] = []
        candidates: dict[str, list[Match]] = {}
        anchors: dict[str, list[Rule]] = {}
        for index in sorted(by_rule):
            rule = self._rules[index]
            if rule.group:
                self._add_candidates(rule, path, buffer.data, by_rule[index], candidates)
                if not rule.pattern:
                    anchors.setdefault(rule.group, []).append(rule)
            else:
                run = self._run(rule, path, buffer.data, sorted(by_rule[index]))
                found += islice(run, 1) if rule.once else self._limited(run)
        degraded = ""
        if candidates:
            in_structure, degraded = self._in_structure(path, buffer, candidates, anchors)
            found += in_structure
        kept = without_secret_names(without_overlaps(found))
        if self._trace:
            self._trace.matches_selected(
                MatchSelection(
                    path=path, data=buffer.data, hits=by_rule, found=found, selected=kept
                )
            )
        own = (match for match in kept if buffer.first <= match.start < buffer.last)
        likely = (likelihood.weigh(match, path, buffer.data, self._book) for match in own)
        return [match for match in likely if match is not None], degraded

    def _assign_shared_hits(self, by_rule: dict[int, list[int]], data: bytes) -> None:
        """Give each hit of a shared anchor to the rules whose keywords stand before it."""
        for index in [number for number in by_rule if self._rules[number].shares]:
            shares = self._rules[index].shares
            for to in by_rule.pop(index):
                before = data[line_start(data, to, _BEFORE_SHARED) : to].lower().decode("latin-1")
                for number in {n for word, numbers in shares if word in before for n in numbers}:
                    by_rule.setdefault(number, []).append(to)

    def _decoded_matches(self, decoded: DecodedText, buffer: Buffer) -> list[Match]:
        """Return the matches in a decoded text, with their spans in the buffer around it.

        A decoded text has no path, so it is scanned neither as code nor as a structured file.
        """
        text = Buffer(decoded.data, 0, len(decoded.data), 0)
        if self._trace:
            self._trace.decoded_text_started(decoded)
        matches = []
        for match in self._matches("", text, decoded.hits)[0]:
            if match.rule.check == "vague-key":
                continue  # `"key": "…"` in serialized data is rarely a key to anything
            start, end = decoded.span(match.start, match.end)
            if buffer.first <= start < buffer.last:
                outer = match._replace(start=start, end=end, name_start=start)
                matches.append(outer._replace(layers=decoded.layers))
        return matches

    def _add_candidates(
        self,
        rule: Rule,
        path: str,
        data: bytes,
        ends: Sequence[int],
        candidates: dict[str, list[Match]],
    ) -> None:
        """Add the matches of a rule that finds candidates for the structure rules of its group."""
        if rule.group not in self._book.groups or not file_kind(path).reader:
            return
        if rule.needs and not linear(rule.needs).search(data):
            return
        found = self._limited(self._run(rule, path, data, sorted(ends)))
        if found or not rule.pattern:
            candidates.setdefault(rule.group, []).extend(found)

    def _in_structure(
        self,
        path: str,
        buffer: Buffer,
        candidates: Mapping[str, Sequence[Match]],
        anchors: Mapping[str, Sequence[Rule]],
    ) -> tuple[list[Match], str]:
        """Run the structure rules. If the file cannot be parsed, judge the candidates by line.

        Returns the matches, and why the file was not parsed ("" if it was).
        """
        from scanner.detect.structure import NotParsedError

        by_line = [match for group in candidates.values() for match in group]
        if buffer.first or buffer.following < len(buffer.data):
            lines = self._config_detector.detect_by_line(path, by_line, buffer.data)
            return lines, "it is too large"
        found: list[Match] = []
        matches = self._config_detector.detect(
            path, file_kind(path), buffer.data, candidates, anchors
        )
        try:
            for match in matches:
                found.append(match)
                self._work -= _WORK_OF_MATCH
                if len(found) > _MAX_MATCHES or self._work < 0:
                    self._cut = True
                    break
        except NotParsedError as error:
            if error.unparsed is not None:
                by_line = [
                    match
                    for match in by_line
                    if any(low <= match.start < high for low, high in error.unparsed)
                ]
            found += self._config_detector.detect_by_line(path, by_line, buffer.data)
            return found, str(error)
        return found, ""

    @functools.cached_property
    def _config_detector(self) -> ConfigDetector:
        from scanner.detect.structure.config_detector import ConfigDetector

        return ConfigDetector(self._book.config_rules)

    def _run(self, rule: Rule, path: str, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
        """Run the exact pattern of one rule on the windows around its hits."""
        if not rule.pattern or (rule.files and not is_for(rule, path)):
            return
        if not rule.anchor:
            yield from self._run_whole(rule, path, data)
            return
        judged: set[int] = set()
        without_match: set[bytes] = set()
        by_line = rule.lines == 1 and not rule.multiline  # then windows do not overlap
        covered = -1
        for to in ends:
            if to <= covered:
                continue
            window = window_around(data, to, rule)
            covered = window.covered
            if window.text in without_match:
                continue
            self._work -= len(window.text) + _WORK_OF_CANDIDATE
            if self._work < 0:
                self._cut = True
                return
            found, covered = self._in_window(rule, path, data, window, judged)
            is_small = len(window.text) <= _MAX_REMEMBERED_SIZE
            has_room = len(without_match) < _MAX_REMEMBERED
            if not found and by_line and is_small and has_room and not self._trace:
                without_match.add(window.text)
            yield from found

    def _in_window(
        self, rule: Rule, path: str, data: bytes, window: Window, judged: set[int]
    ) -> tuple[list[Match], int]:
        """Return the matches in a window, and the offset up to which hits need no other window.

        `judged` holds the offsets of the values that were judged in earlier windows.
        """
        found: list[Match] = []
        if rule.beside and not linear(rule.beside).search(window.text):
            return found, window.covered
        exact, reached = self._exact(rule), 0
        for m in exact.search(window.text):
            if m.start() < reached:
                continue  # it is part of the previous value
            if not rule.beside and window.cuts(m):
                return found, window.low + m.start()  # a later hit has a window with all of it
            start, reached = exact.value_span(m, window.text)
            self._work -= reached - start + _WORK_OF_CANDIDATE
            if self._work < 0:
                self._cut = True
                return found, window.covered
            start, end = _without_quotes(window.text, start, reached)
            at = window.low + start
            if 0 <= start < end and at not in judged:
                judged.add(at)
                if self._touches(rule, data, at, window.low + end):
                    self._trace_ignored(rule, window, (start, end), Requirement.EDGES)
                else:
                    value = _Value(start, end)
                    if rule.named and rule.check in JOINABLE_CHECKS:
                        value = _Value(start, end, *joined_literals(path, data, window.low + end))
                    found += self._judge(rule, path, window, exact.name_span(m), value)
        return found, window.covered

    def _run_whole(self, rule: Rule, path: str, data: bytes) -> Iterator[Match]:
        """Run a rule that has no anchor, only a pattern for paths, on the whole file."""
        exact, window = self._exact(rule), Window(data, 0, len(data))
        for m in exact.search(window.text):
            start, end = _without_quotes(window.text, *exact.value_span(m, window.text))
            if 0 <= start < end:
                value = _Value(start, end)
                yield from self._judge(rule, path, window, exact.name_span(m), value)

    def _judge(
        self,
        rule: Rule,
        path: str,
        window: Window,
        name_span: tuple[int, int],
        found: _Value,
    ) -> Iterator[Match]:
        """Yield the match if its value passes the rule's minimum entropy and check."""
        start, end = span = found.start, found.end
        text = window.text
        value = text[start:end] + found.more
        if rule.entropy and shannon(value) < rule.entropy:
            self._trace_ignored(rule, window, span, Requirement.ENTROPY)
            return
        low, high = name_span
        line = text.rfind(b"\n", 0, low if rule.named else start) + 1
        if high < 0:
            low, high = name_of(rule, text, low, max(line, start - _BEFORE_VALUE), start)
        name = text[low:high]
        confidence: Confidence | None = rule.confidence
        if rule.check:
            line_end = text.find(b"\n", end)
            after = text[end : line_end if line_end >= 0 else len(text)]
            whole = text[line:start].translate(_UNWRAPPED) + value + after
            confidence = CHECKS[rule.check](Candidate(value, name, whole, start - line, path))
        is_example = confidence is None and rule.check in REQUIRE_RANDOM and is_sample(value)
        if confidence is None and not is_example:
            self._trace_ignored(rule, window, span, Requirement.CHECK, (low, high))
            return
        self._work -= _WORK_OF_MATCH
        confidence = confidence or rule.confidence
        if not rule.named:  # a check of the format cannot know more than the format does
            confidence = min(confidence, rule.confidence)
        yield Match(
            start=window.low + start,
            end=found.last or window.low + end,
            rule=rule,
            value=value,
            confidence=confidence,
            name=name,
            name_start=window.low + low,
            is_placeholder=is_example,
        )

    def _trace_ignored(
        self,
        rule: Rule,
        window: Window,
        span: tuple[int, int],
        failed: Requirement,
        name_span: tuple[int, int] = (0, 0),
    ) -> None:
        """Tell the trace, if there is one, which requirement of the rule the value fails."""
        if self._trace:
            (start, end), (low, high) = span, name_span
            match = Match(
                start=window.low + start,
                end=window.low + end,
                rule=rule,
                value=window.text[start:end],
                confidence=rule.confidence,
                name=window.text[low:high],
                name_start=window.low + low,
            )
            self._trace.match_ignored(match, failed)

    def _touches(self, rule: Rule, data: bytes, start: int, end: int) -> bool:
        """Is the character before or after the value one of the rule's `edges`?

        A checksum proves more than the characters around a value, so its rule has no edges.
        """
        if not (rule.edges and self._has_edges) or rule.check in CHECKSUMS:
            return False
        regex = self._edges.get(rule.edges)
        if regex is None:
            regex = self._edges[rule.edges] = re.compile(b"[" + rule.edges.encode() + b"]")
        before = start and regex.match(data, start - 1)
        if before and _ESCAPE.search(data, max(start - _LONGEST_ESCAPE, 0), start):
            before = None
        return bool(before or regex.match(data, end))

    def _exact(self, rule: Rule) -> _ExactPattern:
        key = rule.id, rule.lines
        if key not in self._compiled:
            flags = "(?mi)" if rule.ignore_case else "(?m)"
            pattern = linear(flags + rule.pattern)
            self._compiled[key] = _ExactPattern(
                search=pattern.finditer,
                secret=secret_group(pattern),
                name=name_group(pattern),
                value=linear(rule.value).match if rule.value else None,
            )
        return self._compiled[key]

    def _comments(
        self,
        path: str,
        buffer: Buffer,
        hits: Sequence[Hit],
        matches: Sequence[Match],
        cursor: Cursor,
    ) -> Iterator[AllowComment]:
        """Yield the allow comments of a buffer. A secret in a comment is masked before parsing."""
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
            cursor.move(data, to)
            text = observations.masked(data, start, end, matches)
            comment = allow_comments.parse(text, path, cursor.line)
            if comment:
                yield comment


def is_for(rule: Rule, path: str) -> bool:
    """Does the path match the rule's pattern for files?"""
    return bool(linear(rule.files).search(path.encode(errors="surrogateescape")))


class _Value(NamedTuple):
    """The span of a value in a window.

    more: the text of the string literals that are joined to it.
    last: the end of the last of them in the piece; 0 if there is none.
    """

    start: int
    end: int
    more: bytes = b""
    last: int = 0


class _ExactPattern(NamedTuple):
    """A rule's compiled pattern.

    search: its `finditer`.
    secret, name: the numbers of the groups for the value and its name.
    value: matches the whole value, from its first character on. It is apart because its many states
        (quotes, templates) are fifty times slower if they are tried at each offset of a line.
    """

    search: Any
    secret: int
    name: int
    value: Any = None

    def value_span(self, m: Any, text: bytes) -> tuple[int, int]:
        """Return the span of the value in a match; (-1, -1) if there is none."""
        start, end = m.span(self.secret)
        if self.value is None or start < 0:
            return start, end
        whole = self.value(text, start)
        return whole.span() if whole else (-1, -1)

    def name_span(self, m: Any) -> tuple[int, int]:
        """Return the span of the name in a match; the end is -1 if it has no such group."""
        start, end = m.span(self.name)
        return (start, end) if self.name and start >= 0 else (m.start(), -1)


def _without_quotes(window: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the span of a value without its quotes and string prefix."""
    quoted = _QUOTED.fullmatch(window, start, end)
    if not quoted:
        return start, end
    closing = end - len(quoted[1])
    if window[start - 1 : start] == window[closing - 1 : closing] == b"\\":
        closing -= 1  # `\"value\"` inside another string
    return quoted.end(1), closing
