"""Detect: the front of the layer. One pass over each file; the engine loads at the first hit.

Most files have none, and a hook's one file most of all: what is imported and parsed for exact work
is not paid for by them.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from scanner import cache
from scanner.detect.engine.chunks import Cursor, buffers
from scanner.detect.prefilter import matcher
from scanner.detect.prefilter.matcher import CONTENT, NAME, OWN, Hit, Matcher, Pattern
from scanner.detect.prefilter.scopes import scope_of
from scanner.detect.prefilter.variable_uses import USES
from scanner.detect.rules.rulebook import Rulebook

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import Decoder
    from scanner.detect.detect_secrets import DetectSecretsSettings
    from scanner.detect.detect_secrets.found import Found
    from scanner.detect.engine.engine import Engine
    from scanner.detect.explain.trace import Trace
    from scanner.detect.prefilter.pattern_ids import Numbering
    from scanner.detect.rules.model import Rule
    from scanner.model import AllowComment, Finding, Gap, Note, Observation

_MAX_FINDINGS = 10_000
_HEAVY = 2 << 20
_MOST_MARKS = 1000  # of one text: they are kept
_CUT = "more is encoded in it than is decoded of one file: the rest was read as it is"
_YAML = (".yaml", ".yml", ".eyaml")  # may hold text, behind escapes, that no prefilter sees


def matcher_for(
    book: Rulebook,
    engine: str,
    cache_folder: str | None,
    settings: DetectSecretsSettings | None = None,
) -> Matcher:
    """The engine, ready for the rules, and for the prefilters of these settings."""
    made = matcher.build(engine, lambda: patterns(book), book.shipped_key, cache_folder)
    finders = settings.finders if settings else ()
    if not (book.own_rules or finders):
        return made
    key = cache.key(book.key, repr(finders))
    second = matcher.build(engine, lambda: further(book, settings), key, cache_folder)
    return matcher.Joined(made, second, _scopes(book) if book.own_rules else {})


def patterns(book: Rulebook) -> dict[int, Pattern]:
    """What the one pass looks for in any repository: a rule's number is its place, then come uses
    of variables, what is encoded, and comments."""
    from scanner.detect.decoding import encoded_patterns
    from scanner.detect.engine import allow_comments

    ours = (
        Pattern(anchor, ignore_case=True, keywords=keywords)
        for anchor, keywords in zip(allow_comments.ANCHORS, allow_comments.KEYWORDS, strict=True)
    )
    every = (*map(_pattern, book.rules), *USES, *encoded_patterns.patterns(book.rules), *ours)
    return dict(enumerate(every))


def further(book: Rulebook, settings: DetectSecretsSettings | None) -> dict[int, Pattern]:
    """What it looks for beside that: the repository's own rules, what they look for in what is
    encoded, and the prefilters of the detect-secrets layer, which come after all others."""
    from scanner.detect.decoding import encoded_patterns
    from scanner.detect.prefilter.pattern_ids import numbering

    found = dict(enumerate(map(_pattern, book.own_rules), OWN))
    first = numbering(len(book.rules))
    found |= enumerate(encoded_patterns.further(book.own_rules), first.encoded)
    if settings:
        from scanner.detect.detect_secrets import prefilters

        found |= enumerate((Pattern(*each) for each in prefilters(settings)), first.detect_secrets)
    return found


def _scopes(book: Rulebook) -> dict[int, str]:
    from scanner.detect.prefilter.pattern_ids import numbering

    first = numbering(len(book.rules))
    scopes = dict.fromkeys(range(first.encoded, first.comments), CONTENT)
    return scopes | {OWN + place: rule.scope for place, rule in enumerate(book.own_rules)}


def _pattern(rule: Rule) -> Pattern:
    """What calls for a rule: without an anchor, the names of files."""
    if not rule.anchor:
        return Pattern(rule.files, scope=NAME)
    return Pattern(
        anchor=rule.anchor,
        ignore_case=rule.ignore_case,
        keywords=rule.keywords,
        once=_is_asked_once(rule),
        scope=rule.scope,
        in_code=rule.anchor_in_code,
    )


def _is_asked_once(rule: Rule) -> bool:
    """Does one match say all that a rule of a group says?"""
    return bool(rule.group and not rule.pattern)


SCOPES = (NAME, "any", "code", "config")
"""Of files' names, and of files."""


class Named(NamedTuple):
    """What a file's name says: the secrets that stand in it, masked in their observation's path,
    and the numbers of the rules that it calls for."""

    seen: Observation | None = None
    called: tuple[int, ...] = ()


NOTHING = Named()


Mark = int
"""A hash of the number of a pattern, and of the lines that it is met in."""

NO_MARKS: Counter[Mark] = Counter()


class _Met(NamedTuple):
    """Hits: those of rules, comments and prefilters; whether a variable is used; those of what is
    encoded, by KINDS."""

    others: Sequence[Hit] = ()
    uses: bool = False
    encoded: Sequence[Hit] = ()


_NOTHING_MET = _Met()


class Detector:
    """A rulebook and a matcher, ready for any number of files.

    With `settings` the detect-secrets layer runs too, over files that come in one piece: it reads
    them as a whole, at several times their size in memory. What is too large for it is a Gap then,
    and what `is_heavy` is best read by one process at a time. `trace` is told what becomes of each
    value.
    """

    def __init__(
        self,
        book: Rulebook,
        matcher: Matcher,
        settings: DetectSecretsSettings | None = None,
        trace: Trace | None = None,
    ) -> None:
        self._book = book
        self._matcher = matcher
        self._settings = settings
        self._trace = trace
        self._made: Engine | None = None

    def is_heavy(self, size: int) -> bool:
        """Does a file of so many bytes take much memory, for as long as it is looked at?"""
        return self._settings is not None and size > _HEAVY

    def may_say(self, path: str, text: bytes) -> bool:
        """Is there anything in a file, or in a part of it, that asks for a closer look?"""
        if self._settings and path.endswith(_YAML):
            return True
        return self._matcher.meets(text, scope_of(path), self._remarks)

    def marks(self, path: str, text: bytes, near: int) -> Counter[Mark] | None:
        """What in a file asks for a closer look, each with so many lines on both sides, and how
        often: where the file had all of it before, none of it is new. None where that cannot be
        told, or is too much."""
        if self._settings and path.endswith(_YAML):
            return None
        hits = self._matcher.hits(text, scope_of(path))
        if not hits:  # as in most files
            return NO_MARKS
        found = [hit for hit in hits if hit[0] not in self._remarks]
        if len(found) > _MOST_MARKS or any(self._is_single(number) for number, _ in found):
            return None
        marks: Counter[Mark] = Counter()
        end, lines = -1, b""
        for number, to in sorted(found, key=itemgetter(1)):
            if to > end:  # it is in another line than the one before
                end = text.find(b"\n", to) % (len(text) + 1)
                lines = _around(text, to, near)
            marks[hash((number, lines))] += 1
        return marks

    def _is_single(self, number: int) -> bool:
        """Does the first hit of a pattern stand for all?"""
        return number in self._book.rules and _is_asked_once(self._book.rules[number])

    def prepare(self, scopes: Iterable[str] = SCOPES) -> None:
        """Load what any file of these scopes may ask for, or any file's name."""
        for scope in scopes:
            self._matcher.hits(b"", scope)

    def missing(self, scopes: Iterable[str]) -> list[str]:
        """Those of these scopes for which that takes more than a second: it is to be compiled."""
        return self._matcher.missing(scopes)

    @functools.cached_property
    def _remarks(self) -> Container[int]:
        """The numbers of patterns that no finding comes of: uses of variables, and comments."""
        first = self._numbering
        return {*range(first.uses, first.encoded), *range(first.comments, first.detect_secrets)}

    @functools.cached_property
    def _numbering(self) -> Numbering:
        from scanner.detect.prefilter.pattern_ids import numbering

        return numbering(len(self._book.rules))

    def observe(
        self,
        path: str,
        chunks: Iterable[bytes],
        size: int = 0,
        called: Sequence[int] | None = None,
        uses: Callable[[bytes], None] | None = None,
    ) -> Observation | None:
        """Everything that the rules and comments say about one file, given in pieces; None where
        they say nothing. `called`: what `names` says of its path, where that was asked before.
        `uses` is given a whole file that may use variables; one in pieces is too large for it."""
        findings: list[Finding] = []
        said: list[AllowComment] = []
        place = Cursor()
        whole = True
        notes: list[Note] = []
        degraded = ""
        unread = False
        scope = scope_of(path)
        decoder: Decoder | None = None
        if called is None:
            called = self.names((path,)).get(path, NOTHING).called
        for buffer in buffers(chunks):
            whole = whole and buffer.following == len(buffer.data)
            met = self._met(buffer.data, scope)
            if met.uses and uses and whole:
                uses(buffer.data)
            if met.encoded:
                decoder = decoder or self._decoder()
            inner = list(decoder.inner(buffer.data, met.encoded)) if decoder else ()
            hits = [*met.others, *((number, 0) for number in called)] if called else met.others
            detect_secrets = (
                self._detect_secrets(path, buffer.data, hits) if self._settings and whole else ()
            )
            unread = unread or detect_secrets is None
            if hits or detect_secrets or inner:
                seen = self._engine.examine(
                    path, buffer, hits, place, (detect_secrets or (), inner)
                )
                findings += seen.findings
                said += seen.comments
                notes += seen.notes
                degraded = degraded or seen.degraded
            if buffer.following < len(buffer.data):
                place.move(buffer.data, buffer.following)
                place = place.copy()  # offsets of the next piece begin anew
        unread = unread or (bool(self._settings) and not whole)
        if decoder and decoder.cut:  # before the others, of which not all may fit
            notes.insert(0, _degraded(path, _CUT))
        if degraded:
            text = f"its structure was not read, since {degraded}: only its lines were"
            notes.insert(0, _degraded(path, text))
        if not (findings or said or unread or notes):
            return None
        gaps = _gaps(path, max(len(findings), len(said)), unread=unread)
        seen_all = _observation(path, size, findings, said, gaps)
        return seen_all._replace(notes=tuple(notes[:_MAX_FINDINGS]))

    def _met(self, data: bytes, scope: str) -> _Met:
        """The one pass over a text: where to look, and for what."""
        hits = self._matcher.hits(data, scope)
        if not hits:
            return _NOTHING_MET
        uses, encoded, others, _ = self._numbering
        ours = [hit for hit in hits if uses <= hit[0] < others]
        if not ours:
            return _Met(hits)
        return _Met(
            [hit for hit in hits if not uses <= hit[0] < others],
            any(number < encoded for number, _ in ours),
            [(number - encoded, to) for number, to in ours if number >= encoded],
        )

    def _decoder(self) -> Decoder:
        from scanner.detect.decoding.decoder import Decoder

        rules = self._book.rules

        def look(text: bytes) -> tuple[Sequence[Hit], Sequence[Hit]]:
            met = self._met(text, "any")
            return [hit for hit in met.others if hit[0] in rules], met.encoded

        return Decoder(look)

    def names(self, paths: Sequence[str]) -> dict[str, Named]:
        """What the names of files say, of those that say anything."""
        encoded = [path.encode(errors="surrogateescape") for path in paths]
        starts = [0]
        for each in encoded:
            starts.append(starts[-1] + len(each) + 1)
        hits: dict[int, list[Hit]] = {}
        for index, to in self._matcher.hits(b"\n".join(encoded), NAME):
            number = bisect_right(starts, max(to - 1, 0)) - 1
            hits.setdefault(number, []).append((index, to - starts[number]))
        said = ((paths[number], self._named(paths[number], met)) for number, met in hits.items())
        return {path: named for path, named in said if named != NOTHING}

    def _named(self, path: str, hits: Sequence[Hit]) -> Named:
        rules = self._book.rules
        called = {index for index, _ in hits if index in rules and not rules[index].anchor}
        within = [hit for hit in hits if hit[0] not in called]
        shown, findings = self._engine.examine_name(path, within) if within else (path, [])
        seen = _observation(shown, 0, findings, [], ()) if findings else None
        return Named(seen, tuple(sorted(called)))

    def _detect_secrets(
        self, path: str, data: bytes, hits: Sequence[Hit]
    ) -> Sequence[Found] | None:
        """What the detect-secrets layer finds; None where the file is too large for it."""
        if not hits and not path.endswith(_YAML):
            return ()
        from scanner.detect import detect_secrets

        if len(hits) > detect_secrets.MOST_HITS:
            return None
        assert self._settings is not None  # noqa: S101 - asked by the caller
        first = self._numbering.detect_secrets
        theirs = sorted((to, index - first) for index, to in hits if first <= index < OWN)
        ends, numbers = [to for to, _ in theirs], [number for _, number in theirs]
        try:
            return detect_secrets.scan(path, data, ends, self._settings, numbers)
        except detect_secrets.TooLargeError:
            return None

    @property
    def _engine(self) -> Engine:
        if self._made is None:
            from scanner.detect.engine.engine import Engine

            self._made = Engine(self._book, self._trace)
        return self._made


def _around(text: bytes, at: int, near: int) -> bytes:
    """The line that a place is in, and so many on both sides."""
    start = end = at
    for _ in range(near + 1):
        start = text.rfind(b"\n", 0, max(start, 0))
        end = text.find(b"\n", end) + 1 or len(text)
    return text[start + 1 : end]


def _observation(
    path: str,
    size: int,
    findings: Sequence[Finding],
    said: Sequence[AllowComment],
    gaps: tuple[Gap, ...],
) -> Observation:
    from scanner.fingerprints import identify
    from scanner.model import Observation

    return Observation(
        path=path,
        size=size,
        findings=identify(findings[:_MAX_FINDINGS]),
        comments=tuple(said[:_MAX_FINDINGS]),
        gaps=gaps,
    )


def _degraded(path: str, text: str) -> Note:
    from scanner.model import Note

    return Note(kind="degraded", path=path, text=text)


def _gaps(path: str, count: int, *, unread: bool) -> tuple[Gap, ...]:
    from scanner.model import Gap

    gaps = []
    if count > _MAX_FINDINGS:
        reason = f"{count} findings or allow comments; the first {_MAX_FINDINGS} count"
        gaps.append(Gap(kind="too-many-findings", path=path, reason=reason))
    if unread:
        reason = "too large for the detect-secrets layer; keywatch's own rules did read it"
        gaps.append(Gap(kind="too-large-for-exact", path=path, reason=reason))
    return tuple(gaps)
