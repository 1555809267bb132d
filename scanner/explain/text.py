"""The text that `keywatch explain` prints. Names come from scanned files, so they are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from scanner.detect.explain.model import ExplainedValue, Explanation, ModelResult, Status
from scanner.detect.rules.model import SHARED
from scanner.detect.structure.file_kinds import file_kind
from scanner.file_types import scope_of
from scanner.model import Confidence, Finding, NoteKind, Outcome, Suppression
from scanner.report.terminal.page import Page
from scanner.report.text import count, for_log, shorten, visible

if TYPE_CHECKING:
    from scanner.detect.rules.model import Rule

SKIPPED = {
    "binary": "it is binary",
    "too-large": "it is over max_file_size",
    "submodule": "it is a submodule",
    "symlink": "it is a link, and links are not followed",
    "git-folder": "it belongs to another git repository",
    "special": "it is not a regular file",
    "absent": "it does not exist",
}
_SCOPES = {"code": "code", "config": "configuration", "any": "code or configuration"}
_FATES = {
    Status.REPORTED: ("reported", "bold red"),
    Status.IGNORED: ("ignored", "green"),
    Status.UNLIKELY: ("unlikely", "green"),
    Status.OVERRIDDEN: ("ignored", "dim"),
    Status.PLACEHOLDER: ("note", "blue"),
}
_BY = {
    "comment": "an allow comment",
    "entry": "an entry of keywatch.yaml",
    "baseline": "the baseline",
    "detect-secrets-baseline": ".secrets.baseline",
    "pragma": "a comment of another tool",
}
_INDENT = 12
_FEATURES = 12  # features with a line of their own
_NAME, _PROSE = 60, 400  # characters shown of a name, and of a text
_FINDINGS = 50
_RULES = 20  # rules named among those that found nothing


class Answer(NamedTuple):
    """Everything that is known about a line.

    `unread` says why the file was not scanned; `incomplete` if it should have been. `outcome` is
    what a scan says about the line, and `least` the lowest confidence that it reports.
    """

    file: str
    line: int
    column: int = 0
    unread: str = ""
    path: str = ""
    rules: Sequence[Rule] = ()
    disabled: tuple[str, ...] = ()
    explained: Explanation = Explanation()
    outcome: Outcome = Outcome(findings=())
    least: Confidence = Confidence.LOW
    incomplete: bool = False


def text(answer: Answer, *, color: bool, width: int) -> str:
    page = Page(width=width, color=color)
    place = f"{shorten(visible(answer.file), 4 * _NAME)}:{answer.line}"
    page.line((place + (f":{answer.column}" if answer.column else ""), "bold"))
    if answer.unread:
        page.paragraph(f"not scanned: {_shown(answer.unread)}", indent=2)
    else:
        _file(answer, page)
        _values(answer.explained, page)
        _beside(answer.explained, page)
        _result(answer, page)
    return for_log(page.render())


def _file(answer: Answer, page: Page) -> None:
    scope, kinds = scope_of(answer.path), sorted(file_kind(answer.path).kinds)
    theirs = ("", SHARED, scope)
    asked = (rule for rule in answer.rules if rule.anchor and rule.id != SHARED)
    looking = [rule for rule in asked if scope == "any" or rule.scope in theirs]
    facts = [f"read as {_SCOPES[scope]}", *kinds, f"{count(len(looking), 'rule')} for such files"]
    page.items(facts, indent=2)
    if answer.disabled:
        page.paragraph(_shown(f"disabled: {', '.join(answer.disabled)}"), indent=2)
    page.space()


def _values(explained: Explanation, page: Page) -> None:
    for at, group in groupby(explained.values, lambda each: (each.line, each.column)):
        some = list(group)
        layers = "".join(f" in {layer}" for layer in some[0].layers)
        name = next((each.name for each in some if each.name), "")
        facts = [
            f"{at[0]}:{at[1]}",
            _shown(name, _NAME),
            _shown(max((each.preview for each in some), key=len)) + layers,
        ]
        page.line(("  ".join(filter(None, facts)), "bold"))
        for each in some:
            _fate(each, page)
        page.space()
    if explained.omitted:
        page.paragraph(f"… and {explained.omitted:,} more: name a column", indent=2)
        page.space()


def _fate(each: ExplainedValue, page: Page) -> None:
    word, style = _FATES[each.status]
    page.line((f"  {word}".ljust(_INDENT), style), (each.rule, ""))
    if each.reason:
        page.paragraph(_shown(each.reason), indent=_INDENT)
    if each.model:
        _weighed(each.model, page)


def _weighed(weighed: ModelResult, page: Page) -> None:
    least = weighed.threshold
    words = f"weighed: {weighed.probability:.2f} likely a secret; a finding from {least:.2f} on"
    page.paragraph(words, indent=_INDENT)
    shown, rest = weighed.features[:_FEATURES], weighed.features[_FEATURES:]
    rows = [(weighed.bias, "to begin with"), *((weight, words) for words, weight in shown)]
    if rest:
        rows.append((sum(weight for _, weight in rest), f"{count(len(rest), 'weaker feature')}"))
    for weight, words in rows:
        page.paragraph(
            _shown(words), indent=_INDENT + 8, label=(f"{' ' * _INDENT}{weight:+.2f}", "")
        )


def _beside(explained: Explanation, page: Page) -> None:
    """Settings, decoded text and other rules that concern the line."""
    for setting in explained.settings:
        name = _shown(setting.name, _NAME)
        facts = [f"{setting.line}:{setting.column}", name, _shown(setting.preview)]
        page.line(("  setting".ljust(_INDENT), "cyan"), ("  ".join(filter(None, facts)), ""))
        page.paragraph(setting.reason, indent=_INDENT)
    for layers in explained.decoded:
        page.paragraph(
            f"text in {' in '.join(layers)}", indent=_INDENT, label=("  decoded", "cyan")
        )
    by_reason: dict[str, list[str]] = {}
    for rule, reason in explained.rules:
        by_reason.setdefault(reason, []).append(rule)
    for reason, rules in by_reason.items():
        more = f" and {len(rules) - _RULES} more" if len(rules) > _RULES else ""
        words = f"{', '.join(rules[:_RULES])}{more}: {reason}"
        page.paragraph(words, indent=_INDENT, label=("  looked", "cyan"))
    if explained.settings or explained.decoded or by_reason:
        page.space()


def _result(answer: Answer, page: Page) -> None:
    """What a scan reports about the line."""
    outcome, explained = answer.outcome, answer.explained
    for finding in outcome.findings[:_FINDINGS]:
        _finding(finding, "finding", "bold red", page)
        if finding.confidence < answer.least:
            words = f"not reported: min_confidence in keywatch.yaml is {answer.least.label}"
            page.paragraph(words, indent=_INDENT)
    for each in outcome.suppressed[:_FINDINGS]:
        _finding(each.finding, "covered", "green", page)
        page.paragraph(_covered(each.suppression), indent=_INDENT)
    more = sum(max(len(some) - _FINDINGS, 0) for some in (outcome.findings, outcome.suppressed))
    if more:
        page.paragraph(f"… and {more:,} more: name a column", indent=_INDENT)
    for note in outcome.notes:
        if note.kind == NoteKind.PLACEHOLDER:
            continue  # already shown with its value
        page.paragraph(_shown(note.text), indent=_INDENT, label=("  note", "blue"))
    if not (explained.values or explained.rules or explained.settings):
        page.paragraph("no rule checked it: the line contains no rule's prefilter word", indent=2)
    if not (outcome.findings or outcome.suppressed):
        page.paragraph("there is no finding here", indent=2)


def _finding(finding: Finding, word: str, style: str, page: Page) -> None:
    page.line((f"  {word}".ljust(_INDENT), style), (f"{finding.rule} · {finding.id}", ""))
    levels = f"{finding.severity.label} severity, {finding.confidence.label} confidence"
    page.paragraph(" ".join(filter(None, (levels, _shown(finding.detail)))), indent=_INDENT)


def _covered(exception: Suppression) -> str:
    terms = (
        exception.reason,
        exception.owner,
        f"until {exception.until}" if exception.until else "",
    )
    words = f"by {_BY.get(exception.by, exception.by)} ({exception.location})"
    return _shown(": ".join(filter(None, (words, ", ".join(filter(None, terms))))))


def _shown(words: str, most: int = _PROSE) -> str:
    return shorten(visible(words), most)
