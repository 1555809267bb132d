"""Find out how a change weakens the policy: keywatch.yaml and the baselines of two commits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from scanner import document
from scanner.configuration import repository
from scanner.console import Console
from scanner.document import Document
from scanner.fingerprints import identify
from scanner.inputs.git.revisions import Change
from scanner.inputs.git.stored import Stored
from scanner.inputs.interface import Source
from scanner.masking import masked_finding
from scanner.model import Finding, Observation
from scanner.policy.exceptions import weakening
from scanner.scan import baselines, commits, sources
from scanner.scan import plan as planning
from scanner.scan.plan import ScanPlan


def stricter(plan: ScanPlan, console: Console) -> ScanPlan:
    """The plan, or the same under the newest policy of the base branch if that is stricter.

    Otherwise a branch could begin at an old commit to be judged by the looser policy of that time.
    """
    asked = plan.selection.commits
    if asked is None or not changes_policy(plan, asked.newer):
        return plan
    source = commits.at(plan.selection.source.root, asked.newer)
    selection = sources.under_policy_of(plan.request, console, plan.selection, source)
    newest = planning.make(plan.request, console, selection)
    is_looser = any(True for change in asked.changes for _ in _found(newest, change.base))
    return newest if is_looser else plan


def changes_policy(plan: ScanPlan, commit: str) -> bool:
    """Is keywatch.yaml or a baseline in a commit different from the plan's?"""
    return _differ(plan, plan.selection.source, commit)


def weakens_policy(plan: ScanPlan, change: Change) -> bool:
    """May a change weaken the policy?

    If the policy is newer than the change, the change must differ from what it began at, too.
    """
    source = plan.selection.source
    if not _differ(plan, source, change.head):
        return False
    asked = plan.selection.commits
    if asked is None or not asked.newer:
        return True
    return _differ(plan, commits.at(source.root, change.base), change.head)


def _differ(plan: ScanPlan, one: Source, commit: str) -> bool:
    other = Stored(plan.selection.source.root, {}, f"{commit}:")
    baselines = plan.baselines
    names = (plan.selection.config_path, baselines.own_name, baselines.detect_secrets_name)
    return any(one.control(name) != other.control(name) for name in filter(None, names))


def observations(plan: ScanPlan, heads: set[str]) -> Iterator[Observation]:
    """A finding for each entry that one of the commits `heads` weakens, by file."""
    found = {each for head in heads for each in _found(plan, head)}
    ordered = sorted(found, key=lambda each: (each.location, each.detail))
    for path, group in groupby(ordered, key=lambda each: each.location.path):
        yield Observation(path=path, size=0, findings=identify(map(masked_finding, group)))


def _found(plan: ScanPlan, head: str) -> Iterator[Finding]:
    held = plan.selection.source
    newer = Stored(held.root, {}, f"{head}:")
    path = plan.selection.config_path
    if path and held.control(path) != (data := newer.control(path)):
        yield from _of_config(plan, path, data)
    old = plan.baselines
    new = baselines.in_other_source(old, held, newer, plan.selection.cache_folder)
    if old.own != new.own and (entries := new.baseline()):
        yield from weakening.of_baseline(old.baseline(), entries)
    if old.detect_secrets != new.detect_secrets:
        yield from weakening.of_detect_secrets(
            old.detect_secrets_baseline(), new.detect_secrets_baseline()
        )
        yield from weakening.of_standing(old.standing(), new.standing())
        yield from weakening.of_limits(old.limits(), new.limits(), new.detect_secrets_name)


def _of_config(plan: ScanPlan, name: str, data: bytes | None) -> Iterator[Finding]:
    old, new = plan.selection.config, repository.load(data, name, None)
    parsed = Document({}, name, {}) if data is None else document.parse(data, name)
    before = plan.selection.config_data
    yield from weakening.of_settings(
        {} if before is None else document.parse(before, name).data,
        parsed,
        {(each.fingerprint[:12], each.until) for each in plan.approved},
    )
    size = parsed.at(("scan", "max_file_size"))
    yield from weakening.of_size(old.max_file_size, new.max_file_size, size)
    yield from weakening.of_classes(old.classes, new.classes)
    yield from weakening.of_secrets(old.secrets, new.secrets, old.classes, parsed.at(("secrets",)))
