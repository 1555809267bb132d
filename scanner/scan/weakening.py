"""Find out how a change weakens the policy: keywatch.yaml and the baselines of two commits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from scanner import document
from scanner.configuration import repository
from scanner.document import Document
from scanner.fingerprints import identify
from scanner.inputs.git.stored import Stored
from scanner.masking import masked_finding
from scanner.model import Finding, Observation
from scanner.policy.exceptions import weakening
from scanner.scan import baselines
from scanner.scan.plan import ScanPlan


def observations(plan: ScanPlan, heads: set[str]) -> Iterator[Observation]:
    """A finding for each entry that one of the commits `heads` weakens, by file."""
    found = {each for head in heads for each in _found(plan, head)}
    ordered = sorted(found, key=lambda each: (each.location, each.detail))
    for path, group in groupby(ordered, key=lambda each: each.location.path):
        yield Observation(path=path, size=0, findings=identify(map(masked_finding, group)))


def _found(plan: ScanPlan, head: str) -> Iterator[Finding]:
    held = plan.selection.source
    said = Stored(held.root, {}, f"{head}:")
    path = plan.selection.config_path
    if path and held.control(path) != (data := said.control(path)):
        yield from _of_config(plan, path, data)
    old = plan.baselines
    new = baselines.in_other_source(old, held, said, plan.selection.cache_folder)
    if old.own != new.own and (entries := new.baseline()):
        yield from weakening.of_baseline(old.baseline(), entries)
    if old.detect_secrets != new.detect_secrets:
        yield from weakening.of_detect_secrets(
            old.detect_secrets_baseline(), new.detect_secrets_baseline()
        )
        yield from weakening.of_standing(old.standing(), new.standing())


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
