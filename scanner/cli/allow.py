"""Write an exception with a reason, an owner and an end; list them all.

  keywatch allow ID [PATH ...] --reason "why" --owner @team --until 2027-01-31
  keywatch allow list [--expiring 30d] [--json]

ID is the short name that a scan prints beside each finding; PATH narrows where it is looked for.
The exception goes to keywatch.yaml and covers this one value: another value in its place is a new
finding.
"""

from __future__ import annotations

import argparse
import os
import re
from datetime import date

from scanner import document, files
from scanner.configuration import repository
from scanner.console import Io, moment
from scanner.errors import ConfigError, ExitCode, UsageError
from scanner.exceptions import full_scan, listing
from scanner.inputs.folder import Folder
from scanner.masking import masked
from scanner.model import Finding, Outcome, Suppressed, SuppressedBy
from scanner.policy.exceptions import entry_text
from scanner.policy.exceptions.allow_entries import ID, AllowEntry, of_entry
from scanner.policy.rules import OWN_RULES
from scanner.report.sarif import carried_forward
from scanner.scan.sources import Selection

_NEW_FILE = "version: 1\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID|list", help="a finding's short name, or: list")
    full_scan.add_arguments(parser)
    group = parser.add_argument_group("the exception")
    group.add_argument("--reason", metavar="TEXT", help="why the finding is accepted")
    group.add_argument("--owner", metavar="WHO", help="who answers for it: @team, or an address")
    group.add_argument("--until", metavar="DATE", help="the last day on which it holds, in UTC")
    group.add_argument(
        "--audit",
        metavar="FILE",
        help="of a live secret: the report that keywatch audit --report sarif=FILE wrote",
    )
    listing.add_arguments(parser.add_argument_group("the list"))


def run(args: argparse.Namespace, io: Io) -> int:
    now = moment(args.now)
    if args.id != "list":
        _refuse_bad_terms(args, now.date())
        _refuse_secrets(args)
    selection = full_scan.select(args, io)
    if args.id == "list":
        full_scan.demand_whole_tree(selection, "the list")
    if args.audit:
        outcome = _audited(args, io, selection)
    else:
        outcome = full_scan.survey(args, io, selection, now).outcome
    if args.id == "list":
        listing.show(args, io, outcome.register, now.date())
        return full_scan.completeness(outcome, io)
    entry = _entry(args, _wanted(args.id, outcome))
    name = _write(args, io, selection, entry)
    io.write(f"{name}: {entry.rule} in {entry.path} is allowed until {entry.until}\n")
    return ExitCode.CLEAN


def _refuse_bad_terms(args: argparse.Namespace, today: date) -> None:
    missing = [
        f"--{name}"
        for name in ("reason", "owner", "until")
        if not (getattr(args, name) or "").strip()
    ]
    if missing:
        raise UsageError(
            f"the exception has no {' and no '.join(missing)}",
            why="somebody must answer for it, and it must end",
            todo='keywatch allow ID --reason "why" --owner @team --until 2027-01-31',
        )
    if not re.fullmatch(r"[0-9a-f]{6,32}", args.id):
        raise UsageError(f"{args.id} is no ID of a finding", todo="keywatch scan prints them")
    try:
        ends = date.fromisoformat(args.until)
    except ValueError:
        raise UsageError("--until is no date", todo="write it as 2027-01-31") from None
    if ends <= today:
        raise UsageError(f"--until {ends} is not in the future", why=f"today is {today} in UTC")


def _audited(args: argparse.Namespace, io: Io, selection: Selection) -> Outcome:
    """What an audit found, without what keywatch.yaml allows by now."""
    if args.id == "list":
        raise UsageError("the list has all exceptions", todo="leave out --audit")
    found = carried_forward.results(io.file(args.audit), args.audit)
    entries = {each.fingerprint[:ID]: each for each in selection.config.allow}
    return Outcome(
        findings=tuple(each for each in found if each.id not in entries),
        suppressed=tuple(
            Suppressed(finding=each, suppression=of_entry(entries[each.id]).said)
            for each in found
            if each.id in entries
        ),
    )


def _wanted(given: str, outcome: Outcome) -> Finding:
    """The one finding that the ID names and that may be allowed."""
    hidden = {each.finding.fingerprint: each for each in outcome.suppressed}
    all_there_are = [*outcome.findings, *(each.finding for each in outcome.suppressed)]
    named = {f.fingerprint: f for f in all_there_are if f.fingerprint.startswith(given)}
    if not named:
        raise UsageError(
            f"no finding has the ID {given}",
            why="it is gone, or its file was not scanned",
            todo="keywatch scan prints the IDs; those of keywatch audit need --audit FILE, too",
        )
    if len(named) > 1:
        raise UsageError(f"{given} names {len(named)} findings", todo="give more of the ID")
    (found,) = named.values()
    said = hidden[found.fingerprint].suppression if found.fingerprint in hidden else None
    if said and said.by in (SuppressedBy.COMMENT, SuppressedBy.ENTRY):
        raise UsageError(f"{given} is allowed already", why=f"by {said.where} until {said.until}")
    if found.rule in OWN_RULES:
        raise UsageError(f"{given} is about an exception", todo="mend that exception itself")
    return found


def _refuse_secrets(args: argparse.Namespace) -> None:
    """A reason stands in the repository and in every register: no place for a credential."""
    for name, words in (("--reason", args.reason), ("--owner", args.owner)):
        if masked(words) != words:
            raise UsageError(f"{name} holds a secret itself", todo="say it without the value")


def _entry(args: argparse.Namespace, found: Finding) -> AllowEntry:
    return AllowEntry(
        fingerprint=found.id,
        rule=found.rule,
        path=found.subject,
        reason=args.reason,
        owner=args.owner,
        until=date.fromisoformat(args.until).isoformat(),
        where="",
        tag=found.tag,
    )


def _write(args: argparse.Namespace, io: Io, selection: Selection, entry: AllowEntry) -> str:
    """Put the entry into the file on disk, and make sure that it says this and nothing else."""
    name = selection.config_name
    if args.config:
        path, old = os.path.join(io.cwd, name), selection.config_data
    else:
        root = selection.source.root
        path, old = os.path.join(root, name), Folder(root, (), use_git=False).control(name)
    before = _NEW_FILE.encode() if old is None else old
    text = entry_text.with_entry(before.decode(errors="surrogateescape"), entry)
    after = b"" if text is None else text.encode(errors="surrogateescape")
    if not _adds(before, after, entry, name):
        raise ConfigError(
            f"{name} is written in a form that is not edited here",
            why="`allow:` must be a list of one item a line or more, or empty",
            where=name,
            todo=f"add this item by hand: {entry_text.on_one_line(entry)}",
        )
    files.write_file(path, after)
    return name


def _adds(before: bytes, after: bytes, entry: AllowEntry, name: str) -> bool:
    """Is `after` the same document with one item more, and a valid keywatch.yaml?"""
    try:
        repository.load(after, name, None)
        new, old = document.parse(after, name).data, document.parse(before, name).data
    except ConfigError:
        return False
    listed = [*(old.get("allow") or ()), entry_text.fields(entry)]
    return bool(new == {**old, "allow": listed})
