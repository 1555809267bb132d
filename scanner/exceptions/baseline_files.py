"""Create, update and prune baselines.

A repository can have two. `.secrets.baseline` lists everything that detect-secrets finds, even if
an exception covers it here. `.keywatch.baseline` lists the findings that the other one does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scanner import files
from scanner.configuration.repository import KEYWATCH_BASELINE, SECRETS_BASELINE
from scanner.console import Console
from scanner.errors import UsageError, unreadable
from scanner.exceptions import full_scan
from scanner.exceptions.full_scan import FullScan
from scanner.inputs.folder import Folder
from scanner.model import DetectSecretsMatch, Location, archives_around
from scanner.policy.baselines import (
    detect_secrets_baseline,
    detect_secrets_update,
    keywatch_baseline,
)
from scanner.policy.baselines.detect_secrets_baseline import DetectSecretsBaseline
from scanner.policy.baselines.keywatch_baseline import Baseline, BaselineEntry
from scanner.report.text import count, visible
from scanner.scan import baselines
from scanner.scan.request import ScanRequest
from scanner.scan.sources import Selection


class _File(NamedTuple):
    """A baseline on disk: the name to show, its path, and its bytes (None if there is no file)."""

    name: str
    path: str
    data: bytes | None


class RecordRequest(NamedTuple):
    """What to do with the baselines: `create`, `update` or `prune`, after this scan.

    `output`: where `create` writes the baseline of detect-secrets.
    """

    action: str
    scan: ScanRequest
    output: str | None = None


class _Run(NamedTuple):
    """The action, the finished scan, and which files it scanned to the end."""

    action: str
    scan: FullScan
    scanned: Callable[[str], bool]
    now: datetime


def record(request: RecordRequest, console: Console, now: datetime) -> int:
    """Scan, and make the baselines match what the scan found."""
    selection = full_scan.select(request.scan, console)
    own, detect_secrets = _files(request, console, selection.source.root)
    _refuse(request.action, selection, own, detect_secrets)
    finished = full_scan.scan(request.scan, console, selection, now)
    run = _Run(request.action, finished, _scanned(selection, finished), now)
    known = None
    if detect_secrets and finished.baselines.settings:
        known = _keep_detect_secrets(run, detect_secrets, console)
    _keep_own(run, own, known, console)
    return full_scan.completeness(finished.outcome, console)


def _files(request: RecordRequest, console: Console, root: str) -> tuple[_File, _File | None]:
    """Our baseline, and the one of detect-secrets if there is one to write.

    `create` writes the latter only with --detect-secrets exact.
    """
    disk = Folder(root, (), use_git=False)
    own, theirs = (
        _File(name, os.path.join(root, name), disk.control(name))
        for name in (KEYWATCH_BASELINE, SECRETS_BASELINE)
    )
    if request.action == "create":
        if request.output:
            theirs = _named(request.output, console)
        return own, theirs if request.scan.detect_secrets == "exact" else None
    if request.scan.baseline:
        named = _named(request.scan.baseline, console)
        if keywatch_baseline.is_one(named.data or b""):
            own = named
        else:
            theirs = named
    return own, theirs if theirs.data is not None else None


def _named(given: str, console: Console) -> _File:
    path = os.path.join(console.cwd, given)
    try:
        with open(path, "rb") as file:
            return _File(given, path, file.read())
    except FileNotFoundError:
        return _File(given, path, None)
    except OSError as error:
        raise unreadable(given, error) from None


def _refuse(action: str, selection: Selection, own: _File, detect_secrets: _File | None) -> None:
    for file in (own, detect_secrets) if action == "create" else ():
        if file and file.data is not None:
            raise UsageError(
                f"{file.name} exists already",
                todo="update it with keywatch baseline update, or delete it to start again",
            )
    if action != "create" and own.data is None and detect_secrets is None:
        raise UsageError("there is no baseline here", todo="keywatch baseline create")
    if action == "prune":
        full_scan.demand_whole_tree(selection, "prune")


def _scanned(selection: Selection, finished: FullScan) -> Callable[[str], bool]:
    """Whether the scan read a file to its end, so that what it did not find there is gone."""
    unread = {gap.path for gap in finished.result.gaps}
    unread |= {gap.path for each in finished.result.observations for gap in each.gaps}
    left_out = unread | {skip.path for skip in finished.result.skips}
    listed = {*selection.source.paths()}

    def scanned(path: str) -> bool:
        around = archives_around(path)
        if path in unread or not left_out.isdisjoint(around):
            return False
        return selection.whole_tree or (path not in left_out and (path, *around)[-1] in listed)

    return scanned


def _keep_detect_secrets(run: _Run, file: _File, console: Console) -> DetectSecretsBaseline:
    """Write `.secrets.baseline` if it changed. Returns its new content."""
    before = _document(run, file)
    old = detect_secrets_baseline.parse(before, file.name)
    after = detect_secrets_update.update(
        before,
        _matches(run.scan),
        scanned=run.scanned,
        now=run.now,
        add=run.action != "prune",
    )
    if file.data is None or after != before:
        files.write_file(file.path, detect_secrets_update.render(after, file.data or b""))
    new = detect_secrets_baseline.parse(after, file.name)
    console.write(_summary(file.name, old.labels, new.labels))
    return new


def _document(run: _Run, file: _File) -> dict[str, Any]:
    """The document to update: a new one, or the one on disk, unchanged if its format allows."""
    from scanner.detect import detect_secrets

    if file.data is None:
        settings = run.scan.baselines.settings
        assert settings is not None  # noqa: S101 - asked by the caller
        stamp = f"{run.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return {**detect_secrets.empty_document(settings), "generated_at": stamp}
    raw = baselines.detect_secrets_document(file.data, file.name)
    renewed = detect_secrets.upgrade(raw, file.name)
    as_it_is = all(raw.get(key) == renewed.get(key) for key in ("plugins_used", "filters_used"))
    return raw if as_it_is else renewed


def _matches(finished: FullScan) -> dict[str, list[DetectSecretsMatch]]:
    found: dict[str, list[DetectSecretsMatch]] = {}
    for observation in finished.result.observations:
        for finding in observation.findings:
            found.setdefault(observation.path, []).extend(finding.detect_secrets)
    return {path: matches for path, matches in found.items() if matches}


def _keep_own(
    run: _Run, file: _File, known: DetectSecretsBaseline | None, console: Console
) -> None:
    """Write `.keywatch.baseline` if it changed. It is created only if it has entries."""
    old = (
        Baseline(file.name) if file.data is None else keywatch_baseline.parse(file.data, file.name)
    )
    prune = run.action == "prune"
    new = _still_there(old, run.scan) if prune else _renewed(old, run, known)
    if file.data is None and run.action != "create" and not new:
        return
    if keywatch_baseline.render(new) != file.data:
        files.write_file(file.path, keywatch_baseline.render(new))
    console.write(_summary(file.name, old.entries, new))
    if file.data is None:
        console.write(f"commit it, and add `{KEYWATCH_BASELINE} merge=union` to .gitattributes\n")


def _renewed(
    old: Baseline, run: _Run, known: DetectSecretsBaseline | None
) -> tuple[BaselineEntry, ...]:
    """The open findings, the accepted ones that are still there, and old entries of files or rules
    that this run did not scan.
    """
    outcome = run.scan.outcome
    accepted = [s.finding for s in outcome.suppressed if s.suppression.by == "baseline"]
    listed = [f for f in (*outcome.findings, *accepted) if not (known and known.knows(f))]
    unknown = (e for e in old.entries if e.rule not in run.scan.rules or not run.scanned(e.path))
    return tuple(sorted({*unknown, *keywatch_baseline.entries_of(listed)}))


def _still_there(old: Baseline, finished: FullScan) -> tuple[BaselineEntry, ...]:
    """The old entries without those that no longer cover anything."""
    entries = (each for each in finished.outcome.register if each.by == "baseline")
    stale = {each.location for each in entries if not each.used and each.rule in finished.rules}
    return tuple(
        entry
        for entry, line in zip(old.entries, old.lines, strict=True)
        if Location.at(old.path, line) not in stale
    )


def _summary(name: str, old: Collection[object], new: Collection[object]) -> str:
    """`.keywatch.baseline: 12 findings (3 new, 1 gone)`."""
    added, gone = len({*new} - {*old}), len({*old} - {*new})
    return f"{visible(name)}: {count(len(new), 'finding')} ({added} new, {gone} gone)\n"
