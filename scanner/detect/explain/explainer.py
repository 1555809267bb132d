"""Detect: record why the values on one line are reported or ignored, for `keywatch explain`.

The explainer receives the engine's decisions and looks up the reasons. It decides nothing itself.
Its results are masked.
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
from scanner.detect.explain.model import (
    ExplainedSetting,
    ExplainedValue,
    Explanation,
    ModelResult,
    RuleWithoutValue,
    Status,
)
from scanner.detect.explain.trace import MatchSelection, Requirement
from scanner.detect.rules.model import Rule
from scanner.detect.rules.rulebook import Rulebook
from scanner.detect.structure import FileKind, NotParsedError, file_kind, structures, value_paths
from scanner.detect.structure.config_detector import Setting, flaw_of
from scanner.detect.structure.config_detector import settings as settings_of
from scanner.detect.values import likelihood
from scanner.detect.values.assignments import is_random
from scanner.detect.values.config_values import is_sensitive
from scanner.detect.values.features import Case, features
from scanner.detect.values.file_role import role_of
from scanner.detect.values.likelihood import Model
from scanner.model import Finding

_MAX_SHOWN = 50  # values of one line, and settings
_CONTEXT = 8192  # bytes of the line on each side of a value that its check sees
_MAX_WINDOW = 128 << 10  # bytes: the window of a hit farther away cannot reach the line


class _Text(NamedTuple):
    """A text that is scanned: a piece of the file, or a text that is encoded in it."""

    path: str
    data: bytes
    span: Callable[[int, int], tuple[int, int]]
    layers: tuple[str, ...] = ()


class _Line(NamedTuple):
    """The line to explain, with its offsets in a piece.

    low, high: the part of the line to explain.
    """

    start: int
    end: int
    cursor: Cursor
    low: int
    high: int

    def touches(self, start: int, end: int) -> bool:
        return start < self.high and self.low < end


class _Record(NamedTuple):
    """A match, with offsets in its own text, and its explanation."""

    match: Match
    text: _Text
    value: ExplainedValue

    @property
    def name(self) -> str:
        return self.value.name

    def checked(self, findings: Sequence[Finding]) -> _Record:
        """Return the record; OVERRIDDEN if it was reported, but is not in the file's findings."""
        value = self.value
        at = value.line, value.column
        places = {f.rule: f.location for f in findings if _starts(f) <= at < _ends(f)}
        if value.status is not Status.REPORTED or value.rule in places:
            return self
        reason = f"{next(iter(places), 'another value')} is more specific and covers the same text"
        return self._replace(value=value._replace(status=Status.OVERRIDDEN, reason=reason))

    def contains_name_of(self, other: _Record) -> bool:
        """Is the name of the other value a part of this value?

        In a list of tokens, each token stands where the name of the next one would be.
        """
        match, start = other.match, other.match.name_start
        end = start + len(match.name)
        is_there = other.text.data[start:end] == match.name
        shares = self.match.start < end and start < self.match.end
        return self.text is other.text and is_there and shares


class Explainer:
    """A Trace that records one line of one file, or with `column` the value there."""

    def __init__(self, book: Rulebook, line: int, column: int = 0) -> None:
        self._book = book
        self._wanted = line, column
        self._records: dict[tuple[object, ...], _Record] = {}
        self._rules: dict[str, str] = {}
        self._settings: list[ExplainedSetting] = []
        self._decoded: dict[tuple[str, ...], None] = {}
        self._omitted = 0
        self._line: _Line | None = None

    def piece_started(self, path: str, buffer: Buffer, cursor: Cursor) -> None:
        self._buffer, self._cursor = buffer, cursor.copy()
        self._text = _Text(path=path, data=buffer.data, span=lambda start, end: (start, end))
        self._line = _line(buffer.data, cursor, *self._wanted)

    def decoded_text_started(self, decoded: DecodedText) -> None:
        self._text = _Text(path="", data=decoded.data, span=decoded.span, layers=decoded.layers)
        if self._line and self._line.touches(*decoded.span(0, len(decoded.data))):
            self._decoded[decoded.layers] = None

    def match_ignored(self, match: Match, failed: Requirement) -> None:
        if self._has_room_for(match):
            candidate = _candidate(match, self._text)
            self._record(match, Status.IGNORED, reasons.ignored(match.rule, failed, candidate))

    def matches_selected(self, selection: MatchSelection) -> None:
        selected = {_key(match): match for match in selection.selected}
        for match in filter(self._has_room_for, selection.found):
            if _key(match) in selected:
                self._record_selected(selected[_key(match)])
            else:
                self._record(match, Status.OVERRIDDEN, _overridden(match, selection.selected))
        if self._line and not self._text.layers:
            self._record_rules(selection, self._line)

    def explained(self, findings: Sequence[Finding]) -> Explanation:
        """Return the explanation of the line. `findings`: those of the whole file."""
        checked = (each.checked(findings) for each in self._records.values())
        records = sorted(checked, key=lambda each: (each.value.line, each.value.column))
        secret_names = [any(other.contains_name_of(each) for other in records) for each in records]
        shown = [
            each.value._replace(name="" if is_secret else each.name)
            for each, is_secret in zip(records, secret_names, strict=True)
        ]
        rules = {each.rule for each in shown}
        secrets = [
            mask.text(each.match.value) for each in records if each.value.status is Status.REPORTED
        ]
        settings = (
            each._replace(name="") if any(one in each.name for one in secrets) else each
            for each in self._settings
        )
        return Explanation(
            values=tuple(shown),
            rules=tuple(
                RuleWithoutValue(rule=rule, reason=reason)
                for rule, reason in self._rules.items()
                if rule not in rules
            ),
            settings=tuple(settings),
            decoded=tuple(self._decoded),
            omitted=self._omitted,
        )

    def _has_room_for(self, match: Match) -> bool:
        """Is the match on the line, and is there room for it? If there is not, count it."""
        is_full = len(self._records) == _MAX_SHOWN
        is_here = self._is_here(match)
        self._omitted += is_full and is_here
        return is_here and not is_full

    def _is_here(self, match: Match) -> bool:
        if self._line is None:
            return False
        start, end = self._text.span(match.start, match.end)
        if not self._buffer.first <= start < self._buffer.last:
            return False  # it belongs to the next or previous piece
        if match.name and not self._text.layers:
            start = min(start, match.name_start)
        return self._line.touches(start, end)

    def _record(
        self, match: Match, status: Status, reason: str, model: ModelResult | None = None
    ) -> None:
        start, end = self._text.span(match.start, match.end)
        key = (_label(match.rule), start, end, status, self._text.layers)
        if self._line is None or key in self._records:
            return
        line, column = self._position(self._line, start)
        layers = self._text.layers
        value = ExplainedValue(
            rule=_label(match.rule),
            line=line,
            column=column,
            preview=observations.preview(match._replace(layers=layers)),
            name=_shown(match.name),
            status=status,
            reason=reason,
            model=model,
            layers=layers,
        )
        self._records[key] = _Record(match=match, text=self._text, value=value)

    def _position(self, line: _Line, start: int) -> tuple[int, int]:
        """Return the line number and the column of an offset in the piece."""
        cursor = line.cursor if start >= line.start else self._cursor
        return cursor.ahead(self._buffer.data, start)

    def _record_selected(self, match: Match) -> None:
        """Record a selected match, with the rating of the likelihood model if that is used."""
        path, data = self._text.path, self._text.data
        rated = likelihood.weigh(match, path, data, self._book)
        case = likelihood.case_of(match, path, data)
        if rated:
            match = match._replace(rule=rated.rule)  # another rule may take it over
        if rated and rated.is_placeholder:
            self._record(
                match, Status.PLACEHOLDER, "the value is a placeholder: reported as a note"
            )
        elif case:
            status = Status.REPORTED if rated else Status.UNLIKELY
            self._record(match, status, "", _model_result(case, self._book.likelihood))
        elif rated and rated.confidence < match.confidence:
            self._record(
                match,
                Status.REPORTED,
                f"lower confidence because of the file's path: {role_of(path)}",
            )
        else:
            self._record(
                match,
                Status.REPORTED,
                "its format or position identifies it: the likelihood model is not used",
            )

    def _record_rules(self, selection: MatchSelection, line: _Line) -> None:
        """Record the rules with hits near the line, and the settings on the line."""
        path, data = selection.path, selection.data
        for number, ends in selection.hits.items():
            rule = self._book.rules[number]
            if not rule.anchor or any(_reaches(rule, data, to, line) for to in ends):
                self._rules.setdefault(_label(rule), _without_value(rule, path, data))
        is_whole = self._buffer.following == len(data) and not self._buffer.first
        if is_whole and any(self._book.rules[number].group for number in selection.hits):
            self._settings += self._settings_on(line)

    def _settings_on(self, line: _Line) -> Iterator[ExplainedSetting]:
        data, kind = self._buffer.data, file_kind(self._text.path)
        for setting, reason in islice(_settings(kind, data, line), _MAX_SHOWN):
            line_number, column = self._position(line, setting.leaf.start)
            yield ExplainedSetting(
                name=_shown(setting.name.encode("latin-1", "replace")),
                line=line_number,
                column=column,
                preview=mask.preview(setting.value.encode("latin-1")),
                reason=reason,
            )


def _line(data: bytes, cursor: Cursor, line: int, column: int) -> _Line | None:
    """Find a line in a piece that begins at `cursor`, and in it the character in `column`.

    Column 0 stands for the whole line. Returns None if the line is not in the piece.
    """
    start = 0
    for _ in range(line - cursor.line):
        start = data.find(b"\n", start) + 1
        if not start:
            return None
    if line < cursor.line:
        return None
    end = data.find(b"\n", start)
    end = end if end >= 0 else len(data)
    at_line = cursor.copy()
    _, first = at_line.move(data, start)
    low, high = start, end
    if column:
        text = data[start:end].decode(errors="surrogateescape")
        before, own = text[: column - first], text[column - first : column - first + 1]
        low += len(before.encode(errors="surrogateescape"))
        high = low + len(own.encode(errors="surrogateescape"))
    return _Line(start=start, end=end, cursor=at_line, low=low, high=high)


def _starts(finding: Finding) -> tuple[int, int]:
    return finding.location.line, finding.location.column


def _ends(finding: Finding) -> tuple[int, int]:
    return finding.location.end_line, finding.location.end_column


def _label(rule: Rule) -> str:
    """Return the ID of a rule; for a rule that only finds candidates, the name of its rule file."""
    return rule.group or rule.id


def _shown(name: bytes) -> str:
    """Return the name beside a value; "" if it looks random, since it may be a secret itself."""
    return "" if is_random(name.decode("latin-1")) else mask.text(name)


def _key(match: Match) -> tuple[str, int, int]:
    return match.rule.id, match.start, match.end


def _overridden(match: Match, selected: Sequence[Match]) -> str:
    """Return why a match was not selected."""
    overlapping = (
        each.rule.id for each in selected if each.start < match.end and match.start < each.end
    )
    return f"{next(overlapping, 'another rule')} is more specific and covers the same text"


def _candidate(match: Match, text: _Text) -> Candidate:
    """Return the match as its check sees it. A long line is cut."""
    start = line_start(text.data, match.start, _CONTEXT)
    end = text.data.find(b"\n", match.end, match.end + _CONTEXT)
    line = text.data[start : end if end >= 0 else match.end + _CONTEXT]
    return Candidate(
        value=match.value, name=match.name, line=line, at=match.start - start, path=text.path
    )


def _model_result(case: Case, model: Model) -> ModelResult:
    found = tuple(features(case))
    weights = ((each, model.weights.get(each, 0.0)) for each in found)
    return ModelResult(
        probability=model.probability(found),
        threshold=model.threshold(case),
        bias=model.bias,
        features=tuple(sorted(weights, key=lambda each: -abs(each[1]))),
    )


def _reaches(rule: Rule, data: bytes, to: int, line: _Line) -> bool:
    """Does the window of a hit that ends at `to` reach the line?"""
    if rule.lines == 1 and not rule.multiline:
        return line.start < to <= line.end
    if not line.start - _MAX_WINDOW < to < line.end + _MAX_WINDOW:
        return False
    window = window_around(data, to, rule)
    return window.low <= line.end and line.start < window.low + len(window.text)


def _without_value(rule: Rule, path: str, data: bytes) -> str:
    """Return why a rule with a hit near the line has no value on it."""
    if rule.files and not is_for(rule, path):
        return "the rule does not apply to this file"
    if not rule.group:
        return "its pattern matches nothing here"
    if not file_kind(path).reader:
        return "the rule applies to structured files only"
    if rule.needs and not linear(rule.needs).search(data):
        return "the rule does not apply to files with this content"
    return "its rules check the settings of the file, not single lines"


def _settings(kind: FileKind, data: bytes, line: _Line) -> Iterator[tuple[Setting, str]]:
    """Return the settings of a structured file on the line, each with its description."""
    try:
        documents = list(structures(kind, data, ((line.start, line.end),))) if kind.reader else []
    except NotParsedError:
        return
    for document in documents:
        for setting in settings_of(document, data, value_paths.values(document.leaves, data)):
            if line.touches(setting.leaf.start, setting.leaf.end):
                flaw = flaw_of(setting, kind, sensitive=is_sensitive(setting.name))
                yield setting, reasons.setting(setting.name, setting.value, flaw)
