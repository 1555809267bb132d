"""A run in a few words, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from posixpath import normpath

from scanner.model import (
    FailOn,
    Finding,
    Note,
    Outcome,
    Severity,
    SuppressedBy,
    archives_around,
)
from scanner.report import text
from scanner.report.interface import ReportContext
from scanner.report.order import note_order

_NOTES = 3  # of each kind
_PATH, _PROSE = 240, 1200  # characters shown of a path and of a text

# What suppresses a finding -> how the number of such findings is shown.
_COVERED = {
    "baseline": "in the baseline",
    "detect-secrets-baseline": "in .secrets.baseline",
    "entry": "allowed in keywatch.yaml",
    "comment": "allowed by comment",
}


def severities(findings: Iterable[Finding]) -> str:
    """`1 critical, 2 high`."""
    numbers = Counter(finding.severity for finding in findings)
    present = (level for level in reversed(Severity) if numbers[level])
    return ", ".join(f"{numbers[level]:,} {level.label}" for level in present)


def read(outcome: Outcome) -> list[str]:
    """`214 files, 3.4 MB`; in an audit, what was read from each backend."""
    if outcome.live:
        from scanner.report import live_summary

        return live_summary.reached(outcome.live.reach)
    return [f"{text.count(outcome.coverage.files, 'file')}, {text.size(outcome.coverage.size)}"]


def verdict(outcome: Outcome, fail_on: FailOn) -> tuple[str, str]:
    """A mark and the result in words: `✓` clean, `!` does not fail the run, `✗` fails it."""
    findings = outcome.findings
    incomplete = "" if outcome.complete else " · incomplete"
    if not findings and outcome.complete:
        return "✓", "clean"
    if not findings:
        paths = text.count(len(outcome.gaps), "path")
        read = "audited" if outcome.live else "scanned"
        return "!", f"Incomplete: {paths} could not be {read}. No findings in the rest."
    words = f"{text.count(len(findings), 'finding')} ({severities(findings)})"
    spared = [finding for finding in findings if not fail_on.fails(finding)]
    if not spared:
        return "✗", words + incomplete
    if len(spared) == len(findings):
        return "!", f"{words}, {spared_because(spared, fail_on)}{incomplete}"
    return "✗", f"{words} · {len(spared):,} of them {spared_because(spared, fail_on)}{incomplete}"


def spared_because(findings: Sequence[Finding], fail_on: FailOn) -> str:
    """Why these findings do not fail the run."""
    if all(finding.severity < fail_on.severity for finding in findings):
        return f"below --fail-on {fail_on.severity.label}"
    if fail_on.is_strict or any(finding.severity < fail_on.severity for finding in findings):
        return "not failing the run"
    return "not failing the run (--strict fails on all)"


def place(path: str, line: int, context: ReportContext) -> str:
    """`path:line` relative to the current folder, with `./` before a name like an option."""
    if not path:
        return ""
    if text.is_live(path):
        return text.shorten(text.visible(path), _PATH)
    name = text.shorten(text.visible(context.open_from + path), _PATH)
    return ("./" if name.startswith("-") else "") + name + (f":{line}" if line else "")


def link(path: str, context: ReportContext) -> str:
    """The URL of a file, or of the archive that it is in; "" for none."""
    if not context.links or not path or text.is_live(path):
        return ""
    from urllib.parse import quote  # takes 3 ms, and most runs show no links

    file = (path, *archives_around(path))[-1]
    return context.links + quote(normpath(context.open_from + file))


def notes(outcome: Outcome, context: ReportContext) -> list[tuple[str, str]]:
    """(place, words) of the first notes of each kind, and the number of the others."""
    shown = []
    for kind, group in _notes_by_kind(outcome).items():
        shown += [
            (place(note.path, note.line, context), text.shorten(text.visible(note.text), _PROSE))
            for note in group[:_NOTES]
        ]
        if len(group) > _NOTES:
            shown.append(("", f"… and {len(group) - _NOTES:,} more of kind {text.visible(kind)}"))
    return shown


def hides_notes(outcome: Outcome) -> bool:
    return any(len(group) > _NOTES for group in _notes_by_kind(outcome).values())


def _notes_by_kind(outcome: Outcome) -> dict[str, list[Note]]:
    kinds: dict[str, list[Note]] = {}
    for note in sorted(outcome.notes, key=lambda note: (note.kind, *note_order(note))):
        kinds.setdefault(note.kind, []).append(note)
    return kinds


def remarks(outcome: Outcome) -> list[str]:
    """What else a reader must know: suppressed findings, unexplained pragmas, skipped files."""
    covered = Counter(sorted(item.suppression.by for item in outcome.suppressed))
    covered.pop("pragma", None)  # counted by _register as unexplained pragmas
    words = [f"{number:,} {_COVERED.get(by, text.visible(by))}" for by, number in covered.items()]
    return [*words, *_register(outcome), *_skipped(outcome)]


def _register(outcome: Outcome) -> list[str]:
    kinds = Counter(item.by for item in outcome.register)
    pragmas = {
        (item.by, item.location) for item in outcome.register if item.by == SuppressedBy.PRAGMA
    }
    hidden = (item.suppression for item in outcome.suppressed)
    pragmas |= {(item.by, item.location) for item in hidden if item.by == SuppressedBy.PRAGMA}
    words = [text.count(len(pragmas), "unexplained pragma")] if pragmas else []
    words += [text.count(kinds["rule-disabled"], "disabled rule")] * bool(kinds["rule-disabled"])
    return words + [text.count(kinds["accepted-gap"], "accepted gap")] * bool(kinds["accepted-gap"])


def _skipped(outcome: Outcome) -> list[str]:
    skipped = outcome.coverage.skipped
    if not skipped:
        return []
    kinds = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    words = ", ".join(f"{number:,} {text.visible(kind)}" for kind, number in kinds)
    return [f"{sum(skipped.values()):,} skipped ({words})"]
