"""Read what live stores say of their secrets, and judge it by the policy: how old each value is,
what is declared and missing, what nobody declares. Metadata alone, never a value.

  keywatch audit --operator FILE [PATH]

Which stores there are, and how to log in to each, the operator's file says, and no repository.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys

import scanner
from scanner.audit import backends, environment, operator_config, stores
from scanner.audit import outcome as audit_outcome
from scanner.audit import state as audit_state
from scanner.audit.collect import Harvest, gather
from scanner.audit.judge import Court
from scanner.audit.outcome import Sitting
from scanner.audit.state import State
from scanner.cli import output, policy
from scanner.cli.policy import Policy
from scanner.configuration.operator import Entry, Operator
from scanner.console import Io, moment, show_error
from scanner.errors import ExitCode, OutputError, UsageError, unreadable
from scanner.inventory.interface import Settings
from scanner.masking import masked
from scanner.model import Finding, Note, NoteKind, Severity
from scanner.policy import rules
from scanner.policy.declarations.model import seconds
from scanner.policy.live import rules as live_rules
from scanner.report.interface import ReportContext
from scanner.report.sarif import carried_forward
from scanner.repository.tree import Tree
from scanner.scan import sources

_TIMEOUT = "10m"
_PERIOD = re.compile(r"([1-9][0-9]{0,5}[smh])+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sources.add_folder(parser)
    group = parser.add_argument_group("which stores")
    operator_config.add_arguments(group)
    group.add_argument(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one of the operator's file; repeatable",
    )
    group.add_argument(
        "--timeout",
        default=_TIMEOUT,
        type=_period,
        metavar="TIME",
        help=f"for each backend, as 90s or 5m; default: {_TIMEOUT}",
    )
    group.add_argument(
        "--permissions",
        action="store_true",
        help="print what each backend must grant, to paste, and read nothing",
    )
    _add_earlier(parser.add_argument_group("what earlier runs saw"))
    group = parser.add_argument_group("how to judge and report")
    group.add_argument(
        "--fail-on",
        choices=[level.label for level in Severity],
        help="least severity for exit code 1; default: fail_on of keywatch.yaml, else low",
    )
    group.add_argument(
        "--require-complete",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="exit code 3 where something could not be read, even if there are findings",
    )
    output.add_arguments(group)
    group.add_argument("--now", metavar="TIME", help="judge as of this time (ISO 8601)")


def _add_earlier(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--state", metavar="FILE", help="keep in it what this run saw; the next run compares"
    )
    group.add_argument(
        "--since-last", action="store_true", help="show what changed since the run before"
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="do not ask again for what a run that did not end read within the last hour",
    )
    group.add_argument(
        "--carry-forward",
        metavar="FILE",
        help="keep the results of this earlier SARIF report that cannot be checked again",
    )


def _period(text: str) -> int:
    if not _PERIOD.fullmatch(text):
        raise argparse.ArgumentTypeError("it takes a number and s, m or h: 90s")
    return seconds(text)


def run(args: argparse.Namespace, io: Io, modules: backends.Modules = backends.BACKENDS) -> int:
    output.targets(args.report)
    _refuse_contradictions(args)
    tree = Tree(args.path, io)
    operator = operator_config.read(args.operator, io, tree.root, backends.options(modules))
    chosen = backends.chosen(operator.backends, args.backend)
    if args.permissions:
        asked = (_settings(each, args, io) for each in chosen)
        io.write("\n".join(backends.permissions(each, modules) for each in asked))
        return ExitCode.CLEAN
    files = policy.read(tree, io)
    if files is None:
        return ExitCode.USAGE
    sitting = _sitting(args, io, tree, files, operator)
    earlier, notes = _earlier(args, io)
    notes += () if files.exists else [policy.no_policy()]
    environment.clear(io.environ)
    ready = [backends.connected(each.settings, modules, sitting.now) for each in sitting.harvests]
    try:
        gather(sitting.harvests, ready)
    finally:  # an interrupt, too, leaves what was read
        written = _remember(args, io, sitting)
    outcome = audit_outcome.outcome(sitting, earlier, notes, compare=args.since_last)
    context = _context(args, io, sitting)
    if args.report or not args.quiet:
        written &= output.deliver(args, io, outcome, context)
    return output.exit_code(
        outcome, context.fail_on, written=written, require_complete=args.require_complete
    )


def _refuse_contradictions(args: argparse.Namespace) -> None:
    for given, name in ((args.since_last, "--since-last"), (args.resume, "--resume")):
        if given and not args.state:
            raise UsageError(
                f"{name} needs the state that a run before left", todo="add --state FILE"
            )


def _settings(entry: Entry, args: argparse.Namespace, io: Io) -> Settings:
    return Settings(
        name=entry.name,
        kind=entry.kind,
        options=entry.options,
        timeout=args.timeout,
        environ=io.environ,
    )


def _sitting(
    args: argparse.Namespace, io: Io, tree: Tree, files: Policy, operator: Operator
) -> Sitting:
    """All that the run goes by, before anything is asked of a store."""
    now = moment(args.now)
    state = audit_state.load(os.path.join(io.cwd, args.state)) if args.state else State()
    court = Court(tree, files, operator, io.environ, now)
    chosen = backends.chosen(operator.backends, args.backend)
    settings = (
        _settings(each, args, io)._replace(
            known=state.known(each.name),
            fresh=state.fresh(each.name, now) if args.resume else {},
        )
        for each in chosen
    )
    return Sitting(
        settings=files.config,
        court=court,
        harvests=[Harvest(each, court, keep=bool(args.state)) for each in settings],
        left_out=[stores.address(each) for each in operator.backends if each not in chosen],
        tree=tree,
        state=state,
        now=now,
    )


def _earlier(args: argparse.Namespace, io: Io) -> tuple[tuple[Finding, ...], list[Note]]:
    """The findings of an earlier run, and what is to be said where there are none of it."""
    name = args.carry_forward
    if not name:
        return (), []
    try:
        with open(os.path.join(io.cwd, name), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        text = "there is no such file: nothing is carried forward, as in a first run"
        return (), [Note(kind=NoteKind.NO_EARLIER_RUN, path=name, text=text)]
    except OSError as error:
        raise unreadable(name, error) from None
    return carried_forward.findings(data, name), []


def _remember(args: argparse.Namespace, io: Io, sitting: Sitting) -> bool:
    """Write the state, where there is one to write; False where that failed."""
    if not args.state:
        return True
    try:
        audit_state.save(os.path.join(io.cwd, args.state), audit_outcome.state(sitting))
    except OutputError as error:
        show_error(error, io)
        return False
    return True


def _context(args: argparse.Namespace, io: Io, sitting: Sitting) -> ReportContext:
    fail_on = sitting.settings.fail_on
    return ReportContext(
        rules={rule.id: rule for rule in (*live_rules.RULES, *rules.RULES)},
        now=sitting.now,
        version=scanner.__version__,
        root=os.path.basename(sitting.tree.root),
        command=masked(shlex.join(["keywatch", *sys.argv[1:]])),
        fail_on=Severity[args.fail_on.upper()] if args.fail_on else fail_on,
        open_from=sitting.tree.open_from,
        color=io.color,
        width=io.width,
        analysis="audit",
    )
