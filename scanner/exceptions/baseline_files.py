"""The command line: what `keywatch baseline create`, `update` and `prune` write.

Two records are kept side by side. `.secrets.baseline` holds all that detect-secrets would find,
whatever covers it here; `.keywatch.baseline` holds the debt that the other one does not cover.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scanner import files
from scanner.console import Io, moment
from scanner.errors import UsageError, unreadable
from scanner.exceptions import full_scan
from scanner.exceptions.full_scan import Survey
from scanner.inputs.folder import Folder
from scanner.model import DetectSecretsMatch, SuppressedBy, archives_around
from scanner.policy.baselines import (
    detect_secrets_baseline,
    detect_secrets_update,
    keywatch_baseline,
)
from scanner.policy.baselines.detect_secrets_baseline import DetectSecretsBaseline
from scanner.policy.baselines.keywatch_baseline import Baseline, BaselineEntry
from scanner.report.text import count, visible
from scanner.scan import baselines
from scanner.scan.sources import Selection


class _File(NamedTuple):
    """A record on disk: its name for people, its path, its bytes; None where there is none yet."""

    name: str
    path: str
    data: bytes | None


class _Run(NamedTuple):
    """What is to be done, what was seen, and of which files that is all there is to see."""

    action: str
    seen: Survey
    scanned: Callable[[str], bool]
    now: datetime


def record(args: argparse.Namespace, io: Io) -> int:
    """Scan, and make the records say what the scan found."""
    selection = full_scan.select(args, io)
    own, detect_secrets = _files(args, io, selection.source.root)
    _refuse(args, selection, own, detect_secrets)
    now = moment(args.now)
    seen = full_scan.survey(args, io, selection, now)
    run = _Run(args.action, seen, _scanned(selection, seen), now)
    known = (
        _keep_detect_secrets(run, detect_secrets, io)
        if detect_secrets and seen.owed.settings
        else None
    )
    _keep_own(run, own, known, io)
    return full_scan.completeness(seen.outcome, io)


def _files(args: argparse.Namespace, io: Io, root: str) -> tuple[_File, _File | None]:
    """Our record, and the one for detect-secrets where there is one to write.

    `create` writes the latter only where --detect-secrets exact asks for it.
    """
    disk = Folder(root, (), use_git=False)
    own = _File(baselines.OWN, os.path.join(root, baselines.OWN), disk.control(baselines.OWN))
    theirs = _File(
        baselines.SECRETS_BASELINE,
        os.path.join(root, baselines.SECRETS_BASELINE),
        disk.control(baselines.SECRETS_BASELINE),
    )
    if args.action == "create":
        if args.output:
            theirs = _named(args.output, io)
        return own, theirs if args.detect_secrets == "exact" else None
    if args.baseline:
        named = _named(args.baseline, io)
        if keywatch_baseline.is_one(named.data or b""):
            own = named
        else:
            theirs = named
    return own, theirs if theirs.data is not None else None


def _named(given: str, io: Io) -> _File:
    path = os.path.join(io.cwd, given)
    try:
        with open(path, "rb") as file:
            return _File(given, path, file.read())
    except FileNotFoundError:
        return _File(given, path, None)
    except OSError as error:
        raise unreadable(given, error) from None


def _refuse(
    args: argparse.Namespace, selection: Selection, own: _File, detect_secrets: _File | None
) -> None:
    for file in (own, detect_secrets) if args.action == "create" else ():
        if file and file.data is not None:
            raise UsageError(
                f"{file.name} exists already",
                todo="keywatch baseline update keeps it; delete it first to start anew",
            )
    if args.action != "create" and own.data is None and detect_secrets is None:
        raise UsageError("there is no baseline here", todo="keywatch baseline create")
    if args.action == "prune":
        full_scan.demand_whole_tree(selection, "prune")


def _scanned(selection: Selection, seen: Survey) -> Callable[[str], bool]:
    """Whether this run knows all of a file, so that what it did not find there is gone."""
    unread = {gap.path for gap in seen.swept.gaps}
    unread |= {gap.path for each in seen.swept.observations for gap in each.gaps}
    left_out = unread | {skip.path for skip in seen.swept.skips}
    listed = {*selection.source.paths()}

    def scanned(path: str) -> bool:
        around = archives_around(path)
        if path in unread or not left_out.isdisjoint(around):
            return False
        return selection.whole_tree or (path not in left_out and (path, *around)[-1] in listed)

    return scanned


def _keep_detect_secrets(run: _Run, file: _File, io: Io) -> DetectSecretsBaseline:
    """Write `.secrets.baseline` anew where it changed. What it covers now."""
    before = _document(run, file)
    old = detect_secrets_baseline.parse(before, file.name)
    after = detect_secrets_update.update(
        before,
        _matches(run.seen),
        scanned=run.scanned,
        now=run.now,
        add=run.action != "prune",
    )
    if file.data is None or after != before:
        files.write_file(file.path, detect_secrets_update.render(after, file.data or b""))
    new = detect_secrets_baseline.parse(after, file.name)
    io.write(_said(file.name, old.labels, new.labels))
    return new


def _document(run: _Run, file: _File) -> dict[str, Any]:
    """The document to renew: a new one, or the one on disk, as it is wherever its format allows."""
    from scanner.detect import detect_secrets

    if file.data is None:
        settings = run.seen.owed.settings
        assert settings is not None  # noqa: S101 - asked by the caller
        stamp = f"{run.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return {**detect_secrets.empty_document(settings), "generated_at": stamp}
    raw = baselines.detect_secrets_document(file.data, file.name)
    renewed = detect_secrets.upgrade(raw, file.name)
    as_it_is = all(raw.get(key) == renewed.get(key) for key in ("plugins_used", "filters_used"))
    return raw if as_it_is else renewed


def _matches(seen: Survey) -> dict[str, list[DetectSecretsMatch]]:
    found: dict[str, list[DetectSecretsMatch]] = {}
    for observation in seen.swept.observations:
        for finding in observation.findings:
            found.setdefault(observation.path, []).extend(finding.detect_secrets)
    return {path: matches for path, matches in found.items() if matches}


def _keep_own(run: _Run, file: _File, known: DetectSecretsBaseline | None, io: Io) -> None:
    """Write `.keywatch.baseline` anew where it changed; it comes to be where there is a need."""
    old = (
        Baseline(file.name) if file.data is None else keywatch_baseline.parse(file.data, file.name)
    )
    prune = run.action == "prune"
    new = _still_there(old, run.seen) if prune else _renewed(old, run, known)
    if file.data is None and run.action != "create" and not new:
        return
    if keywatch_baseline.render(new) != file.data:
        files.write_file(file.path, keywatch_baseline.render(new))
    io.write(_said(file.name, old.entries, new))
    if file.data is None:
        io.write(f"commit it, with `{baselines.OWN} merge=union` in .gitattributes\n")


def _renewed(
    old: Baseline, run: _Run, known: DetectSecretsBaseline | None
) -> tuple[BaselineEntry, ...]:
    """What is owed now: all that stands, all that was debt before and is still there, and the old
    entries of which this run says nothing.
    """
    seen = run.seen
    debts = [
        s.finding for s in seen.outcome.suppressed if s.suppression.by == SuppressedBy.BASELINE
    ]
    owed = [f for f in (*seen.outcome.findings, *debts) if not (known and known.knows(f))]
    unknown = (e for e in old.entries if e.rule not in seen.rules or not run.scanned(e.path))
    return tuple(sorted({*unknown, *keywatch_baseline.entries_of(owed)}))


def _still_there(old: Baseline, seen: Survey) -> tuple[BaselineEntry, ...]:
    """The old entries without those that are known to cover nothing."""
    said = (each for each in seen.outcome.register if each.by == SuppressedBy.BASELINE)
    stale = {each.where for each in said if not each.used and each.rule in seen.rules}
    return tuple(
        entry
        for entry, line in zip(old.entries, old.lines, strict=True)
        if f"{old.where}:{line}" not in stale
    )


def _said(name: str, old: Collection[object], new: Collection[object]) -> str:
    """`.keywatch.baseline: 12 findings (3 new, 1 gone)`."""
    added, gone = len({*new} - {*old}), len({*old} - {*new})
    return f"{visible(name)}: {count(len(new), 'finding')} ({added} new, {gone} gone)\n"
