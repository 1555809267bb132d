"""Check the age of live secrets from their metadata.

  keywatch audit --operator FILE [PATH]

The audit reports how old each value is, which declared secrets are missing, and which secrets are
not declared. It asks each store only for metadata, never for a value. Only the operator config
decides where the audit connects and how it logs in.

Examples:
  keywatch audit --operator operator.yaml
  keywatch audit --operator operator.yaml --backend vault-prod --report sarif=audit.sarif
  keywatch audit --operator operator.yaml --permissions  # the rights that the audit needs

"""

from __future__ import annotations

import argparse
import functools
import os
import re

from scanner.audit import backends
from scanner.audit.operator_config import VARIABLE
from scanner.audit.run import AuditRequest, FinishedAudit, audit, permissions
from scanner.cli import arguments, output
from scanner.cli.arguments import moment
from scanner.configuration.operator import EVIDENCE_PLACE, EvidenceConfig, OperatorConfig
from scanner.console import Console, show_error
from scanner.errors import ConfigError, ExitCode, OutputError
from scanner.evidence import entries, history
from scanner.evidence.earlier_runs import earlier_runs
from scanner.evidence.ledger import Ledger
from scanner.policy.declarations.model import seconds
from scanner.records import History
from scanner.report.interface import ReportContext

_TIMEOUT = "10m"
_PERIOD = re.compile(r"([1-9][0-9]{0,5}[smh])+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_folder(parser)
    group = parser.add_argument_group("which stores")
    add_operator(group)
    add_backends(group)
    group.add_argument(
        "--class",
        action="append",
        default=[],
        dest="classes",
        metavar="NAME",
        help="judge only secrets of this class; can be repeated",
    )
    group.add_argument(
        "--permissions",
        action="store_true",
        help="print the rights that each backend must grant, and read nothing",
    )
    _add_earlier(parser.add_argument_group("earlier runs"))
    _add_evidence(parser.add_argument_group("evidence"))
    group = parser.add_argument_group("how to check and report")
    arguments.add_fail_on(group)
    add_completeness(group)
    output.add_arguments(group)
    arguments.add_now(group)


def add_completeness(group: argparse._ArgumentGroup) -> None:
    """Add what an audit must have read, and which evidence it accepts."""
    group.add_argument(
        "--require-complete",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="exit with 3 if something could not be read, even if there are findings; this is the"
        " default",
    )
    group.add_argument(
        "--require-exact",
        action="store_true",
        help="accept no weak evidence: only an exact date proves that a secret is in time",
    )


def add_operator(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--operator",
        metavar="FILE",
        help=f"the operator config: stores and how to log in to them; default: the environment"
        f" variable {VARIABLE}",
    )


def add_backends(group: argparse._ArgumentGroup) -> None:
    """Add the options of commands that read several stores."""
    group.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help="only this backend of the operator config; can be repeated",
    )
    group.add_argument(
        "--timeout",
        default=_TIMEOUT,
        type=period,
        metavar="TIME",
        help=f"time for each backend, such as 90s or 5m; default: {_TIMEOUT}",
    )


def _add_earlier(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--state",
        metavar="FILE",
        help="read the results of the last run from this file, and save those of this run in it",
    )
    group.add_argument(
        "--since-last",
        action="store_true",
        help="with --state: list what changed since the last run",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="with --state: continue an unfinished run; do not read a secret again that it read"
        " within the last hour",
    )
    group.add_argument(
        "--carry-forward",
        metavar="FILE",
        help="copy the results of secrets that this run could not read from this earlier SARIF"
        " report",
    )
    group.add_argument(
        "--last-used",
        metavar="FILE",
        help="a file that keywatch trail --last-used wrote: adds dates of rotations, and reports"
        " unused secrets",
    )


def _add_evidence(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--evidence",
        nargs="?",
        const=EVIDENCE_PLACE,
        metavar="FOLDER",
        help="add an entry to the ledger in this folder; default:"
        f" {EVIDENCE_PLACE}. `evidence` in the operator config does the same",
    )


def period(text: str) -> int:
    if not _PERIOD.fullmatch(text):
        raise argparse.ArgumentTypeError("write a number and s, m or h, such as 90s")
    return seconds(text)


def run(
    args: argparse.Namespace, console: Console, modules: backends.Modules = backends.BACKENDS
) -> int:
    reports = output.output_request(args)
    ledger = functools.partial(_ledger, args.evidence, console)
    request = AuditRequest(
        path=args.path,
        operator=args.operator,
        backends=tuple(args.backend),
        timeout=args.timeout,
        state=args.state,
        since_last=args.since_last,
        resume=args.resume,
        carry_forward=args.carry_forward,
        history=lambda operator: _history(ledger(operator), console),
        clock=moment(None) if args.now else None,
        require_exact=args.require_exact,
        last_used=args.last_used,
        classes=tuple(dict.fromkeys(args.classes)),
    )
    if args.permissions:
        console.write(permissions(request, console, modules))
        return ExitCode.CLEAN
    finished = audit(request, console, modules, moment(args.now))
    if finished is None:
        return ExitCode.USAGE
    context = finished.report_context(console, reports.fail_on)
    recorder = ledger(finished.operator)
    if recorder and reports.writes("html"):
        earlier = earlier_runs(recorder, context.analysis, context.root, finished.now)
        context = context._replace(earlier=earlier)
    written = finished.written
    if not reports.writes_nothing:
        written &= output.deliver(reports, console, finished.outcome, context)
    if recorder:
        written &= _record(finished, context, recorder, console)
    return output.exit_code(
        finished.outcome,
        context.fail_on,
        written=written,
        require_complete=reports.require_complete,
    )


def _ledger(folder: str | None, console: Console, operator: OperatorConfig) -> Ledger | None:
    """The ledger that the command line or the operator config asks for."""
    config = operator.evidence
    if folder:
        config = EvidenceConfig(place=folder, writer=config.writer if config else "keywatch")
    return Ledger(os.path.join(console.cwd, config.place), config.writer) if config else None


def _history(ledger: Ledger | None, console: Console) -> History | None:
    """What the ledger knows. A damaged one does not stop the audit; the error is printed."""
    try:
        return history.history(ledger.entries()) if ledger else None
    except ConfigError as error:
        show_error(error, console)
        return History()


def _record(
    finished: FinishedAudit, context: ReportContext, ledger: Ledger, console: Console
) -> bool:
    """Add the entry. False if it cannot be written; the error is printed."""
    kind, data = entries.of_run(finished.outcome, context, finished.policy, finished.value_marks)
    try:
        ledger.append(kind, data, finished.now)
    except OutputError as error:
        show_error(error, console)
        return False
    return True
