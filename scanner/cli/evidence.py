"""Keep evidence of audits and scans in a ledger, and verify it.

  keywatch evidence verify       find entries that were changed, removed or reordered
  keywatch evidence anchor       sign, commit and tag the head of the ledger
  keywatch evidence show         list the entries; --trend shows late secrets over time
  keywatch evidence export       write the entries as CSV, JSON or OSCAL assessment results
  keywatch evidence controls     which controls were shown to work, failed, or were not tested
  keywatch evidence attest       add what a named person states
  keywatch evidence record FILE  add a saved run (`--report json=FILE`)

`keywatch audit` adds its entry by itself, if the operator config has `evidence` or --evidence is
given. Exit codes of verify: 0 verified, 1 tampered with, 3 consistent but not anchored.

Examples:
  keywatch evidence verify --signers allowed_signers
  keywatch evidence controls --from 2026-07-01 --to 2026-10-01
  keywatch evidence export --format oscal --output assessment.json

"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from scanner import files
from scanner.audit import backends, operator_config
from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.cli.audit import add_operator
from scanner.configuration.operator import EVIDENCE_PLACE, EvidenceConfig
from scanner.console import Console, plain
from scanner.errors import ExitCode, UsageError
from scanner.evidence import anchor, controls, entries, export, history
from scanner.evidence.controls import Assessed, Period
from scanner.evidence.ledger import Head, Ledger
from scanner.evidence.verify import Problem, Verified, verify
from scanner.report import saved, text

_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, words, add in (
        ("verify", "find entries that were changed, removed or reordered", _add_verify),
        ("anchor", "sign, commit and tag the head of the ledger", _add_anchor),
        ("show", "list the entries", _add_show),
        ("export", "write the entries as CSV, JSON or OSCAL assessment results", _add_export),
        ("controls", "which controls were shown to work, failed, or were not tested", _add_period),
        ("attest", "add what a named person states", _add_attest),
        ("record", "add a saved run (`--report json=FILE`)", _add_record),
    ):
        action = actions.add_parser(name, help=words, description=words)
        add(action)
        group = action.add_argument_group("which ledger")
        add_operator(group)
        group.add_argument(
            "--place",
            type=arguments.path,
            metavar="FOLDER",
            help="the folder of the ledger; default: `evidence.place` of the operator config, or"
            f" {EVIDENCE_PLACE}",
        )
        arguments.add_now(group)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("anchors")
    group.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="HASH|FILE",
        help="the hash of an entry that must be there, or a head file; repeatable",
    )
    group.add_argument("--tag", metavar="TAG", help="a signed tag of the ledger's repository")
    group.add_argument(
        "--signers",
        metavar="FILE",
        help="allowed_signers of ssh-keygen: whose signatures count; without --tag, all signed"
        " heads of the ledger are checked",
    )


def _add_anchor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", metavar="FILE", help="the SSH key to sign with")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trend", action="store_true", help="late secrets of each audit")
    parser.add_argument("--kind", metavar="KIND", help="only entries of this kind, such as audit")
    parser.add_argument("number", nargs="*", type=int, metavar="NUMBER", help="only these entries")


def _add_period(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which period")
    group.add_argument("--from", dest="start", metavar="TIME", help="default: 90 days before now")
    group.add_argument("--to", dest="end", metavar="TIME", help="default: now")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=export.FORMATS, required=True)
    parser.add_argument("--output", default=_STDOUT, metavar="FILE", help="default: stdout")
    _add_period(parser)


def _add_attest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", required=True, metavar="NAME", help="the person who states it")
    parser.add_argument("--about", required=True, choices=entries.ABOUT)
    parser.add_argument("--statement", required=True, metavar="TEXT")
    parser.add_argument("--when", metavar="TIME", help="when it was so; default: now")
    parser.add_argument(
        "--secret", action="append", default=[], metavar="ID", help="canonical id; repeatable"
    )
    parser.add_argument("--control", default="", metavar="ID", help="an id of evidence controls")


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=arguments.path, metavar="FILE", help="a JSON report")


class _Opened(NamedTuple):
    """The ledger, its configuration, and the time of this command."""

    ledger: Ledger
    config: EvidenceConfig
    console: Console
    now: datetime


def run(args: argparse.Namespace, console: Console) -> int:
    now = moment(args.now)
    config = _config(args, console)
    opened = _Opened(_ledger(config, console), config, console, now)
    action = {
        "verify": _verify,
        "anchor": _anchor,
        "show": _show,
        "export": _export,
        "controls": _controls,
        "attest": _attest,
        "record": _record,
    }[args.action]
    return action(args, opened)


def _config(args: argparse.Namespace, console: Console) -> EvidenceConfig:
    config = EvidenceConfig(place=EVIDENCE_PLACE)
    if args.operator or (not args.place and console.environ.get(operator_config.VARIABLE)):
        options = backends.options(backends.BACKENDS)
        found = operator_config.read(args.operator, console, console.cwd, options)
        config = found.evidence or config
    return config._replace(place=args.place) if args.place else config


def _ledger(config: EvidenceConfig, console: Console) -> Ledger:
    return Ledger(os.path.join(console.cwd, config.place), config.writer)


def _verify(args: argparse.Namespace, opened: _Opened) -> int:
    ledger, console = opened.ledger, opened.console
    heads = [anchor.expected(each, console.cwd) for each in args.expect]
    signers = args.signers or opened.config.signers
    if args.tag and not signers:
        raise UsageError("--tag needs --signers", todo="name the allowed_signers file")
    first = verify(ledger)
    unsigned: list[Problem] = []
    if signers:
        signers = os.path.join(console.cwd, signers)
        if args.tag:
            heads.append(anchor.tagged_head(ledger, args.tag, signers, first.writers))
        else:
            found, unsigned = anchor.signed_heads(ledger, signers, first.writers)
            heads += found
    result = verify(ledger, heads) if heads else first
    for mark, items in (("✗", result.problems), ("!", (*result.notes, *unsigned))):
        for item in items:
            console.write(f"{mark} {plain(item.where)}: {plain(item.what)}\n")
    console.write(_verdict(result))
    return result.exit_code


def _verdict(result: Verified) -> str:
    head, number = result.head, result.head.number
    known = f"{text.count(number, 'entry').replace('entrys', 'entries')}, head {head.hash}\n"
    if result.problems:
        return f"✗ {text.count(len(result.problems), 'problem')}: the ledger was changed\n"
    if not number:
        return "! the ledger is empty\n"
    if result.anchored == number:
        return f"✓ verified: {known}"
    if result.anchored:
        return f"! anchored up to entry {result.anchored}, not anchored after it: {known}"
    return f"! consistent, not anchored: {known}"


def _anchor(args: argparse.Namespace, opened: _Opened) -> int:
    result = verify(opened.ledger)
    if result.problems:
        opened.console.write(_verdict(result))
        return ExitCode.FINDINGS
    key = args.key or opened.config.signing_key or None
    key = os.path.join(opened.console.cwd, key) if key else None
    done = anchor.anchor(opened.ledger, result.head, key, opened.now)
    signed = "signed" if done.signed else "not signed"
    opened.console.write(
        f"✓ anchored entry {done.head.number} ({signed}): {done.head.hash}\n"
        f"  file {plain(done.file)}, tag {done.tag}\n"
        "  keep the hash, or push the tag, where the writer of the ledger cannot change it\n"
    )
    return ExitCode.CLEAN


def _show(args: argparse.Namespace, opened: _Opened) -> int:
    found = opened.ledger.entries()
    if args.trend:
        opened.console.write_all(_trend(found))
        return ExitCode.CLEAN
    wanted = (
        each
        for each in found
        if (not args.kind or each["kind"] == args.kind)
        and (not args.number or each["number"] in args.number)
    )
    if args.number:
        opened.console.write_all(export.as_json(wanted))
    else:
        opened.console.write_all(
            f"{each['number']:>6}  {plain(each['at'])}  {plain(each['kind']):<13}"
            f" {each['hash'][:12]}  {plain(export.said(each))}\n"
            for each in wanted
        )
    return ExitCode.CLEAN


def _trend(found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield f"{'audit':<28}{'secrets':>8}{'overdue':>9}{'grace':>7}{'never':>7}{'unknown':>9}\n"
    for each in history.trend(found):
        incomplete = "" if each.complete else "  incomplete"
        yield (
            f"{plain(each.at):<28}{each.secrets:>8}{each.overdue:>9}{each.grace:>7}"
            f"{each.never:>7}{each.unknown:>9}{incomplete}\n"
        )


def _export(args: argparse.Namespace, opened: _Opened) -> int:
    period = _period(args, opened.now)
    kept = (each for each in opened.ledger.entries() if period.has(each))
    if args.format == "oscal":
        head = _intact(opened.ledger)
        assessed = controls.assess(controls.load(), opened.ledger.entries(), period)
        pieces = export.as_oscal(assessed, kept, head, period, opened.now)
    else:
        pieces = (export.as_csv if args.format == "csv" else export.as_json)(kept)
    if args.output == _STDOUT:
        opened.console.write_all(pieces)
    else:
        path = os.path.join(opened.console.cwd, args.output)
        files.write_pieces(path, (each.encode() for each in pieces))
    return ExitCode.CLEAN


def _intact(ledger: Ledger) -> Head:
    result = verify(ledger)
    if result.problems:
        raise UsageError(
            "the ledger was changed, so it proves nothing", todo="keywatch evidence verify"
        )
    return result.head


def _controls(args: argparse.Namespace, opened: _Opened) -> int:
    head = _intact(opened.ledger)
    period = _period(args, opened.now)
    assessed = controls.assess(controls.load(), opened.ledger.entries(), period)
    opened.console.write(
        f"{text.moment(period.start)} to {text.moment(period.end)}, ledger {head.hash[:12]}"
        f" with {head.number} entries\n"
    )
    opened.console.write_all(map(_row, assessed))
    failed = any(each.result == controls.FAILED for each in assessed)
    untested = any(each.result == controls.NOT_TESTED for each in assessed)
    return ExitCode.FINDINGS if failed else ExitCode.INCOMPLETE if untested else ExitCode.CLEAN


def _row(each: Assessed) -> str:
    control = each.control
    numbers = f"; entries {_some(each.failures or each.entries)}" if each.entries else ""
    name = f"{control.framework} {control.control}"
    return f"{each.result:<14} {name:<36} {control.title}\n{'':<15}{each.why}{numbers}\n"


def _some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[-10:]))
    return f"… {shown}" if len(numbers) > 10 else shown


def _period(args: argparse.Namespace, now: datetime) -> Period:
    """Without --to, the period includes an entry of this second."""
    end = moment(args.end) if args.end else now + timedelta(seconds=1)
    start = moment(args.start) if args.start else end - timedelta(days=90)
    if start >= end:
        raise UsageError("the period is empty", todo="let --from be before --to")
    return Period(start.astimezone(UTC), end.astimezone(UTC))


def _attest(args: argparse.Namespace, opened: _Opened) -> int:
    known = {each.id for each in controls.load()}
    if args.control and args.control not in known:
        raise UsageError(f"unknown control {args.control}", todo="keywatch evidence controls")
    if args.about == "rotation" and not args.secret:
        raise UsageError("an attested rotation needs --secret", todo="name the canonical id")
    when = moment(args.when) if args.when else opened.now
    if when > opened.now:
        raise UsageError("--when is in the future", todo="attest what has happened")
    kind, data = entries.attestation(
        by=args.by,
        about=args.about,
        statement=args.statement,
        when=when,
        secrets=args.secret,
        control=args.control,
    )
    return _added(opened, opened.ledger.append(kind, data, opened.now))


def _record(args: argparse.Namespace, opened: _Opened) -> int:
    data = opened.console.file(args.file)
    outcome, context = saved.read(data, args.file)
    kind, entry = entries.of_run(outcome, context, {}, {})
    return _added(opened, opened.ledger.append(kind, entry, opened.now))


def _added(opened: _Opened, head: Head) -> int:
    opened.console.write(f"✓ entry {head.number}: {head.hash}\n")
    return ExitCode.CLEAN
