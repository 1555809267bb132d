"""The command line: what the backends gave, joined with the policy and with earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.audit.collect import Harvest
from scanner.audit.judge import AuditJudge
from scanner.audit.state import Kept, State
from scanner.configuration.repository import Config
from scanner.fingerprints import identify
from scanner.masking import masked, masked_finding, masked_gap, masked_note, masked_terms
from scanner.model import Finding, Gap, GapKind, Note, Observation, Outcome
from scanner.policy import judge
from scanner.policy.live import changes
from scanner.policy.live.changes import Words
from scanner.policy.live.rules import BY_ID
from scanner.records import Audited, Reach
from scanner.repository.tree import Tree


class Sitting(NamedTuple):
    """What a run goes by. `harvests` are those of the chosen backends; `left_out` are the others,
    each as `vault://name`."""

    settings: Config
    court: AuditJudge
    harvests: Sequence[Harvest]
    left_out: Sequence[str]
    tree: Tree
    state: State
    now: datetime

    def hides(self, name: str) -> bool:
        """May the secret of this canonical id be there, though this run did not see it?"""
        if any(_may_lie(name, store) for store in self.left_out):
            return True
        return any(each.hides(name) for each in self.harvests if _may_lie(name, each.store))

    @property
    def whole(self) -> bool:
        """Were all stores read to the end?"""
        return not self.left_out and all(each.complete for each in self.harvests)

    @property
    def gaps(self) -> list[Gap]:
        return [gap for each in self.harvests for gap in each.gaps]


def _may_lie(name: str, store: str) -> bool:
    """Is it of this store, or of one whose name is not known?"""
    scheme, _, path = name.partition("://")
    backend = path.partition("/")[0]
    return store == f"{scheme}://{backend}" or (backend == "*" and store.startswith(f"{scheme}:"))


def outcome(
    sitting: Sitting, earlier: Sequence[Finding], notes: Sequence[Note], *, compare: bool
) -> Outcome:
    """The judged run. `earlier`: findings of a run before, of which those stay that this one could
    not check again. `compare`: with what changed since the run before.

    Of the exceptions, those are judged that are about the live side. One that covers nothing is a
    finding only where all stores were read.
    """
    settings, tree = sitting.settings, sitting.tree
    judged = judge.judge(
        [Observation(path="", size=0, findings=_findings(sitting, earlier))],
        skips=[skip._replace(path=masked(skip.path)) for skip in tree.skips],
        gaps=[*map(masked_gap, tree.gaps), *sitting.gaps],
        notes=[
            *map(masked_note, (*notes, *sitting.court.notes(whole=sitting.whole))),
            *_notes(sitting),
        ],
        entries=[masked_terms(each) for each in settings.allow if each.rule in BY_ID],
        accepted_gaps=[masked_terms(each) for each in settings.accept_gaps if "://" in each.path],
        whole_tree=sitting.whole,
        now=sitting.now,
    )
    return judged._replace(live=_audited(sitting, compare=compare), coverage=tree.coverage)


def _findings(sitting: Sitting, earlier: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of the records, of the comparison, and the earlier ones that nobody could refute."""
    left_out = [Gap(kind=GapKind.LEFT_OUT, path=store, reason="") for store in sitting.left_out]
    differences = sitting.court.differences([*sitting.gaps, *left_out])
    found = [finding for each in sitting.harvests for finding in each.findings]
    found += identify(map(masked_finding, differences))
    met = {finding.fingerprint for finding in found}
    found += (
        each
        for each in earlier
        if each.fingerprint not in met and each.resource and sitting.hides(each.resource.id)
    )
    return tuple(found)


def _notes(sitting: Sitting) -> Iterator[Note]:
    return (note for each in sitting.harvests for note in each.notes)


def _audited(sitting: Sitting, *, compare: bool) -> Audited:
    secrets = tuple(status for each in sitting.harvests for status in each.secrets.values())
    compare = compare and sitting.state.written is not None
    after = {each.id: changes.words(each.verdict, each.conditions) for each in secrets}
    return Audited(
        secrets=secrets,
        reach=tuple(_reach(each, sitting) for each in sitting.harvests),
        changes=changes.changes(_before(sitting), after) if compare else (),
        since=sitting.state.written if compare else None,
    )


def _reach(harvest: Harvest, sitting: Sitting) -> Reach:
    name = harvest.settings.name
    return Reach(
        backend=name,
        kind=harvest.settings.kind,
        read=len(harvest.secrets),
        known=len(harvest.secrets.keys() | {gap.path for gap in harvest.gaps}),
        unread=Counter(gap.kind for gap in harvest.gaps),
        last_success=_successes(sitting).get(name),
    )


def _before(sitting: Sitting) -> dict[str, Words]:
    """What the run before knew, but for what this one cannot tell."""
    return {
        name: changes.words(kept.verdict, kept.conditions)
        for name, kept in sitting.state.secrets.items()
        if not sitting.hides(name)
    }


def state(sitting: Sitting) -> State:
    """What the next run needs to know: what this one saw, and what it could not tell, as it was."""
    secrets = {name: kept for name, kept in sitting.state.secrets.items() if sitting.hides(name)}
    for harvest in sitting.harvests:
        secrets |= _seen(harvest, sitting)
    return State(written=sitting.now, successes=_successes(sitting), secrets=secrets)


def _seen(harvest: Harvest, sitting: Sitting) -> Iterator[tuple[str, Kept]]:
    for name, status in harvest.secrets.items():
        record, was = harvest.records.get(name), sitting.state.secrets.get(name)
        is_old = record is not None and was is not None and record is was.record
        yield (
            name,
            Kept(
                backend=status.backend,
                seen=was.seen if was and is_old else sitting.now,
                verdict=status.verdict,
                conditions=status.conditions,
                value_mark=harvest.value_marks.get(name),
                record=record,
            ),
        )


def _successes(sitting: Sitting) -> dict[str, datetime]:
    """By name, when each backend was last read to the end."""
    ended = {each.settings.name: sitting.now for each in sitting.harvests if each.complete}
    return {**sitting.state.successes, **ended}
