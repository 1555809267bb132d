"""Detect: scan one file after the other. The entry point of this package.

The prefilter passes over each file once. Most files have no hit, so the engine, the decoder and the
detect-secrets layer are imported only when a file has one.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from scanner import cache
from scanner.detect.engine.chunks import Cursor, PieceHits, buffers
from scanner.detect.prefilter import matcher
from scanner.detect.prefilter.matcher import CONTENT, NAME, OWN, Hit, Matcher, Pattern
from scanner.detect.prefilter.variable_uses import USES
from scanner.detect.rules.rulebook import Rulebook
from scanner.file_types import endings, scope_of

if TYPE_CHECKING:
    from scanner.detect.decoding.decoder import Decoder
    from scanner.detect.detect_secrets import DetectSecretsSettings
    from scanner.detect.detect_secrets.found import FoundSecret
    from scanner.detect.engine.engine import Engine
    from scanner.detect.explain.trace import Trace
    from scanner.detect.prefilter.pattern_ids import Numbering
    from scanner.detect.rules.model import Rule
    from scanner.model import AllowComment, Finding, Gap, Note, Observation

_MAX_FINDINGS = 10_000
_HEAVY = 2 << 20  # bytes
_MAX_MARKS = 1000  # of one text, since marks are kept in memory
_DECODING_LIMIT = (
    "it holds more encoded text than keywatch decodes in one file; the rest was not decoded"
)
_YAML = endings("yaml", "eyaml")  # escapes in YAML may hide text from the prefilter


def matcher_for(
    book: Rulebook,
    engine: str,
    cache_folder: str | None,
    settings: DetectSecretsSettings | None = None,
) -> Matcher:
    """Return the matcher for the rules and for the prefilters of these detect-secrets settings."""
    shipped = matcher.build(engine, lambda: patterns(book), book.shipped_key, cache_folder)
    active_plugins = settings.active_plugins if settings else ()
    if not (book.own_rules or active_plugins):
        return shipped
    key = cache.key(book.key, repr(active_plugins))
    own = matcher.build(engine, lambda: repository_patterns(book, settings), key, cache_folder)
    return matcher.CombinedMatcher(
        first=shipped, second=own, scopes=_scopes(book) if book.own_rules else {}
    )


@functools.lru_cache(maxsize=1)  # a process may compile several databases from them
def patterns(book: Rulebook) -> Mapping[int, Pattern]:
    """Return the patterns that the prefilter searches in any repository, by number.

    The order is that of `pattern_ids.numbering`: rules, variable uses, encoded text, comments.
    """
    from scanner.detect.decoding import encoded_patterns
    from scanner.detect.engine import allow_comments

    ours = (
        Pattern(anchor, ignore_case=True, keywords=keywords)
        for anchor, keywords in zip(allow_comments.ANCHORS, allow_comments.KEYWORDS, strict=True)
    )
    every = (*map(_pattern, book.rules), *USES, *encoded_patterns.patterns(book.rules), *ours)
    return dict(enumerate(every))


def repository_patterns(
    book: Rulebook, settings: DetectSecretsSettings | None
) -> dict[int, Pattern]:
    """Return the patterns that only this repository needs, by number.

    These are its own rules, the literals of these rules in encoded text, and the prefilters of the
    detect-secrets layer.
    """
    from scanner.detect.decoding import encoded_patterns
    from scanner.detect.prefilter.pattern_ids import numbering

    own = (_pattern(rule)._replace(scope="") for rule in book.own_rules)
    found = dict(enumerate(own, OWN))
    first = numbering(len(book.rules))
    found |= enumerate(encoded_patterns.literal_patterns(book.own_rules), first.encoded)
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
    """Return the prefilter pattern of a rule. A rule without an anchor is found by file names."""
    if not rule.anchor:
        return Pattern(rule.files, scope=NAME)
    return Pattern(
        anchor=rule.anchor,
        ignore_case=rule.ignore_case,
        keywords=rule.keywords,
        once=_is_single(rule),
        scope=rule.scope,
        in_code=rule.anchor_in_code,
    )


def _is_single(rule: Rule) -> bool:
    """Is one hit a file enough? It is for a rule that only selects files for structure rules."""
    return bool(rule.group and not rule.pattern)


SCOPES = (NAME, "any", "code", "config")
"""All scopes of the prefilter: one for the names of files, three for their contents."""


_ASSIGNS = re.compile(r"[=:][^/]{6}")
_LONGEST_SUFFIX = 8


class NameResult(NamedTuple):
    """What was found in the name of a file.

    observation: the secrets in the name, or None. Its path is masked.
    rules: the numbers of the rules that apply because of the name.
    """

    observation: Observation | None = None
    rules: tuple[int, ...] = ()


NO_NAME_RESULT = NameResult()


Mark = int
"""A hash of a pattern's number and of the lines around its hit."""

NO_MARKS: Counter[Mark] = Counter()


class _AllBut:
    """Contains everything but these numbers."""

    def __init__(self, numbers: Container[int]) -> None:
        self._numbers = numbers

    def __contains__(self, number: object) -> bool:
        return number not in self._numbers


class _SortedHits(NamedTuple):
    """The hits of one pass, by what they are for.

    rules: hits of rules, allow comments and detect-secrets prefilters.
    uses_variables: does the text use a variable?
    encoded: hits in encoded text, numbered by ENCODINGS.
    cut: were there too many hits, so that the text was not searched to its end?
    """

    rules: Sequence[Hit] = ()
    uses_variables: bool = False
    encoded: Sequence[Hit] = ()
    cut: bool = False


_NO_HITS = _SortedHits()


class Detector:
    """Scans any number of files with the rules of a rulebook.

    With `settings` the detect-secrets layer runs, too. It reads a file as a whole and takes several
    times its size in memory. A file that is too large for it becomes a Gap, and files that are
    `is_heavy` should be scanned by one process at a time.

    `trace` is told why each value is reported or ignored. Without `edges`, values inside longer
    words are found, too: for masking. With a `mac_key`, the tag of a finding is a MAC of its value:
    for comparing values of several repositories.
    """

    def __init__(  # noqa: PLR0913 - what a scan may vary
        self,
        book: Rulebook,
        matcher: Matcher,
        settings: DetectSecretsSettings | None = None,
        trace: Trace | None = None,
        *,
        edges: bool = True,
        mac_key: bytes | None = None,
    ) -> None:
        self._edges = edges
        self._mac_key = mac_key
        self._book = book
        self._matcher = matcher
        self._settings = settings
        self._trace = trace

    def is_heavy(self, size: int) -> bool:
        """Does a file of `size` bytes take much memory while it is scanned?"""
        return self._settings is not None and size > _HEAVY

    def has_candidate(self, path: str, text: bytes) -> bool:
        """Does a file, or a part of it, have a hit that may become a finding?"""
        if self._settings and path.endswith(_YAML):
            return True
        return self._matcher.has_hit(text, scope_of(path), self._not_findings)

    def has_long_candidate(self, path: str, text: bytes) -> bool:
        """Does a file have a hit of a rule whose matches span any number of lines?

        Such a match, for example a private key, may begin far from the lines that complete it.
        """
        return self._matcher.has_hit(text, scope_of(path), self._all_but_long)

    def marks(self, path: str, text: bytes, near: int) -> Counter[Mark] | None:
        """Count the marks of a file: each hit, hashed with `near` lines on both sides.

        If an older version of the file has the same marks, the new one has no new candidates.
        Returns None if marks cannot tell that, or if there are too many.
        """
        if self._settings and path.endswith(_YAML):
            return None
        hits = self._matcher.hits(text, scope_of(path))
        if not hits:  # most files have none
            return NO_MARKS
        found = [hit for hit in hits if hit[0] not in self._not_findings]
        if len(found) > _MAX_MARKS or any(self._has_single_hit(number) for number, _ in found):
            return None
        marks: Counter[Mark] = Counter()
        end, lines = -1, b""
        for number, to in sorted(found, key=itemgetter(1)):
            if to > end:  # it is on another line than the previous hit
                end = text.find(b"\n", to) % (len(text) + 1)
                lines = _around(text, to, near)
            marks[hash((number, lines))] += 1
        return marks

    def _has_single_hit(self, number: int) -> bool:
        """Does the matcher report only one hit of this pattern?"""
        return number in self._book.rules and _is_single(self._book.rules[number])

    def prepare(self, scopes: Iterable[str] = SCOPES) -> None:
        """Load, or compile, the matcher's databases for these scopes."""
        for scope in scopes:
            self._matcher.hits(b"", scope)

    def missing(self, scopes: Iterable[str]) -> list[str]:
        """Return the databases for these scopes that are not compiled yet."""
        return self._matcher.missing(scopes)

    def load(self, databases: Iterable[str]) -> None:
        """Load, or compile, these databases."""
        self._matcher.load(databases)

    @functools.cached_property
    def _not_findings(self) -> Container[int]:
        """The numbers of patterns that never become findings: variable uses and comments."""
        first = self._numbering
        return {*range(first.uses, first.encoded), *range(first.comments, first.detect_secrets)}

    @functools.cached_property
    def _all_but_long(self) -> Container[int]:
        """The numbers of all patterns but those of rules over any number of lines."""
        return _AllBut(self._book.rules.multiline())

    @functools.cached_property
    def _numbering(self) -> Numbering:
        from scanner.detect.prefilter.pattern_ids import numbering

        return numbering(len(self._book.rules))

    def observe(
        self,
        path: str,
        chunks: Iterable[bytes],
        size: int = 0,
        name_rules: Sequence[int] | None = None,
        uses: Callable[[bytes], None] | None = None,
    ) -> Observation | None:
        """Scan one file, given in chunks. Return None if there is nothing to report.

        name_rules: the rules that apply because of the name, if `names` was called for the path.
        uses: is called with the content of a file that may use variables, if it is in one piece.
        """
        findings: list[Finding] = []
        comments: list[AllowComment] = []
        notes: list[Note] = []
        cursor = Cursor()
        is_whole = True
        degraded = ""
        is_unread = is_cut = False
        scope = scope_of(path)
        decoder: Decoder | None = None
        if name_rules is None:
            name_rules = self.names((path,)).get(path, NO_NAME_RESULT).rules
        for buffer in buffers(chunks):
            is_whole = is_whole and buffer.following == len(buffer.data)
            found = self._hits(buffer.data, scope)
            is_cut = is_cut or found.cut
            if found.uses_variables and uses and is_whole:
                uses(buffer.data)
            decoder = decoder or (self._decoder() if found.encoded else None)
            decoded = list(decoder.decode(buffer.data, found.encoded)) if decoder else ()
            hits = [*found.rules, *((n, 0) for n in name_rules)] if name_rules else found.rules
            detect_secrets: Sequence[FoundSecret] | None = ()
            if self._settings and is_whole:
                detect_secrets = self._detect_secrets(path, buffer.data, hits)
                is_unread = is_unread or detect_secrets is None
            if hits or detect_secrets or decoded:
                all_hits = PieceHits(
                    rules=hits, decoded=decoded, detect_secrets=detect_secrets or ()
                )
                result = self._engine.examine(path, buffer, all_hits, cursor)
                findings += result.findings
                comments += result.comments
                notes += result.notes
                degraded = degraded or result.degraded
                is_cut = is_cut or result.cut
            if buffer.following < len(buffer.data):
                cursor.move(buffer.data, buffer.following)
                cursor = cursor.copy()  # the next piece counts its offsets from 0
        is_unread = is_unread or (bool(self._settings) and not is_whole)
        if degraded:  # the first note, since the number of notes is limited
            text = f"its structure was not parsed, only its lines were scanned: {degraded}"
            notes.insert(0, _degraded(path, text))
        is_cut = is_cut or max(len(findings), len(comments)) > _MAX_FINDINGS
        gaps = _gaps(
            path, unread=is_unread, cut=is_cut, not_decoded=bool(decoder and decoder.is_truncated)
        )
        if not (findings or comments or notes or gaps):
            return None
        observation = _observation(path, size, findings, comments, gaps)
        return observation._replace(notes=tuple(notes[:_MAX_FINDINGS]))

    def _hits(self, data: bytes, scope: str) -> _SortedHits:
        """Pass over a text once with the prefilter."""
        hits = self._matcher.hits(data, scope)
        if not hits:
            return _NO_HITS
        first = self._numbering
        special = [hit for hit in hits if first.uses <= hit[0] < first.comments]
        is_cut = len(hits) > matcher.most_hits(len(data))
        if not special:
            return _SortedHits(rules=hits, cut=is_cut)
        return _SortedHits(
            cut=is_cut,
            rules=[hit for hit in hits if not first.uses <= hit[0] < first.comments],
            uses_variables=any(number < first.encoded for number, _ in special),
            encoded=[(n - first.encoded, to) for n, to in special if n >= first.encoded],
        )

    def _decoder(self) -> Decoder:
        from scanner.detect.decoding.decoder import Decoder

        rules = self._book.rules

        def prefilter(text: bytes) -> tuple[Sequence[Hit], Sequence[Hit]]:
            found = self._hits(text, "any")
            return [hit for hit in found.rules if hit[0] in rules], found.encoded

        return Decoder(prefilter)

    def names(self, paths: Sequence[str]) -> dict[str, NameResult]:
        """Search the paths for secrets, and for rules that apply because of a file's name.

        All paths are searched in one pass. The result has only those paths with something found.
        """
        encoded = [path.encode(errors="surrogateescape") for path in paths]
        starts = [0]
        for each in encoded:
            starts.append(starts[-1] + len(each) + 1)
        found = self._matcher.hits(b"\n".join(encoded), NAME)
        if not found:
            return {}
        hits: dict[int, list[Hit]] = {}
        first = self._numbering
        for index, to in found:
            if first.encoded <= index < first.comments:
                continue  # names are not decoded
            number = bisect_right(starts, max(to - 1, 0)) - 1
            hits.setdefault(number, []).append((index, to - starts[number]))
        results = {
            paths[number]: self._name_result(paths[number], own) for number, own in hits.items()
        }
        return {path: result for path, result in results.items() if result != NO_NAME_RESULT}

    def _name_result(self, path: str, hits: Sequence[Hit]) -> NameResult:
        rules = self._book.rules
        by_name = {index for index, _ in hits if index in rules and not rules[index].anchor}
        within = [hit for hit in hits if hit[0] not in by_name]
        shown, findings = self._engine.examine_name(path, within) if within else (path, [])
        if within and not findings:
            shown, findings = self._assigned_in(path)
        observation = _observation(shown, 0, findings, [], ()) if findings else None
        return NameResult(observation=observation, rules=tuple(sorted(by_name)))

    def _assigned_in(self, path: str) -> tuple[str, list[Finding]]:
        """A password that a part of the path assigns, as in `backup/password=….txt`.

        It ends at the slash or at the suffix of the file, which are no part of it.
        """
        parts = path.split("/")
        findings: list[Finding] = []
        for number, part in enumerate(parts):
            stem, _, suffix = part.rpartition(".")
            name = stem if stem and suffix.isalnum() and len(suffix) <= _LONGEST_SUFFIX else part
            rest = part.removeprefix(name)
            if name == path or not _ASSIGNS.search(name):
                continue
            found = self.names([name]).get(name)
            if found and found.observation:
                parts[number] = found.observation.path + rest
                findings += found.observation.findings
        shown = "/".join(parts)
        return shown, [
            each._replace(location=each.location._replace(path=shown)) for each in findings
        ]

    def _detect_secrets(
        self, path: str, data: bytes, hits: Sequence[Hit]
    ) -> Sequence[FoundSecret] | None:
        """Run the detect-secrets layer. Returns None if the file is too large for it."""
        if not hits and not path.endswith(_YAML):
            return ()
        from scanner.detect import detect_secrets

        if len(hits) > detect_secrets.MAX_HITS:
            return None
        assert self._settings is not None  # noqa: S101 - the caller checks it
        first = self._numbering.detect_secrets
        theirs = sorted((to, index - first) for index, to in hits if first <= index < OWN)
        ends, numbers = [to for to, _ in theirs], [number for _, number in theirs]
        try:
            return detect_secrets.scan(path, data, ends, self._settings, numbers)
        except detect_secrets.TooLargeError:
            return None

    @functools.cached_property
    def _engine(self) -> Engine:
        from scanner.detect.engine.engine import Engine

        return Engine(self._book, self._trace, edges=self._edges, mac_key=self._mac_key)


def _around(text: bytes, at: int, near: int) -> bytes:
    """Return the line at the offset `at`, and `near` lines on both sides of it."""
    start = end = at
    for _ in range(near + 1):
        start = text.rfind(b"\n", 0, max(start, 0))
        end = text.find(b"\n", end) + 1 or len(text)
    return text[start + 1 : end]


def _observation(
    path: str,
    size: int,
    findings: Sequence[Finding],
    comments: Sequence[AllowComment],
    gaps: tuple[Gap, ...],
) -> Observation:
    from scanner.fingerprints import identify
    from scanner.model import Observation

    return Observation(
        path=path,
        size=size,
        findings=identify(findings[:_MAX_FINDINGS]),
        comments=tuple(comments[:_MAX_FINDINGS]),
        gaps=gaps,
    )


def _degraded(path: str, text: str) -> Note:
    from scanner.model import Note, NoteKind

    return Note(kind=NoteKind.DEGRADED, path=path, text=text)


def _gaps(path: str, *, unread: bool, cut: bool, not_decoded: bool) -> tuple[Gap, ...]:
    if not (unread or cut or not_decoded):
        return ()
    from scanner.model import Gap, GapKind

    gaps = []
    if not_decoded:
        gaps.append(Gap(kind=GapKind.NOT_DECODED, path=path, reason=_DECODING_LIMIT))
    if cut:
        reason = (
            f"it has over {_MAX_FINDINGS} findings or allow comments, or too many"
            " candidates of one rule; the others were not checked"
        )
        gaps.append(Gap(kind=GapKind.TOO_MANY_FINDINGS, path=path, reason=reason))
    if unread:
        reason = "too large for the detect-secrets layer; keywatch's own rules scanned it"
        gaps.append(Gap(kind=GapKind.TOO_LARGE_FOR_EXACT, path=path, reason=reason))
    return tuple(gaps)
