"""Detect: what became of the values of one line, and why: the Trace behind `keywatch explain`.

It decides nothing: it is told what the engine decides, and asks the parts that decide for their
reasons. What leaves it is masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from scanner.detect import mask
from scanner.detect.decoding.decoder import DecodedText
from scanner.detect.engine import observations
from scanner.detect.engine.candidate import Candidate
from scanner.detect.engine.chunks import Buffer, Cursor
from scanner.detect.engine.engine import is_for
from scanner.detect.engine.linear_regex import linear
from scanner.detect.engine.matches import Match
from scanner.detect.engine.windows import line_start, window_around
from scanner.detect.explain import reasons
from scanner.detect.explain.model import Considered, Explained, Fate, Looked, SettingSeen, Weighed
from scanner.detect.explain.trace import Choice, Refusal
from scanner.detect.rules.model import Rule
from scanner.detect.rules.rulebook import Rulebook
from scanner.detect.structure import FileKind, NotParsedError, file_kind, structures, value_paths
from scanner.detect.structure.config_detector import Setting, flaw_of
from scanner.detect.structure.config_detector import settings as settings_of
from scanner.detect.values import likelihood
from scanner.detect.values.config_values import is_random, is_sensitive
from scanner.detect.values.features import Case, features
from scanner.detect.values.file_role import role_of
from scanner.detect.values.likelihood import Model
from scanner.model import Finding

_MOST = 50  # values of one line that are told of, and settings
_CONTEXT = 8192  # bytes of a line around a value that its check is shown again
_REACH = 128 << 10  # bytes around a line in which a hit's window may reach it


class _Text(NamedTuple):
    """A text that is looked at: a piece of the file, or what is encoded in it."""

    path: str
    data: bytes
    span: Callable[[int, int], tuple[int, int]]
    layers: tuple[str, ...] = ()


class _Line(NamedTuple):
    """What is asked for, in a piece: the line, and the part of it from `low` to `high`."""

    start: int
    end: int
    place: Cursor
    low: int
    high: int

    def touches(self, start: int, end: int) -> bool:
        return start < self.high and self.low < end


class _Told(NamedTuple):
    """A match, with offsets in its own text, and what is told of it."""

    match: Match
    text: _Text
    considered: Considered

    @property
    def name(self) -> str:
        return self.considered.name

    def among(self, findings: Sequence[Finding]) -> _Told:
        """The same; lost where it was kept of its own text and the file has no such finding."""
        said = self.considered
        at = said.line, said.column
        places = {f.rule: f.location for f in findings if _starts(f) <= at < _ends(f)}
        if said.fate is not Fate.KEPT or said.rule in places:
            return self
        reason = f"{next(iter(places), 'another value')} is more specific and covers the same text"
        return self._replace(considered=said._replace(fate=Fate.LOST, reason=reason))

    def holds(self, other: _Told) -> bool:
        """Is what stands where the other's name is a part of this value? In a list of tokens each
        stands where the next one's name would."""
        match, start = other.match, other.match.name_start
        end = start + len(match.name)
        is_there = other.text.data[start:end] == match.name
        shares = self.match.start < end and start < self.match.end
        return self.text is other.text and is_there and shares


class Explainer:
    """The Trace of one line of one file; with `column`, of what stands there."""

    def __init__(self, book: Rulebook, line: int, column: int = 0) -> None:
        self._book = book
        self._wanted = line, column
        self._told: dict[tuple[object, ...], _Told] = {}
        self._looked: dict[str, str] = {}
        self._settings: list[SettingSeen] = []
        self._decoded: dict[tuple[str, ...], None] = {}
        self._more = 0
        self._line: _Line | None = None

    def begins(self, path: str, buffer: Buffer, place: Cursor) -> None:
        self._buffer, self._place = buffer, place.copy()
        self._text = _Text(path, buffer.data, lambda start, end: (start, end))
        self._line = _line(buffer.data, place, *self._wanted)

    def decoded(self, inner: DecodedText) -> None:
        self._text = _Text("", inner.data, inner.span, inner.layers)
        if self._line and self._line.touches(*inner.span(0, len(inner.data))):
            self._decoded[inner.layers] = None

    def refused(self, match: Match, why: Refusal) -> None:
        if self._takes(match):
            candidate = _candidate(match, self._text)
            self._tell(match, Fate.REFUSED, reasons.of_refusal(match.rule, why, candidate))

    def chosen(self, choice: Choice) -> None:
        kept = {_key(match): match for match in choice.kept}
        for match in filter(self._takes, choice.found):
            if _key(match) in kept:
                self._weigh(kept[_key(match)])
            else:
                self._tell(match, Fate.LOST, _winner(match, choice.kept))
        if self._line and not self._text.layers:
            self._look(choice, self._line)

    def explained(self, findings: Sequence[Finding]) -> Explained:
        """All that there is to tell, in the order of the line. `findings`: those of the file."""
        final = (each.among(findings) for each in self._told.values())
        told = sorted(final, key=lambda each: (each.considered.line, each.considered.column))
        hidden = [any(other.holds(each) for other in told) for each in told]
        shown = [
            each.considered._replace(name="" if is_secret else each.name)
            for each, is_secret in zip(told, hidden, strict=True)
        ]
        rules = {each.rule for each in shown}
        secrets = [
            mask.text(each.match.value) for each in told if each.considered.fate is Fate.KEPT
        ]
        settings = (
            each._replace(name="") if any(one in each.name for one in secrets) else each
            for each in self._settings
        )
        return Explained(
            considered=tuple(shown),
            looked=tuple(Looked(*each) for each in self._looked.items() if each[0] not in rules),
            settings=tuple(settings),
            decoded=tuple(self._decoded),
            more=self._more,
        )

    def _takes(self, match: Match) -> bool:
        """Does it touch what is asked for, and is there room to tell of it?"""
        is_full = len(self._told) == _MOST
        is_here = self._is_here(match)
        self._more += is_full and is_here
        return is_here and not is_full

    def _is_here(self, match: Match) -> bool:
        if self._line is None:
            return False
        start, end = self._text.span(match.start, match.end)
        if not self._buffer.first <= start < self._buffer.last:
            return False  # it is the neighbour's
        if match.name and not self._text.layers:
            start = min(start, match.name_start)
        return self._line.touches(start, end)

    def _tell(self, match: Match, fate: Fate, reason: str, weighed: Weighed | None = None) -> None:
        start, end = self._text.span(match.start, match.end)
        key = (_label(match.rule), start, end, fate, self._text.layers)
        if self._line is None or key in self._told:
            return
        line, column = self._where(self._line, start)
        layers = self._text.layers
        considered = Considered(
            rule=_label(match.rule),
            line=line,
            column=column,
            preview=observations.preview(match._replace(layers=layers)),
            name=_shown(match.name),
            fate=fate,
            reason=reason,
            weighed=weighed,
            layers=layers,
        )
        self._told[key] = _Told(match, self._text, considered)

    def _where(self, line: _Line, start: int) -> tuple[int, int]:
        place = line.place if start >= line.start else self._place
        return place.ahead(self._buffer.data, start)

    def _weigh(self, match: Match) -> None:
        path, data = self._text.path, self._text.data
        made = likelihood.weigh(match, path, data, self._book)
        case = likelihood.case_of(match, path, data)
        if made and made.is_placeholder:
            self._tell(match, Fate.PLACEHOLDER, "the value is a placeholder: reported as a note")
        elif case:
            fate = Fate.KEPT if made else Fate.UNLIKELY
            self._tell(match, fate, "", _weighed(case, self._book.likelihood))
        elif made and made.confidence < match.confidence:
            self._tell(
                match, Fate.KEPT, f"lower confidence because of the file's path: {role_of(path)}"
            )
        else:
            self._tell(
                match,
                Fate.KEPT,
                "its format or position identifies it: the likelihood model is not used",
            )

    def _look(self, choice: Choice, line: _Line) -> None:
        """Note the rules that the one pass calls for near the line, and the settings on it."""
        for number, ends in choice.ends.items():
            rule = self._book.rules[number]
            if not rule.anchor or any(_reaches(rule, choice.data, to, line) for to in ends):
                self._looked.setdefault(_label(rule), _nothing(rule, choice.path, choice.data))
        whole = self._buffer.following == len(choice.data) and not self._buffer.first
        if whole and any(self._book.rules[number].group for number in choice.ends):
            self._settings += self._settings_on(line)

    def _settings_on(self, line: _Line) -> Iterator[SettingSeen]:
        data, kind = self._buffer.data, file_kind(self._text.path)
        for setting, words in islice(_settings(kind, data, line), _MOST):
            at = self._where(line, setting.leaf.start)
            name = _shown(setting.name.encode("latin-1", "replace"))
            yield SettingSeen(name, *at, mask.preview(setting.value.encode("latin-1")), words)


def _line(data: bytes, place: Cursor, line: int, column: int) -> _Line | None:
    """The line in a piece that begins at `place`, and the character in its `column`, unless that is
    0; None where the piece does not hold it."""
    start = 0
    for _ in range(line - place.line):
        start = data.find(b"\n", start) + 1
        if not start:
            return None
    if line < place.line:
        return None
    end = data.find(b"\n", start)
    end = end if end >= 0 else len(data)
    at = place.copy()
    _, first = at.move(data, start)
    low, high = start, end
    if column:
        text = data[start:end].decode(errors="surrogateescape")
        before, own = text[: column - first], text[column - first : column - first + 1]
        low += len(before.encode(errors="surrogateescape"))
        high = low + len(own.encode(errors="surrogateescape"))
    return _Line(start, end, at, low, high)


def _starts(finding: Finding) -> tuple[int, int]:
    return finding.location.line, finding.location.column


def _ends(finding: Finding) -> tuple[int, int]:
    return finding.location.end_line, finding.location.end_column


def _label(rule: Rule) -> str:
    """The rule's id; of one that looks for candidates, the file of the rules that judge them."""
    return rule.group or rule.id


def _shown(name: bytes) -> str:
    """The name beside a value, "" for one that a machine made: it may be a secret itself."""
    return "" if is_random(name.decode("latin-1")) else mask.text(name)


def _key(match: Match) -> tuple[str, int, int]:
    return match.rule.id, match.start, match.end


def _winner(match: Match, kept: Sequence[Match]) -> str:
    won = (each.rule.id for each in kept if each.start < match.end and match.start < each.end)
    return f"{next(won, 'another rule')} is more specific and covers the same text"


def _candidate(match: Match, text: _Text) -> Candidate:
    """The match as its check saw it, in a line that may be cut."""
    start = line_start(text.data, match.start, _CONTEXT)
    end = text.data.find(b"\n", match.end, match.end + _CONTEXT)
    line = text.data[start : end if end >= 0 else match.end + _CONTEXT]
    return Candidate(match.value, match.name, line, match.start - start, text.path)


def _weighed(case: Case, model: Model) -> Weighed:
    seen = tuple(features(case))
    weights = ((each, model.weights.get(each, 0.0)) for each in seen)
    return Weighed(
        probability=model.probability(seen),
        least=model.threshold(case),
        bias=model.bias,
        features=tuple(sorted(weights, key=lambda each: -abs(each[1]))),
    )


def _reaches(rule: Rule, data: bytes, to: int, line: _Line) -> bool:
    """Does the window of a hit that ends at `to` reach the line?"""
    if rule.lines == 1 and not rule.multiline:
        return line.start < to <= line.end
    if not line.start - _REACH < to < line.end + _REACH:
        return False
    window = window_around(data, to, rule)
    return window.low <= line.end and line.start < window.low + len(window.text)


def _nothing(rule: Rule, path: str, data: bytes) -> str:
    """Why a rule that looked has no value on the line."""
    if rule.files and not is_for(rule, path):
        return "the rule does not apply to this file"
    if not rule.group:
        return "its pattern matches nothing here"
    if not file_kind(path).reader:
        return "the rule applies to structured files only"
    if rule.needs and not linear(rule.needs).search(data):
        return "the rule does not apply to files with this content"
    return "its rules judge the settings of the file"


def _settings(kind: FileKind, data: bytes, line: _Line) -> Iterator[tuple[Setting, str]]:
    """The settings of a structured file on the line, and what is to say of each."""
    try:
        documents = list(structures(kind, data, ((line.start, line.end),))) if kind.reader else []
    except NotParsedError:
        return
    for document in documents:
        for setting in settings_of(document, data, value_paths.values(document.leaves, data)):
            if line.touches(setting.leaf.start, setting.leaf.end):
                flaw = flaw_of(setting, kind, sensitive=is_sensitive(setting.name))
                yield setting, reasons.of_setting(setting.name, setting.value, flaw)
