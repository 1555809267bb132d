"""Combine what the backends returned with the policy and with earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.audit import backends
from scanner.audit.collect import BackendResult
from scanner.audit.judge import AuditJudge
from scanner.audit.state import SavedSecret, State
from scanner.configuration.repository import Config
from scanner.fingerprints import identify
from scanner.inventory.interface import Settings
from scanner.masking import masked, masked_finding, masked_gap, masked_note, masked_terms
from scanner.model import Finding, Gap, GapKind, Note, NoteKind, Observation, Outcome
from scanner.policy import judge
from scanner.policy.live import changes
from scanner.policy.live.changes import Words
from scanner.policy.live.rules import BY_ID
from scanner.records import Audited, EarlierStatus, Reach, Status
from scanner.repository.tree import Tree


class AuditRun(NamedTuple):
    """One audit. `results` are those of the chosen backends; `left_out` are the other backends as
    `vault://name`. `state` is what earlier runs saw. `advice` says what to do first about a gap of
    a kind that concerns the whole store. `classes` are the only classes to judge, empty for all."""

    settings: Config
    judge: AuditJudge
    results: Sequence[BackendResult]
    left_out: Sequence[str]
    tree: Tree
    state: State
    now: datetime
    advice: Callable[[Settings, str], str] = lambda _settings, _kind: ""
    classes: tuple[str, ...] = ()

    def hides(self, name: str) -> bool:
        """Could the secret with this canonical ID exist although this run did not see it?"""
        if any(_may_be_in(name, store) for store in self.left_out):
            return True
        return any(each.hides(name) for each in self.results if _may_be_in(name, each.store))

    def leaves_open(self, finding: Finding) -> bool:
        """Could this finding of an earlier run still be true, because it was not checked again?"""
        if finding.resource is None:
            return False
        name = finding.resource.id
        if any(_may_be_in(name, store) for store in self.left_out):
            return True
        held = (each for each in self.results if _may_be_in(name, each.store))
        return any(each.leaves_open(name, finding.rule) for each in held)

    @property
    def complete(self) -> bool:
        """Were all stores read completely, and all their secrets judged?"""
        return not (self.left_out or self.classes) and all(each.complete for each in self.results)

    @property
    def gaps(self) -> list[Gap]:
        return [gap for each in self.results for gap in each.gaps]


def _may_be_in(name: str, store: str) -> bool:
    """Is the secret in this store, or in one of its kind whose name is unknown?"""
    scheme, _, path = name.partition("://")
    backend = path.partition("/")[0]
    return store == f"{scheme}://{backend}" or (backend == "*" and store.startswith(f"{scheme}:"))


def outcome(
    run: AuditRun, earlier: Sequence[Finding], notes: Sequence[Note], *, compare: bool
) -> Outcome:
    """The judged run.

    `earlier` are findings of an earlier run; those that this run could not check again stay.
    `compare`: include what changed since the previous run. Only exceptions for live secrets are
    judged. An unused one is a finding only if all stores were read completely.
    """
    settings, tree = run.settings, run.tree
    judged = judge.judge(
        [Observation(path="", size=0, findings=_findings(run, earlier))],
        skips=[skip._replace(path=masked(skip.path)) for skip in tree.skips],
        gaps=[*map(masked_gap, tree.gaps), *run.gaps],
        notes=[
            *map(masked_note, (*notes, *run.judge.notes(complete=run.complete))),
            *_notes(run),
        ],
        entries=[masked_terms(each) for each in settings.allow if each.rule in BY_ID],
        accepted_gaps=[masked_terms(each) for each in settings.accept_gaps if "://" in each.path],
        whole_tree=run.complete,
        now=run.now,
    )
    return judged._replace(live=_audited(run, compare=compare), coverage=tree.coverage)


def _findings(run: AuditRun, earlier: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings of records and of the comparison, and earlier ones that were not checked again."""
    left_out = [Gap(kind=GapKind.LEFT_OUT, path=store, reason="") for store in run.left_out]
    differences = run.judge.differences([*run.gaps, *left_out], run.classes)
    found = [finding for each in run.results for finding in each.findings]
    found += identify(map(masked_finding, differences))
    seen = {finding.fingerprint for finding in found}
    found += (each for each in earlier if each.fingerprint not in seen and run.leaves_open(each))
    return tuple(found)


def _notes(run: AuditRun) -> Iterator[Note]:
    yield from (note for each in run.results for note in each.notes)
    if run.classes:
        text = f"only secrets of these classes were judged: {', '.join(run.classes)}"
        yield Note(kind=NoteKind.NOT_AUDITED, path="", text=text)


def _audited(run: AuditRun, *, compare: bool) -> Audited:
    secrets = tuple(status for each in run.results for status in each.secrets.values())
    compare = compare and run.state.written is not None
    after = {each.id: changes.words(each.verdict, each.conditions) for each in secrets}
    return Audited(
        secrets=secrets,
        reach=tuple(_reach(each, run) for each in run.results),
        changes=changes.changes(_before(run), after) if compare else (),
        since=run.state.written if compare else None,
        earlier=tuple(_earlier(run)),
        classes=run.classes,
    )


def _earlier(run: AuditRun) -> Iterator[EarlierStatus]:
    """What the last run that read a secret said, for those that this run could not read."""
    for name, saved in run.state.secrets.items():
        if run.hides(name):
            status = Status(
                id=name,
                backend=saved.backend,
                kind=saved.kind,
                secret_class=saved.secret_class,
                owner=saved.owner,
                verdict=saved.verdict,
                conditions=saved.conditions,
                limit=saved.limit,
                due=saved.due,
            )
            yield EarlierStatus(status=status, seen=saved.seen)


def _reach(result: BackendResult, run: AuditRun) -> Reach:
    name, problem = result.settings.name, _problem(result)
    return Reach(
        backend=name,
        kind=result.settings.kind,
        read=len(result.secrets),
        known=len(result.secrets.keys() | {gap.path for gap in result.gaps}),
        unread=Counter(gap.kind for gap in result.gaps),
        last_success=_successes(run).get(name),
        problem=masked(problem.reason) if problem else "",
        remedy=masked(run.advice(result.settings, problem.kind)) if problem else "",
    )


def _problem(result: BackendResult) -> Gap | None:
    """Why the store was not read, or not to its end. The login comes first."""
    ends = [gap for gap in result.gaps if gap.kind in backends.LOGIN_GAPS]
    ends += [gap for gap in result.gaps if gap.kind in {"unreachable", "timeout"}]
    ends += [gap for gap in result.gaps if gap.path == result.store or not result.secrets]
    return ends[0] if ends else None


def _before(run: AuditRun) -> dict[str, Words]:
    """What the previous run saw, without what this run could not read."""
    return {
        name: changes.words(saved.verdict, saved.conditions)
        for name, saved in run.state.secrets.items()
        if not run.hides(name)
    }


def state(run: AuditRun) -> State:
    """The state for the next run: what this run saw, and earlier entries that it could not read."""
    secrets = {name: saved for name, saved in run.state.secrets.items() if run.hides(name)}
    for result in run.results:
        secrets |= _saved(result, run)
    return State(written=run.now, successes=_successes(run), secrets=secrets)


def _saved(result: BackendResult, run: AuditRun) -> Iterator[tuple[str, SavedSecret]]:
    for name, status in result.secrets.items():
        record, before = result.records.get(name), run.state.secrets.get(name)
        is_old = record is not None and before is not None and record is before.record
        yield (
            name,
            SavedSecret(
                backend=status.backend,
                seen=before.seen if before and is_old else run.now,
                verdict=status.verdict,
                conditions=status.conditions,
                value_mark=result.value_marks.get(name),
                record=record,
                kind=status.kind,
                secret_class=status.secret_class,
                owner=status.owner,
                limit=status.limit,
                due=status.due,
            ),
        )


def _successes(run: AuditRun) -> dict[str, datetime]:
    """When each backend was last read completely, by name. A run of some classes does not count."""
    read = () if run.classes else run.results
    ended = {each.settings.name: run.now for each in read if each.complete}
    return {**run.state.successes, **ended}
