"""Write an exception for one finding into keywatch.yaml."""

from __future__ import annotations

import os
import re
from datetime import date, datetime
from typing import NamedTuple

from scanner import document, files
from scanner.configuration import repository
from scanner.console import Console
from scanner.errors import ConfigError, UsageError
from scanner.exceptions import full_scan
from scanner.inputs.folder import Folder
from scanner.masking import masked
from scanner.model import NOWHERE, Finding, Outcome, Suppressed
from scanner.policy.exceptions import entry_text
from scanner.policy.exceptions.allow_entries import ID, AllowEntry, of_entry
from scanner.policy.rules import OWN_RULES
from scanner.report.sarif import carried_forward
from scanner.scan.request import ScanRequest
from scanner.scan.sources import Selection

_NEW_FILE = "version: 1\n"


class AllowRequest(NamedTuple):
    """The exception to write: a finding ID, and why, by whom and until when it is accepted.

    The finding is one of a scan, or, for a live secret, of the SARIF report `audit`.
    """

    id: str
    reason: str
    owner: str
    until: str
    scan: ScanRequest
    audit: str | None = None


class Allowed(NamedTuple):
    """The file that was changed, and the entry that was added to it."""

    file: str
    entry: AllowEntry


def allow(request: AllowRequest, console: Console, now: datetime) -> Allowed:
    """Add an exception. UsageError if the request is incomplete or names no open finding."""
    _refuse_bad_terms(request, now.date())
    _refuse_secrets(request)
    selection = full_scan.select(request.scan, console)
    if request.audit:
        outcome = _audited(request.audit, console, selection)
    else:
        outcome = full_scan.scan(request.scan, console, selection, now).outcome
    entry = _entry(request, _wanted(request.id, outcome), now.date())
    return Allowed(_write(request, console, selection, entry), entry)


def _refuse_bad_terms(request: AllowRequest, today: date) -> None:
    terms = {"reason": request.reason, "owner": request.owner, "until": request.until}
    missing = [f"--{name}" for name, text in terms.items() if not text.strip()]
    if missing:
        raise UsageError(
            f"the exception needs {' and '.join(missing)}",
            why="somebody must be responsible for it, and it must end",
            todo='keywatch allow ID --reason "why" --owner @team --until 2027-01-31',
        )
    if not re.fullmatch(r"[0-9a-f]{6,32}", request.id):
        raise UsageError(f"{request.id} is not a finding ID", todo="keywatch scan prints the IDs")
    try:
        ends = date.fromisoformat(request.until)
    except ValueError:
        raise UsageError(
            f"--until {request.until} is not a date", todo="write it as 2027-01-31"
        ) from None
    if ends <= today:
        raise UsageError(f"--until {ends} is not in the future", why=f"today is {today} in UTC")


def _refuse_secrets(request: AllowRequest) -> None:
    """The reason and the owner are stored in the repository: no place for a credential."""
    for name, words in (("--reason", request.reason), ("--owner", request.owner)):
        if masked(words) != words:
            raise UsageError(f"{name} contains a secret", todo="write it without the value")


def _audited(report: str, console: Console, selection: Selection) -> Outcome:
    """The findings of an audit, without those that keywatch.yaml allows already."""
    found = carried_forward.results(console.file(report), report)
    entries = {each.fingerprint[:ID]: each for each in selection.config.allow}
    return Outcome(
        findings=tuple(each for each in found if each.id not in entries),
        suppressed=tuple(
            Suppressed(finding=each, suppression=of_entry(entries[each.id]).suppression)
            for each in found
            if each.id in entries
        ),
    )


def _wanted(given: str, outcome: Outcome) -> Finding:
    """The one open finding that the ID names. UsageError if there is none, or several."""
    hidden = {each.finding.fingerprint: each for each in outcome.suppressed}
    all_there_are = [*outcome.findings, *(each.finding for each in outcome.suppressed)]
    named = {f.fingerprint: f for f in all_there_are if f.fingerprint.startswith(given)}
    if not named:
        raise UsageError(
            f"no finding has the ID {given}",
            why="it is gone, or its file was not scanned",
            todo="keywatch scan prints the IDs; for an ID of keywatch audit, add --audit FILE",
        )
    if len(named) > 1:
        raise UsageError(
            f"{given} names {len(named)} findings", todo="give more characters of the ID"
        )
    (found,) = named.values()
    exception = hidden[found.fingerprint].suppression if found.fingerprint in hidden else None
    if exception and exception.by in ("comment", "entry"):
        raise UsageError(
            f"{given} is allowed already", why=f"by {exception.location} until {exception.until}"
        )
    if found.rule in OWN_RULES:
        raise UsageError(f"{given} is about an exception", todo="correct that exception instead")
    return found


def _entry(request: AllowRequest, found: Finding, today: date) -> AllowEntry:
    return AllowEntry(
        fingerprint=found.id,
        rule=found.rule,
        path=found.subject,
        reason=request.reason,
        owner=request.owner,
        until=date.fromisoformat(request.until).isoformat(),
        location=NOWHERE,
        tag=found.tag,
        commit=found.since.commit[:12] if found.since and not found.since.present else "",
        added=today.isoformat(),
    )


def _write(request: AllowRequest, console: Console, selection: Selection, entry: AllowEntry) -> str:
    """Add the entry to the file on disk. Returns the file's name."""
    name = selection.config_name
    if request.scan.config:
        path, old = os.path.join(console.cwd, name), selection.config_data
    else:
        root = selection.source.root
        path, old = os.path.join(root, name), Folder(root, (), use_git=False).control(name)
    before = _NEW_FILE.encode() if old is None else old
    text = entry_text.with_entry(before.decode(errors="surrogateescape"), entry)
    after = b"" if text is None else text.encode(errors="surrogateescape")
    if not _adds(before, after, entry, name):
        raise ConfigError(
            f"{name} has a form that keywatch cannot edit",
            why="`allow:` must be empty, or a list with each item on its own lines",
            where=name,
            todo=f"add this item yourself: {entry_text.on_one_line(entry)}",
        )
    files.write_file(path, after)
    return name


def _adds(before: bytes, after: bytes, entry: AllowEntry, name: str) -> bool:
    """Is `after` a valid keywatch.yaml that differs from `before` only by this entry?"""
    try:
        repository.load(after, name, None)
        new, old = document.parse(after, name).data, document.parse(before, name).data
    except ConfigError:
        return False
    listed = [*(old.get("allow") or ()), entry_text.fields(entry)]
    return bool(new == {**old, "allow": listed})
