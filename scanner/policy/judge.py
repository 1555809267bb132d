"""Policy: turn observations, exceptions, baselines and `now` into an Outcome.

These can suppress a finding, in this order: a comment, an entry of keywatch.yaml, an allow comment
of another tool, `.keywatch.baseline`, `.secrets.baseline`. A comment, an entry and a line of
`.keywatch.baseline` suppress one finding each. Only a scan of the whole tree can report an unused
exception. There, an expired exception has no effect; in other scans it still suppresses its
finding, and a note says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from scanner.fingerprints import identify
from scanner.model import (
    Confidence,
    Coverage,
    Gap,
    Location,
    Note,
    NoteKind,
    Observation,
    Outcome,
    Skip,
    Suppression,
)
from scanner.policy.exceptions import accepted_gaps as gap_policy
from scanner.policy.exceptions import allow_entries, foreign_comments
from scanner.policy.exceptions.accepted_gaps import AcceptedGap
from scanner.policy.exceptions.allow_entries import AllowEntry
from scanner.policy.exceptions.foreign_comments import LegacyPragmas
from scanner.policy.judge_input import (
    UNUSED_AFTER,
    ExceptionReport,
    ExceptionSource,
    FindingRegistry,
    Scope,
    in_order,
)


def judge(  # noqa: PLR0913 - everything that the outcome depends on, by name
    observations: Sequence[Observation],
    *,
    skips: Sequence[Skip] = (),
    gaps: Sequence[Gap] = (),
    notes: Sequence[Note] = (),
    baseline: ExceptionSource | None = None,
    detect_secrets_baseline: ExceptionSource | None = None,
    entries: Sequence[AllowEntry] = (),
    accepted_gaps: Sequence[AcceptedGap] = (),
    legacy_pragmas: LegacyPragmas = LegacyPragmas.WARN,
    standing: Sequence[Suppression] = (),
    idle_rules: Collection[str] = (),
    unused_after: timedelta = UNUSED_AFTER,
    whole_tree: bool,
    now: datetime,
    min_confidence: Confidence = Confidence.LOW,
) -> Outcome:
    """Judge a run. The order of the observations does not matter.

    `detect_secrets_baseline` is None if the detect-secrets layer did not run. `standing` are
    suppressions of whole rules, plugins or filters; they are only listed, because what they disable
    did not run. `idle_rules` exist but did not run, so exceptions for them are never reported as
    unused. `now` is timezone-aware; days are UTC days.
    """
    seen = sorted(observations, key=lambda each: each.path)
    all_gaps = sorted({*gaps, *(gap for each in seen for gap in each.gaps)}, key=_gap_order)
    unread = {gap.path for gap in all_gaps}
    scope = Scope(
        whole_tree=whole_tree,
        today=now.astimezone(UTC).date(),
        idle_rules=idle_rules,
        unread=unread,
        unopened=unread | {skip.path for skip in skips},
        unused_after=unused_after,
    )
    registry = FindingRegistry([finding for each in seen for finding in each.findings])
    comments = sorted((c for each in seen for c in each.comments), key=lambda c: (c.path, c.line))
    exemptions = allow_entries.exemptions(comments, entries, registry, scope)
    used = allow_entries.assign(registry, [e for e in exemptions if e.ends >= scope.today])
    parts = [
        ExceptionReport(
            notes=(*notes, *(note for each in seen for note in each.notes)),
            register=tuple(standing),
        ),
        allow_entries.invalid_comments(comments),
        foreign_comments.cover(registry, comments, legacy_pragmas, scope),
    ]
    parts += (each.cover(registry, scope) for each in (baseline, detect_secrets_baseline) if each)
    ended = [e for e in exemptions if e.ends < scope.today]
    lapsed = allow_entries.assign(registry, ended, cover=not whole_tree)
    parts.append(allow_entries.report(exemptions, used, lapsed, scope))
    open_gaps, accepted = gap_policy.accept(all_gaps, accepted_gaps, scope)
    left_out = tuple(sorted(set(skips), key=lambda skip: (skip.path, skip.kind)))
    return _verdict(registry, (*parts, accepted), min_confidence)._replace(
        gaps=open_gaps,
        skips=left_out,
        coverage=_coverage(seen, left_out),
    )


def _verdict(
    registry: FindingRegistry, parts: Sequence[ExceptionReport], min_confidence: Confidence
) -> Outcome:
    own = identify(sorted((f for part in parts for f in part.findings), key=in_order))
    found = sorted((*(finding for _, finding in registry.open()), *own), key=in_order)
    shown = tuple(finding for finding in found if finding.confidence >= min_confidence)
    below = _below(len(found) - len(shown))
    return Outcome(
        findings=shown,
        suppressed=registry.suppressed(),
        notes=tuple(sorted((*(n for part in parts for n in part.notes), *below), key=_note_order)),
        register=tuple(
            sorted(
                (suppression for part in parts for suppression in part.register),
                key=_suppression_order,
            )
        ),
    )


def _below(hidden: int) -> tuple[Note, ...]:
    text = f"findings hidden because of low confidence: {hidden} (--min-confidence low shows them)"
    return (Note(kind=NoteKind.BELOW_CONFIDENCE, path="", text=text),) if hidden else ()


def _coverage(seen: Sequence[Observation], skips: Sequence[Skip]) -> Coverage:
    kinds = Counter(skip.kind for skip in skips)
    size = sum(each.size for each in seen)
    return Coverage(files=len(seen), size=size, skipped=dict(sorted(kinds.items())))


def _gap_order(gap: Gap) -> tuple[str, str, str]:
    return gap.path, gap.kind, gap.reason


def _note_order(note: Note) -> tuple[str, int, str, str]:
    return note.path, note.line, note.kind, note.text


def _suppression_order(suppression: Suppression) -> tuple[str, str, Location, str]:
    return suppression.by, suppression.path, suppression.location, suppression.rule
